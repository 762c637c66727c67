//! Verification of deliveries by the buyer's URL.

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::input::MAX_DEPTH;
use super::object::Object;
use super::payload::Delivery;
use super::records::Trade;

/// A verification to request before a delivery is recorded.
#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
    /// The slug of the agent whose delivery is verified.
    pub(crate) agent: String,
}

/// The result of a verification.
#[derive(Debug)]
pub(crate) struct Verification {
    pub(super) accepted: bool,
    pub(super) reply: Object,
    /// The length of the reply that is stored.
    pub(crate) bytes: usize,
}

#[derive(Serialize)]
struct Post<'a> {
    trade_id: Uuid,
    listing_id: Uuid,
    #[serde(flatten)]
    delivery: &'a Delivery,
}

impl Callback {
    pub(super) fn new(url: String, agent: String, trade: &Trade, delivery: &Delivery) -> Self {
        let post = Post { trade_id: trade.id, listing_id: trade.listing_id, delivery };
        // Nothing of it is a map with keys that are not text.
        Self { url, agent, body: serde_json::to_vec(&post).unwrap_or_default() }
    }
}

impl Verification {
    /// Reads the reply to a verification.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let reply = Object::parse(body).filter(|reply| reply.depth() <= MAX_DEPTH);
        let reply = reply.unwrap_or_default();
        match reply.get("accepted").as_bool() {
            Some(accepted) if (200..300).contains(&status) => {
                Self { accepted, reply, bytes: body.len() }
            }
            _ => Self::failed(&format!(
                "the verification URL answered {status} without a valid result"
            )),
        }
    }

    /// Returns the result of a verification that got no reply, which counts as refused.
    pub(crate) fn failed(reason: &str) -> Self {
        let reply = Object::new(&json!({"accepted": false, "reason": reason}));
        Self { accepted: false, reply, bytes: reason.len() }
    }
}
