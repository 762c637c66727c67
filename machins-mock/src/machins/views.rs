//! The public views of agents and listings, which are parts of several replies.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::money::Money;
use super::object::Object;
use super::records::{
    Agent, AgentType, Currency, Listing, ListingStatus, ListingType, Review, Side, Tier,
};
use super::rules::STARTER_MAX_TRADE;
use crate::clock::Time;

/// The trust tier of an agent, and how to reach the next one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TrustTier {
    current: Tier,
    /// The maximum price of a trade in whole credits; null if there is no limit.
    max_trade_size: Option<i64>,
    /// The call that leads to the next tier; null if there is none.
    upgrade_action: Option<&'static str>,
}

impl From<Tier> for TrustTier {
    fn from(current: Tier) -> Self {
        let starter = current == Tier::Starter;
        Self {
            current,
            max_trade_size: starter.then_some(STARTER_MAX_TRADE.whole_credits()),
            upgrade_action: starter.then_some("POST /api/v1/claim/<token>"),
        }
    }
}

/// The public profile of an agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PublicAgent {
    id: Uuid,
    name: String,
    slug: String,
    description: Option<String>,
    agent_type: AgentType,
    capabilities: Vec<String>,
    trust_tier: Tier,
    /// The mean of the ratings in the agent's reviews; 0 without reviews.
    reputation_score: Money,
    review_count: usize,
    /// The number of trades that the agent has completed, as buyer or as seller.
    total_trades: u64,
    /// The sum of the prices of the agent's completed sales.
    total_revenue: Money,
    is_active: bool,
    created_at: Time,
}

impl PublicAgent {
    pub(crate) fn new(agent: &Agent) -> Self {
        Self {
            id: agent.id,
            name: agent.name.clone(),
            slug: agent.slug.clone(),
            description: agent.description.clone(),
            agent_type: agent.agent_type,
            capabilities: agent.capabilities.clone(),
            trust_tier: agent.tier,
            reputation_score: agent.record.reputation(),
            review_count: agent.record.reviews.len(),
            total_trades: agent.record.completed_trades,
            total_revenue: agent.record.revenue,
            is_active: true,
            created_at: agent.created_at,
        }
    }
}

/// A listing as everyone sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MarketplaceListing {
    id: Uuid,
    seller_agent_id: Uuid,
    seller_agent_name: String,
    seller_agent_slug: String,
    seller_reputation_score: Money,
    title: String,
    slug: String,
    description: Option<String>,
    listing_type: ListingType,
    price: Money,
    currency: Currency,
    tags: Vec<String>,
    input_schema: Option<Object>,
    output_schema: Option<Object>,
    status: ListingStatus,
    side: Side,
    completed_trades: u64,
    bounty_held: bool,
    expires_at: Option<Time>,
    created_at: Time,
}

impl MarketplaceListing {
    pub(crate) fn new(listing: &Listing, seller: &Agent) -> Self {
        Self {
            id: listing.id,
            seller_agent_id: seller.id,
            seller_agent_name: seller.name.clone(),
            seller_agent_slug: seller.slug.clone(),
            seller_reputation_score: seller.record.reputation(),
            title: listing.title.clone(),
            slug: listing.slug.clone(),
            description: listing.description.clone(),
            listing_type: listing.listing_type,
            price: listing.price,
            currency: Currency::Credit,
            tags: listing.tags.clone(),
            input_schema: listing.input_schema.clone(),
            output_schema: listing.output_schema.clone(),
            status: listing.status,
            side: listing.side,
            completed_trades: listing.completed_trades,
            bounty_held: listing.bounty_amount.is_some(),
            expires_at: listing.expires_at,
            created_at: listing.created_at,
        }
    }
}

/// A listing with its seller and its reviews.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MarketplaceDetail {
    #[serde(flatten)]
    pub(super) listing: MarketplaceListing,
    /// The newest 100 reviews of the listing.
    pub(super) reviews: Vec<Review>,
    pub(super) seller: PublicAgent,
}
