//! The record of one intent.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use agent_client_core::{Document, Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::id::{ListingId, TradeId};
use crate::model::review::Review;
use crate::model::trade::Proposal;

/// The maximum length of a key, in bytes.
const LONGEST_KEY: usize = 255;
/// The number of characters of the terms that a record keeps.
const TERMS_KEPT: usize = 200;

/// What a key was used for: the record that methods such as
/// [`Api::propose_trade_once`](crate::Api::propose_trade_once) keep in an
/// [`IntentStore`](crate::IntentStore).
///
/// A store keeps it as it is, for example as JSON. It holds no API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub(crate) key: String,
    base_url: String,
    /// A hash of the API key, which stands for the agent.
    agent: String,
    #[serde(flatten)]
    subject: Subject,
    /// A hash of the whole request.
    request: String,
    /// The client reference in a proposal's metadata.
    reference: String,
    created_at_ms: u64,
    #[serde(flatten)]
    pub(crate) state: IntentState,
}

/// What is done once, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Subject {
    /// A trade that is proposed.
    Trade {
        listing_id: ListingId,
        /// The beginning of the terms, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trade_id: Option<TradeId>,
    },
    /// A listing that is created.
    Listing {
        slug: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listing_id: Option<ListingId>,
    },
    /// A review that is left.
    Review {
        trade_id: TradeId,
        rating: u8,
        /// The review, which the service does not show by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<Box<Review>>,
    },
}

impl Subject {
    pub(crate) fn trade(proposal: &Proposal) -> Self {
        Self::Trade {
            listing_id: proposal.listing_id().clone(),
            terms: proposal.terms_text().map(|terms| terms.chars().take(TERMS_KEPT).collect()),
            trade_id: None,
        }
    }
}

/// The kind of thing that a key is used for once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IntentKind {
    /// The key proposes a trade.
    Trade,
    /// The key creates a listing.
    Listing,
    /// The key leaves a review.
    Review,
}

impl IntentKind {
    /// Returns the kind as one word, for people and in the records: `trade`, `listing`, `review`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Listing => "listing",
            Self::Review => "review",
        }
    }
}

/// How far an intent has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum IntentState {
    /// The request may have been sent, and had been sent for the last time by this moment.
    Sent { until_ms: u64 },
    /// What the key is for exists.
    Done,
}

impl Intent {
    /// Creates the record of an intent that is about to be sent.
    pub(crate) fn new(
        key: &str,
        base_url: String,
        agent: String,
        subject: Subject,
        request: &impl Serialize,
    ) -> Result<Self, Error> {
        check_key(key)?;
        let label = match &subject {
            Subject::Trade { .. } => "proposal".to_owned(),
            Subject::Listing { .. } => "listing".to_owned(),
            Subject::Review { trade_id, .. } => format!("review {trade_id}"),
        };
        let request = hash(&[&label, &canonical(&Document::new(request)?)]);
        let reference = format!("intent-{}", hash(&[key, &base_url, &agent, &request]));
        Ok(Self {
            key: key.to_owned(),
            base_url,
            agent,
            subject,
            request,
            reference,
            created_at_ms: milliseconds(SystemTime::now()),
            state: IntentState::Sent { until_ms: 0 },
        })
    }

    /// Returns a key made from the parts that identify an intent, such as a listing and a purpose: the
    /// same parts give the same key, and others another one. It is 32 hexadecimal digits long.
    ///
    /// ```
    /// use machins_client::Intent;
    ///
    /// let key = Intent::key_from(&["lst_x9y8z7w6", "weekly report"]);
    /// assert_eq!(key, Intent::key_from(&["lst_x9y8z7w6", "weekly report"]));
    /// assert_ne!(key, Intent::key_from(&["lst_x9y8z7w6 weekly", "report"]));
    /// ```
    #[must_use]
    pub fn key_from(parts: &[&str]) -> String {
        hash(parts)
    }

    /// Returns the key that names the intent.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the base URL of the service that the key was used at.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the kind of thing that the key was used for.
    #[must_use]
    pub fn kind(&self) -> IntentKind {
        match self.subject {
            Subject::Trade { .. } => IntentKind::Trade,
            Subject::Listing { .. } => IntentKind::Listing,
            Subject::Review { .. } => IntentKind::Review,
        }
    }

    /// Returns the listing that the trade was proposed on, or the listing that was created. `None`
    /// for a review, and for a listing of which it is not known yet whether it was created.
    #[must_use]
    pub fn listing_id(&self) -> Option<&ListingId> {
        match &self.subject {
            Subject::Trade { listing_id, .. } => Some(listing_id),
            Subject::Listing { listing_id, .. } => listing_id.as_ref(),
            Subject::Review { .. } => None,
        }
    }

    /// Returns the first 200 characters of the proposal's terms, or `None` if it has none.
    #[must_use]
    pub fn terms(&self) -> Option<&str> {
        match &self.subject {
            Subject::Trade { terms, .. } => terms.as_deref(),
            _ => None,
        }
    }

    /// Returns the slug of the listing to create, or `None` if the key is for something else.
    #[must_use]
    pub fn slug(&self) -> Option<&str> {
        match &self.subject {
            Subject::Listing { slug, .. } => Some(slug),
            _ => None,
        }
    }

