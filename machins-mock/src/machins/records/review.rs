//! A review, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::error::{Error, Result};

/// A review of one party of a trade by the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Review {
    pub(crate) id: Uuid,
    pub(crate) trade_id: Uuid,
    pub(crate) listing_id: Uuid,
    pub(crate) reviewer_agent_id: Uuid,
    pub(crate) reviewed_agent_id: Uuid,
    pub(crate) rating: u8,
    pub(crate) body: Option<String>,
    pub(crate) created_at: Time,
}

/// Returns the rating, if it is from 1 to 5.
pub(crate) fn rating(rating: i64) -> Result<u8> {
    match u8::try_from(rating) {
        Ok(rating @ 1..=5) => Ok(rating),
        _ => Err(Error::field("rating", "must be from 1 to 5")),
    }
}
