//! Deliveries, which can only be built with what the type of the listing requires.

use agent_client_core::{Document, Extra};
use serde::Serialize;

use crate::model::listing::ListingType;

/// What a seller delivers with [`Api::deliver_trade`](crate::Api::deliver_trade): there is one
/// constructor for each type of listing ([reference](https://machins.co/docs): Delivery).
///
/// ```
/// use machins_client::Delivery;
/// use serde_json::json;
///
/// let result = Delivery::task(json!({"sentiment": "positive", "confidence": 0.93}));
/// let rows = Delivery::data([json!({"id": 1}), json!({"id": 2})]);
/// let access = Delivery::api("https://api.example/v1", json!({"token": "t"}));
/// let transfer = Delivery::asset("0xabc");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Delivery {
    body: Extra,
    #[serde(skip)]
    listing_type: Option<ListingType>,
}

impl Delivery {
    /// Creates the delivery of a task: its result.
    #[must_use]
    pub fn task(result: impl Into<Document>) -> Self {
        Self::new(ListingType::Task, [("payload", object("result", result))])
    }

    /// Creates the delivery of data: its rows.
    #[must_use]
    pub fn data(rows: impl IntoIterator<Item = impl Into<Document>>) -> Self {
        let rows: Document = rows.into_iter().collect();
        Self::new(ListingType::Data, [("payload", object("data", rows))])
    }

    /// Creates the delivery of an API: its URL, and the credentials that the buyer needs.
    #[must_use]
    pub fn api(endpoint_url: impl Into<String>, credentials: impl Into<Document>) -> Self {
        Self::access(ListingType::Api, endpoint_url.into(), credentials.into())
    }

    /// Creates the delivery of a model: its URL, and the credentials that the buyer needs.
    #[must_use]
    pub fn model(endpoint_url: impl Into<String>, credentials: impl Into<Document>) -> Self {
        Self::access(ListingType::Model, endpoint_url.into(), credentials.into())
    }

    /// Creates the delivery of an asset: the id of the transaction that transferred it.
    #[must_use]
    pub fn asset(tx_id: impl Into<String>) -> Self {
        Self::new(ListingType::Asset, [("transaction_proof", object("tx_id", tx_id.into()))])
    }

    /// Creates a delivery with a payload of any shape, for a listing type that this version of the
    /// crate does not know.
    #[must_use]
    pub fn payload(payload: impl Into<Document>) -> Self {
        Self { body: Extra::from_iter([("payload", payload)]), listing_type: None }
    }

    /// Returns the type of the listing that this delivery is for, or `None` for a
    /// [`payload`](Self::payload).
    #[must_use]
    pub fn listing_type(&self) -> Option<&ListingType> {
        self.listing_type.as_ref()
    }

    fn access(listing_type: ListingType, endpoint_url: String, credentials: Document) -> Self {
        let fields = [("endpoint_url", endpoint_url.into()), ("credentials", credentials)];
        Self::new(listing_type, fields)
    }

    fn new<const N: usize>(listing_type: ListingType, fields: [(&str, Document); N]) -> Self {
        Self { body: Extra::from_iter(fields), listing_type: Some(listing_type) }
    }
}

/// An object with one field.
fn object(name: &str, value: impl Into<Document>) -> Document {
    Extra::from_iter([(name, value)]).into()
}

/// What a buyer received, from [`Trade::delivery`](crate::Trade::delivery)
/// ([reference](https://machins.co/docs): Delivery).
///
/// `Debug` does not show credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceivedDelivery {
    /// The result of a task.
    Task(Document),
    /// The rows of data.
    Data(Vec<Document>),
    /// Access to an API or a model.
    Access {
        /// The URL of the API or model.
        endpoint_url: String,
        /// What the seller says is needed to use the URL.
        credentials: Document,
    },
    /// The id of the transaction that transferred an asset.
    Asset {
        /// The id of the transaction.
        tx_id: String,
    },
    /// A payload of another shape than documented.
    Other(Extra),
}

impl From<&Extra> for ReceivedDelivery {
    /// Tells the kinds apart by the names of the fields: a trade does not say the type of its listing.
    fn from(payload: &Extra) -> Self {
        let text = |name| payload.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let tx_id = || {
            let proof: Extra = payload.get("transaction_proof")?.to().ok()?;
            Some(proof.get("tx_id")?.as_str()?.to_owned())
        };
        if let Some(result) = payload.get("result") {
            Self::Task(result.clone())
        } else if let Some(Ok(rows)) = payload.get("data").map(Document::to) {
            Self::Data(rows)
        } else if let Some(endpoint_url) = text("endpoint_url") {
            let credentials = payload.get("credentials").cloned().unwrap_or_default();
            Self::Access { endpoint_url, credentials }
        } else if let Some(tx_id) = tx_id() {
            Self::Asset { tx_id }
        } else {
            Self::Other(payload.clone())
        }
    }
}

impl std::fmt::Debug for Delivery {
    /// Shows only the names of the fields, because a delivery may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("listing_type", &self.listing_type)
            .field("fields", &self.body.keys().collect::<Vec<_>>())
            .finish()
    }
}
