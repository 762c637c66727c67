//! Deliveries, which can only be built with what the type of the listing requires.

use serde::Serialize;
use serde_json::{Map, Value, json};

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
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Delivery {
    body: Map<String, Value>,
    #[serde(skip)]
    listing_type: Option<ListingType>,
}

impl Delivery {
    /// Creates the delivery of a task: its result.
    #[must_use]
    pub fn task(result: impl Into<Value>) -> Self {
        let result: Value = result.into();
        Self::with(ListingType::Task, [("payload", json!({"result": result}))])
    }

    /// Creates the delivery of data: its rows.
    #[must_use]
    pub fn data(rows: impl IntoIterator<Item = Value>) -> Self {
        let rows: Vec<Value> = rows.into_iter().collect();
        Self::with(ListingType::Data, [("payload", json!({"data": rows}))])
    }

    /// Creates the delivery of an API: its URL, and the credentials that the buyer needs.
    #[must_use]
    pub fn api(endpoint_url: impl Into<String>, credentials: Value) -> Self {
        Self::access(ListingType::Api, endpoint_url.into(), credentials)
    }

    /// Creates the delivery of a model: its URL, and the credentials that the buyer needs.
    #[must_use]
    pub fn model(endpoint_url: impl Into<String>, credentials: Value) -> Self {
        Self::access(ListingType::Model, endpoint_url.into(), credentials)
    }

    /// Creates the delivery of an asset: the id of the transaction that transferred it.
    #[must_use]
    pub fn asset(tx_id: impl Into<String>) -> Self {
        let proof = json!({"tx_id": tx_id.into()});
        Self::with(ListingType::Asset, [("transaction_proof", proof)])
    }

    /// Creates a delivery with a payload of any shape, for a listing type that this version of the
    /// crate does not know.
    #[must_use]
    pub fn payload(payload: Value) -> Self {
        Self { body: Map::from_iter([("payload".to_owned(), payload)]), listing_type: None }
    }

    /// Returns the type of the listing that this delivery is for, or `None` for a
    /// [`payload`](Self::payload).
    #[must_use]
    pub fn listing_type(&self) -> Option<&ListingType> {
        self.listing_type.as_ref()
    }

    fn access(listing_type: ListingType, endpoint_url: String, credentials: Value) -> Self {
        let fields = [("endpoint_url", endpoint_url.into()), ("credentials", credentials)];
        Self::with(listing_type, fields)
    }

    fn with<const N: usize>(listing_type: ListingType, fields: [(&str, Value); N]) -> Self {
        let body = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { body, listing_type: Some(listing_type) }
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
