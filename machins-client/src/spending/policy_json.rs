//! How the settings of a policy are read from JSON.

use std::collections::{BTreeMap, BTreeSet};

use agent_client_core::Document;
use serde::{Deserialize, Deserializer};

use crate::model::listing::ListingType;
use crate::model::money::Money;

/// Reads an amount that is not negative.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let amount = Option::<Money>::deserialize(deserializer)?;
    match amount {
        Some(amount) if amount < Money::ZERO => Err(not_valid("a limit is not negative")),
        amount => Ok(amount),
    }
}

/// Reads an amount for each type of listing.
pub(super) fn limits<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Money>, D::Error> {
    let amounts = Option::<BTreeMap<String, Money>>::deserialize(deserializer)?.unwrap_or_default();
    for (name, amount) in &amounts {
        if !ListingType::WORDS.contains(&name.as_str()) {
            let known = ListingType::WORDS.join(", ");
            return Err(not_valid(format!("{name:?} is no type of a listing: {known}")));
        }
        if *amount < Money::ZERO {
            return Err(not_valid("a limit is not negative"));
        }
    }
    Ok(amounts)
}

/// Reads a list of names, or a text of names between commas.
pub(super) fn names<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeSet<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        List(Vec<String>),
        Text(String),
    }
    let names = match Option::<Names>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Names::List(names)) => names,
        Some(Names::Text(text)) => text.split(',').map(Into::into).collect(),
    };
    let names = names.into_iter().map(|name| name.trim().to_owned());
    Ok(Some(names.filter(|name| !name.is_empty()).collect()))
}

/// Reads a boolean, or its name.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let document = Option::<Document>::deserialize(deserializer)?;
    match document.as_ref().map(|document| document.as_str().unwrap_or(document.as_json())) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(not_valid(format!("{other} is neither true nor false"))),
    }
}

fn not_valid<E: serde::de::Error>(why: impl std::fmt::Display) -> E {
    E::custom(why)
}
