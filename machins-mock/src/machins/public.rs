//! Public information: statistics, the leaderboard, profiles, recent trades.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::context::EventType;
use super::error::{Error, Result};
use super::money::Money;
use super::page::{Page, Window};
use super::platform::Machins;
use super::records::{Currency, ListingType, Review, Side, Tier, Trade};
use super::rules::{FEE_PERCENT, STARTER_CREDITS, STARTER_MAX_TRADE};
use super::views::{MarketplaceListing, PublicAgent, TrustTier};
use crate::clock::Time;

/// The number of latest trades in the statistics.
const RECENT_ACTIVITY: usize = 10;

/// The maximum number of listings, and of reviews, in a profile.
const SHOWN: usize = 50;

/// Statistics of the whole platform. A trade counts once its seller has been paid.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stats {
    total_agents: usize,
    active_listings: usize,
    total_trades: usize,
    total_volume: Money,
    trades_by_type: BTreeMap<ListingType, usize>,
    recent_activity: Vec<RecentTrade>,
}

/// A trade whose seller has been paid.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RecentTrade {
    trade_id: Uuid,
    listing_id: Uuid,
    listing_title: String,
    listing_type: ListingType,
    price: Money,
    currency: Currency,
    buyer_agent_slug: String,
    seller_agent_slug: String,
    completed_at: Time,
}

/// An agent and its rank among all agents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LeaderboardEntry {
    /// The rank, starting at 1.
    rank: usize,
    #[serde(flatten)]
    agent: PublicAgent,
}

/// The public profile of an agent with its listings and reviews.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgentProfile {
    #[serde(flatten)]
    agent: PublicAgent,
    /// The newest 50 active listings of the agent.
    listings: Vec<MarketplaceListing>,
    /// The newest 50 reviews of the agent.
    reviews: Vec<Review>,
}

/// A description of the platform, and how to begin.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlatformInfo {
    name: &'static str,
    description: &'static str,
    version: &'static str,
    economy: Economy,
    trust_tiers: [TrustTier; 2],
    listing_types: [ListingType; 5],
    sides: [Side; 2],
    event_types: [EventType; 10],
    endpoints: Vec<Endpoint>,
    quick_start: [&'static str; 5],
}

/// The economic rules of the platform.
#[derive(Debug, Serialize, JsonSchema)]
struct Economy {
    currency: Currency,
    starter_credits: Money,
    starter_max_trade: Money,
    fee_percent: i64,
}

/// An endpoint of the API.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Endpoint {
    pub(crate) method: String,
    pub(crate) path: &'static str,
    pub(crate) description: &'static str,
}

/// Returns the description of the platform, which does not depend on the world.
pub(crate) fn platform_info(endpoints: Vec<Endpoint>) -> PlatformInfo {
    PlatformInfo {
        name: "machins",
        description: "A marketplace on which agents trade, with escrow. This is a mock of it.",
        version: "v1",
        economy: Economy {
            currency: Currency::Credit,
            starter_credits: STARTER_CREDITS,
            starter_max_trade: STARTER_MAX_TRADE,
            fee_percent: FEE_PERCENT,
        },
        trust_tiers: [Tier::Starter.into(), Tier::Verified.into()],
        listing_types: [
            ListingType::Task,
            ListingType::Data,
            ListingType::Api,
            ListingType::Model,
            ListingType::Asset,
        ],
        sides: [Side::Offer, Side::Request],
        event_types: EventType::ALL,
        endpoints,
        quick_start: [
            "POST /api/v1/agents/onboard, and keep the API key",
            "GET /api/v1/marketplace to see what is on offer",
            "POST /api/v1/trades to propose a trade, or POST /api/v1/listings to sell",
            "GET /api/v1/inbox?unread=true to learn what happened",
            "POST /api/v1/trades/{id}/confirm to pay for what was delivered",
        ],
    }
}

impl Machins {
    pub(crate) fn stats(&self) -> Stats {
        let mut trades_by_type = BTreeMap::new();
        for trade in self.paid_trades.iter().filter_map(|id| self.trades.get(id)) {
            *trades_by_type.entry(trade.listing_type).or_default() += 1;
        }
        let recent = self.paid_trades.iter().rev().take(RECENT_ACTIVITY);
        Stats {
            total_agents: self.agents.len(),
            active_listings: self.search_index.len(),
            total_trades: self.paid_trades.len(),
            total_volume: self.volume,
            trades_by_type,
            recent_activity: recent.filter_map(|id| self.recent_trade(*id)).collect(),
        }
    }

    fn recent_trade(&self, id: Uuid) -> Option<RecentTrade> {
        let trade = self.trades.get(&id)?;
        let &Trade { listing_id, listing_type, price, .. } = trade;
        Some(RecentTrade {
            trade_id: id,
            listing_id,
            listing_title: self.listings.get(&listing_id)?.title.clone(),
            listing_type,
            price,
            currency: Currency::Credit,
            buyer_agent_slug: self.agents.get(&trade.buyer_agent_id)?.slug.clone(),
            seller_agent_slug: self.agents.get(&trade.seller_agent_id)?.slug.clone(),
            completed_at: trade.paid_at()?,
        })
    }

    /// Returns the trades whose sellers were paid, newest first.
    pub(crate) fn recent_trades(&self, window: Window) -> Result<Page<RecentTrade>> {
        let paid = self.paid_trades.iter().rev();
        Ok(window.span()?.page(paid, |id| self.recent_trade(*id)).flatten())
    }

    /// Returns all agents by reputation, then by trades, then by sales, then by age.
    pub(crate) fn leaderboard(&self, window: Window) -> Result<Page<LeaderboardEntry>> {
        let span = window.span()?;
        let mut agents: Vec<_> = self.agents.values().collect();
        agents.sort_by_key(|agent| {
            let record = &agent.record;
            Reverse((record.reputation(), record.completed_trades, record.revenue))
        });
        Ok(span.page(agents.into_iter().enumerate(), |(index, agent)| LeaderboardEntry {
            rank: index + 1,
            agent: PublicAgent::new(agent),
        }))
    }

    pub(crate) fn agent_profile(&self, slug: &str) -> Result<AgentProfile> {
        let agent = self.agent_slugs.get(slug).and_then(|id| self.agents.get(id));
        let agent = agent.ok_or_else(|| Error::not_found("agent"))?;
        let listings = agent.record.listings.iter().rev().filter_map(|id| self.listings.get(id));
        let active = listings.filter(|listing| listing.is_active()).take(SHOWN);
        let reviews = agent.record.reviews.iter().rev().take(SHOWN);
        Ok(AgentProfile {
            agent: PublicAgent::new(agent),
            listings: active.map(|listing| MarketplaceListing::new(listing, agent)).collect(),
            reviews: reviews.filter_map(|id| self.reviews.get(id)).cloned().collect(),
        })
    }
}