    /// Returns the client reference by which a trade is found on the service.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Returns the trade that was proposed, or that was reviewed. `None` if it is not known yet
    /// whether there is one, and for a listing.
    #[must_use]
    pub fn trade_id(&self) -> Option<&TradeId> {
        match &self.subject {
            Subject::Trade { trade_id, .. } => trade_id.as_ref(),
            Subject::Review { trade_id, .. } => Some(trade_id),
            Subject::Listing { .. } => None,
        }
    }

    /// Returns the review that was left, or `None` if there is none yet.
    #[must_use]
    pub fn review(&self) -> Option<&Review> {
        match &self.subject {
            Subject::Review { review, .. } => review.as_deref(),
            _ => None,
        }
    }

    /// Whether what the key is for exists. If not, it may or may not exist: the same call with the
    /// same key finds out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == IntentState::Done
    }

    /// Returns the time when the key was used first.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        moment(self.created_at_ms)
    }

    /// The same intent, whose request had been sent for the last time by this moment.
    pub(crate) fn sent(&self, until_ms: u64) -> Self {
        Self { state: IntentState::Sent { until_ms }, ..self.clone() }
    }

    /// The same intent, which has led to this.
    pub(crate) fn done(&self, subject: Subject) -> Self {
        Self { state: IntentState::Done, subject, ..self.clone() }
    }

    /// The same intent, which has led to this trade.
    pub(crate) fn done_by_trade(&self, id: &TradeId) -> Self {
        let mut done = self.done(self.subject.clone());
        if let Subject::Trade { trade_id, .. } = &mut done.subject {
            *trade_id = Some(id.clone());
        }
        done
    }

    /// The same intent for the agent of another record, or `None` if more than the agent differs.
    pub(crate) fn for_agent_of(&self, other: &Self) -> Option<Self> {
        let intent = Self { agent: other.agent.clone(), ..self.clone() };
        intent.check_same(other).is_ok().then_some(intent)
    }

    /// Refuses another intent under the same key, and names what the key was used for.
    pub(crate) fn check_same(&self, other: &Self) -> Result<(), Error> {
        let is_another = match (&self.subject, &other.subject) {
            (Subject::Trade { listing_id: a, .. }, Subject::Trade { listing_id: b, .. }) => {
                (a != b).then_some("for another listing")
            }
            (Subject::Review { trade_id: a, .. }, Subject::Review { trade_id: b, .. }) => {
                (a != b).then_some("for another trade")
            }
            _ => (self.kind() != other.kind()).then_some("for something else"),
        };
        let content = match self.kind() {
            IntentKind::Trade => "with other terms or metadata",
            IntentKind::Listing => "with other fields",
            IntentKind::Review => "with another rating or text",
        };
        let differences = [
            (self.base_url != other.base_url).then_some("at another base URL"),
            (self.agent != other.agent).then_some("by another agent, or with another API key"),
            is_another,
            (self.request != other.request).then_some(content),
        ];
        let Some(difference) = differences.into_iter().flatten().next() else {
            return Ok(());
        };
        let (key, base_url) = (&self.key, &self.base_url);
        let message = format!(
            "the key {key:?} was used {difference}: {} at {base_url}; use another key",
            self.used_for()
        );
        Err(Error::new(ErrorKind::IdempotencyConflict, message))
    }

    /// The error for a trade or listing of the key that the service does not know.
    pub(crate) fn stale(&self, what: &str, id: &str, error: Error) -> Error {
        let key = &self.key;
        let message = format!(
            "the key {key:?} was used for {what} {id}, which the service does not know; forget the key if the {what} is gone for good"
        );
        Error::new(ErrorKind::StaleIntent, message).with_source(error)
    }

    /// What the key was used for, for a sentence.
    fn used_for(&self) -> String {
        match &self.subject {
            Subject::Trade { listing_id, terms, trade_id } => {
                let terms = terms.as_ref().map(|terms| format!(", terms {terms:?}"));
                let trade = trade_id.as_ref().map(|trade| format!(", trade {trade}"));
                let [terms, trade] = [terms, trade].map(Option::unwrap_or_default);
                format!("to propose a trade on listing {listing_id}{terms}{trade}")
            }
            Subject::Listing { slug, listing_id } => {
                let id = listing_id.as_ref().map(|id| format!(", listing {id}"));
                format!("to create a listing with slug {slug:?}{}", id.unwrap_or_default())
            }
            Subject::Review { trade_id, rating, .. } => {
                format!("to review trade {trade_id} with rating {rating}")
            }
        }
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

/// The moment this many milliseconds after 1970, or the present if the system knows no such moment.
pub(crate) fn moment(milliseconds: u64) -> SystemTime {
    let since = Duration::from_millis(milliseconds);
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or_else(SystemTime::now)
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
        let intent = |proposal| {
            Intent::new("k", "u".into(), "agent".into(), Subject::trade(&proposal), &proposal)
                .unwrap()
        };
        let (one, other) = (intent(proposal(["x", "y"])), intent(proposal(["y", "x"])));
        assert_eq!((&one.request, &one.reference), (&other.request, &other.reference));
    }

    #[test]
    fn a_reference_does_not_show_the_key() {
        let proposal = Proposal::new(&ListingId::new("l1").unwrap());
        let intent = |agent: &str| {
            let subject = Subject::trade(&proposal);
            Intent::new("order-1", "u".into(), agent.into(), subject, &proposal).unwrap()
        };
        let (one, other) = (intent("1"), intent("2"));
        assert_ne!(one.reference, other.reference, "who does not know the API key cannot guess it");
    }
}
