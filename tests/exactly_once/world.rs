//! The server's world, read from its stored form without the client.

use std::collections::HashMap;
use std::hash::Hash;

use machins_client::TradeStatus;
use machins_mock::MockServer;
use serde::Deserialize;

/// Everything in the world, by the names in the plan. The test fails if anything exists twice.
pub(crate) struct World {
    /// Ids by slug.
    pub(crate) agents: HashMap<String, String>,
    /// By slug.
    pub(crate) listings: HashMap<String, Listing>,
    /// By reference.
    pub(crate) trades: HashMap<String, Trade>,
    /// Ids by trade and reviewer.
    pub(crate) reviews: HashMap<(String, String), String>,
}

#[derive(Deserialize)]
pub(crate) struct Listing {
    pub(crate) id: String,
    slug: String,
    pub(crate) title: String,
    pub(crate) status: String,
}

#[derive(Deserialize)]
pub(crate) struct Trade {
    pub(crate) id: String,
    pub(crate) status: TradeStatus,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    client_reference: String,
}

/// The stored form, as `GET /_mock/state` gives it.
#[derive(Deserialize)]
struct Stored {
    machins: Machins,
}

#[derive(Deserialize)]
struct Machins {
    agents: Vec<Agent>,
    listings: Vec<Listing>,
    trades: Vec<Trade>,
    reviews: Vec<Review>,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
    slug: String,
}

#[derive(Deserialize)]
struct Review {
    id: String,
    trade_id: String,
    reviewer_agent_id: String,
}

impl World {
    pub(crate) fn of(server: &MockServer) -> Self {
        let json = serde_json::to_vec(&server.snapshot()).unwrap();
        let Stored { machins } = serde_json::from_slice(&json).unwrap();
        Self {
            agents: once(machins.agents.into_iter().map(|agent| (agent.slug, agent.id))),
            listings: once(
                machins.listings.into_iter().map(|listing| (listing.slug.clone(), listing)),
            ),
            trades: once(
                machins
                    .trades
                    .into_iter()
                    .map(|trade| (trade.metadata.client_reference.clone(), trade)),
            ),
            reviews: once(
                machins
                    .reviews
                    .into_iter()
                    .map(|review| ((review.trade_id, review.reviewer_agent_id), review.id)),
            ),
        }
    }
}

fn once<K: Eq + Hash, V>(items: impl ExactSizeIterator<Item = (K, V)>) -> HashMap<K, V> {
    let count = items.len();
    let map: HashMap<_, _> = items.collect();
    assert_eq!(map.len(), count, "something exists twice");
    map
}
