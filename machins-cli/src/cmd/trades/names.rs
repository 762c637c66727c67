//! The titles and names behind the ids of trades, for people.

use std::collections::{HashMap, HashSet};

use machins_client::blocking::Client;
use machins_client::{AgentId, ListingId, MarketplaceListing, MarketplaceQuery, Trade};

use crate::config::key::AGENT_SLUG;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Format;
use crate::pages::FULL;

/// At most so many listings that are not on the marketplace any more are asked for one by one.
const MOST_ASKED: usize = 5;

/// Titles of listings and names of agents, as far as they could be found.
#[derive(Default)]
pub(super) struct Names {
    titles: HashMap<String, String>,
    agents: HashMap<String, String>,
}

impl Names {
    /// Finds what belongs to these trades, if a person is to read it. What cannot be found stays an id.
    pub(super) fn find(
        context: &Context,
        client: &Client,
        own: Option<&AgentId>,
        trades: &[Trade],
    ) -> Result<Self, Failure> {
        let mut names = Self::default();
        if context.out.format() != Format::Table || trades.is_empty() {
            return Ok(names);
        }
        if let (Some(id), Some(slug)) = (own, context.value(&AGENT_SLUG)?) {
            names.agents.insert(id.to_string(), slug);
        }
        let mut missing: HashSet<&ListingId> =
            trades.iter().map(|trade| &trade.listing_id).collect();
        // One listing is asked for directly.
        if missing.len() > 1
            && let Ok(page) = client.browse(&MarketplaceQuery::new().limit(FULL))
        {
            page.items.iter().for_each(|listing| names.add(listing));
        }
        missing.retain(|id| !names.titles.contains_key(id.as_str()));
        for id in missing.into_iter().take(MOST_ASKED) {
            if let Ok(listing) = client.get_marketplace_listing(id) {
                names.add(&listing);
            }
        }
        let mut parties = trades
            .iter()
            .flat_map(|trade| [&trade.buyer_agent_id, &trade.seller_agent_id])
            .flatten();
        if parties.any(|agent| !names.agents.contains_key(agent.as_str()))
            && let Ok(leaderboard) = client.get_leaderboard()
            && let Some(agents) = leaderboard.get("items").and_then(|items| items.as_array())
        {
            for agent in agents {
                let text = |name: &str| agent.get(name)?.as_str().map(str::to_owned);
                if let (Some(id), Some(slug)) = (text("id"), text("slug")) {
                    names.agents.insert(id, slug);
                }
            }
        }
        Ok(names)
    }

    fn add(&mut self, listing: &MarketplaceListing) {
        self.titles.insert(listing.id.to_string(), listing.title.clone());
        if let (Some(id), Some(slug)) = (&listing.seller_agent_id, &listing.seller_agent_slug) {
            self.agents.insert(id.to_string(), slug.to_string());
        }
    }

    /// The title of a listing, or its id.
    pub(super) fn title<'a>(&'a self, id: &'a ListingId) -> &'a str {
        self.titles.get(id.as_str()).map_or(id.as_str(), String::as_str)
    }

    /// The title of a listing with its id, or the id alone.
    pub(super) fn title_and_id(&self, id: &ListingId) -> String {
        match self.titles.get(id.as_str()) {
            Some(title) => format!("{title} ({id})"),
            None => id.to_string(),
        }
    }

    /// The public name of an agent, or its id.
    pub(super) fn agent<'a>(&'a self, id: &'a AgentId) -> &'a str {
        self.agents.get(id.as_str()).map_or(id.as_str(), String::as_str)
    }
}
