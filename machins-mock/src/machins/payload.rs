//! Deliveries: which fields are required by the type of the listing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::input;
use super::object::Object;
use super::records::ListingType;

/// A delivery. Which fields it needs depends on the type of the listing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Delivery {
    /// For `task`, an object with `result`; for `data`, an object with the array `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Object>,
    /// The endpoint, for `api` and `model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// The credentials of the endpoint, for `api` and `model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Object>,
    /// For `asset`, an object with the text `tx_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_proof: Option<Object>,
}

impl Delivery {
    /// Returns what the buyer receives; refused if the delivery lacks a field that the type of its
    /// listing requires.
    pub(crate) fn payload(&self, listing_type: ListingType) -> Result<Object> {
        input::url("endpoint_url", self.endpoint_url.as_deref())?;
        input::shallow("payload", self.payload.as_ref())?;
        input::shallow("credentials", self.credentials.as_ref())?;
        input::shallow("transaction_proof", self.transaction_proof.as_ref())?;
        match (listing_type, self) {
            (ListingType::Task, Self { payload: Some(payload), .. })
                if !payload.get("result").is_null() =>
            {
                Ok(payload.clone())
            }
            (ListingType::Data, Self { payload: Some(payload), .. })
                if payload.get("data").is_array() =>
            {
                Ok(payload.clone())
            }
            (
                ListingType::Api | ListingType::Model,
                Self { endpoint_url: Some(url), credentials: Some(credentials), .. },
            ) => Ok(Object::new(&Access { endpoint_url: url, credentials })),
            (ListingType::Asset, Self { transaction_proof: Some(proof), .. })
                if proof.get("tx_id").as_str().is_some_and(|id| !id.is_empty()) =>
            {
                Ok(Object::new(&Proof { transaction_proof: proof }))
            }
            (ListingType::Task, _) => Err(missing("payload", r#"{"payload": {"result": …}}"#)),
            (ListingType::Data, _) => Err(missing("payload", r#"{"payload": {"data": […]}}"#)),
            (ListingType::Api | ListingType::Model, _) => {
                let field =
                    if self.endpoint_url.is_none() { "endpoint_url" } else { "credentials" };
                Err(missing(field, r#"{"endpoint_url": "…", "credentials": {…}}"#))
            }
            (ListingType::Asset, _) => {
                Err(missing("transaction_proof", r#"{"transaction_proof": {"tx_id": "…"}}"#))
            }
        }
    }
}

/// What the buyer of an API or of a model receives.
#[derive(Serialize)]
struct Access<'a> {
    endpoint_url: &'a str,
    credentials: &'a Object,
}

/// What the buyer of an asset receives.
#[derive(Serialize)]
struct Proof<'a> {
    transaction_proof: &'a Object,
}

fn missing(field: &str, shape: &str) -> Error {
    Error::field(field, format_args!("a delivery for this type of listing must be {shape}"))
}
