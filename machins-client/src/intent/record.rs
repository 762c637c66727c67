//! The record of one intent.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use agent_client_core::{Document, Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::id::{ListingId, TradeId};
use crate::model::trade::Proposal;

/// The maximum length of a key, in bytes.
const LONGEST_KEY: usize = 255;
/// The number of characters of the terms that a record keeps.
const TERMS_KEPT: usize = 200;

/// What a key was used for: the record that [`Api::propose_trade_once`](crate::Api::propose_trade_once)
/// keeps in an [`IntentStore`](crate::IntentStore).
///
/// A store keeps it as it is, for example as JSON. It holds no API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub(crate) key: String,
    base_url: String,
    /// A hash of the API key, which stands for the agent.
    agent: String,
    listing_id: ListingId,
    /// The beginning of the terms, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<String>,
    /// A hash of the whole proposal.
    proposal: String,
    /// The client reference in the proposal's metadata.
    reference: String,
    created_at_ms: u64,
    #[serde(flatten)]
    pub(crate) state: IntentState,
}

/// How far an intent has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum IntentState {
    /// The proposal may have been sent, and had been sent for the last time by this moment.
    Sent { until_ms: u64 },
    /// The trade exists.
    Done { trade_id: TradeId },
}

impl Intent {
    /// Creates the record of an intent that is about to be sent.
    pub(crate) fn new(
        key: &str,
        base_url: String,
        agent: String,
        proposal: &Proposal,
    ) -> Result<Self, Error> {
        check_key(key)?;
        let digest = hash(&["proposal", &canonical(&Document::new(proposal)?)]);
        let reference = format!("intent-{}", hash(&[key, &base_url, &agent, &digest]));
        Ok(Self {
            key: key.to_owned(),
            base_url,
            agent,
            listing_id: proposal.listing_id().clone(),
            terms: proposal.terms_text().map(|terms| terms.chars().take(TERMS_KEPT).collect()),
            proposal: digest,
            reference,
            created_at_ms: milliseconds(SystemTime::now()),
            state: IntentState::Sent { until_ms: 0 },
        })
    }

    /// Returns the key that names the intent.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the base URL of the service that the trade was proposed at.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the listing that the trade was proposed on.
    #[must_use]
    pub fn listing_id(&self) -> &ListingId {
        &self.listing_id
    }

    /// Returns the first 200 characters of the proposal's terms, or `None` if it has none.
    #[must_use]
    pub fn terms(&self) -> Option<&str> {
        self.terms.as_deref()
    }

    /// Returns the client reference by which the trade is found on the service.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Returns the trade, or `None` if it is not known yet whether there is one.
    #[must_use]
    pub fn trade_id(&self) -> Option<&TradeId> {
        match &self.state {
            IntentState::Done { trade_id } => Some(trade_id),
            IntentState::Sent { .. } => None,
        }
    }

    /// Returns the time when the key was used first.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.created_at_ms)
    }

    /// The same intent in another state.
    pub(crate) fn with(&self, state: IntentState) -> Self {
        Self { state, ..self.clone() }
    }

    /// Refuses another intent under the same key, and names what the key was used for.
    pub(crate) fn check_same(&self, other: &Self) -> Result<(), Error> {
        let differences = [
            (self.base_url != other.base_url, "at another base URL"),
            (self.agent != other.agent, "by another agent"),
            (self.listing_id != other.listing_id, "for another listing"),
            (self.proposal != other.proposal, "with other terms or metadata"),
        ];
        let Some((_, difference)) = differences.into_iter().find(|(differs, _)| *differs) else {
            return Ok(());
        };
        let Self { key, listing_id, base_url, .. } = self;
        let terms = self.terms().map(|terms| format!(", terms {terms:?}")).unwrap_or_default();
        let trade = self.trade_id().map(|trade| format!(", trade {trade}")).unwrap_or_default();
        let message = format!(
            "the key {key:?} was used {difference}: listing {listing_id} at {base_url}{terms}{trade}; use another key"
        );
        Err(Error::new(ErrorKind::IdempotencyConflict, message))
    }
}

/// Refuses a key that cannot name an intent.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if !key.trim().is_empty() && key.len() <= LONGEST_KEY && !key.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!(
        "a key is 1 to {LONGEST_KEY} bytes long, without control characters, not only spaces"
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A hash of texts, 128 bits in hexadecimal digits.
pub(crate) fn hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    base16ct::lower::encode_string(&hash.finalize()[..16])
}

/// JSON with the names of every object in order.
fn canonical(document: &Document) -> String {
    if let Ok(fields) = document.to::<BTreeMap<String, Document>>() {
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    } else if let Ok(items) = document.to::<Vec<Document>>() {
        let items: Vec<_> = items.iter().map(canonical).collect();
        format!("[{}]", items.join(","))
    } else if let Some(text) = document.as_str() {
        // One text can be escaped in several ways.
        Value::from(text).to_string()
    } else {
        document.as_json().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_metadata_in_another_order_is_the_same_intent() {
        let listing = ListingId::new("l1").unwrap();
        let proposal = |names: [&str; 2]| {
            names.iter().fold(Proposal::new(&listing), |proposal, name| {
                proposal.metadata(*name, json!({"b": [1, {"d": 1}], "a": name}))
            })
        };
        let intent = |proposal| Intent::new("k", "u".into(), "agent".into(), &proposal).unwrap();
        let (one, other) = (intent(proposal(["x", "y"])), intent(proposal(["y", "x"])));
        assert_eq!((&one.proposal, &one.reference), (&other.proposal, &other.reference));
    }

    #[test]
    fn a_reference_does_not_show_the_key() {
        let proposal = Proposal::new(&ListingId::new("l1").unwrap());
        let one = Intent::new("order-1", "u".into(), "1".into(), &proposal).unwrap();
        let other = Intent::new("order-1", "u".into(), "2".into(), &proposal).unwrap();
        assert_ne!(one.reference, other.reference, "who does not know the API key cannot guess it");
    }
}
