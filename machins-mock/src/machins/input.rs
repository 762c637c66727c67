//! Checks of the texts, lists and objects in requests.

use http::Uri;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::object::Object;

use super::error::{Error, Result};

pub(super) const MAX_DESCRIPTION: usize = 10_000;
pub(super) const MAX_REASON: usize = 2_000;
const MAX_NAME: usize = 255;
const MAX_URL: usize = 2_048;
/// The maximum nesting of a free object: half of what the JSON parser accepts.
pub(super) const MAX_DEPTH: usize = 64;
/// The largest free object, in bytes of JSON.
const MAX_OBJECT: usize = 64 * 1024;

/// Reads a switch in a query: `true` and `false`, and what else the service's framework takes for
/// them.
pub(super) fn flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<bool>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(Some(true)),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(Some(false)),
        _ => Err(D::Error::custom("must be true or false")),
    }
}

/// Checks a name or title: 1 to 255 characters, not all of them blank.
pub(super) fn name(field: &str, text: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&text.chars().count()) && !text.trim().is_empty() {
        Ok(())
    } else {
        Err(Error::field(field, format_args!("must have 1 to {MAX_NAME} characters")))
    }
}

/// Checks a slug: 3 to 100 lowercase letters, digits and inner hyphens.
pub(super) fn slug(field: &str, text: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let inner = !text.starts_with('-') && !text.ends_with('-');
    if (3..=100).contains(&text.len()) && text.bytes().all(allowed) && inner {
        Ok(())
    } else {
        let rule = "must be 3 to 100 lowercase letters, digits and inner hyphens";
        Err(Error::field(field, rule))
    }
}

/// Checks a longer text, if there is one.
pub(super) fn text(field: &str, text: Option<&str>, most: usize) -> Result<()> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(Error::field(field, format_args!("must have at most {most} characters")))
        }
        _ => Ok(()),
    }
}

/// Checks a list of labels, at most 50 of 1 to 100 characters, and removes duplicates.
pub(super) fn labels(field: &str, labels: Vec<String>) -> Result<Vec<String>> {
    const MOST: usize = 50;
    if labels.len() > MOST {
        return Err(Error::field(field, format_args!("must have at most {MOST} entries")));
    }
    if labels.iter().any(|label| label.trim().is_empty() || label.chars().count() > 100) {
        return Err(Error::field(field, "every entry must have 1 to 100 characters"));
    }
    let distinct: indexmap::IndexSet<String> = labels.into_iter().collect();
    Ok(distinct.into_iter().collect())
}

/// Checks that a free object, if there is one, is not nested so deeply that a stored world or a
/// reply with it in it could not be read again.
pub(super) fn shallow(field: &str, object: Option<&Object>) -> Result<()> {
    if object.is_none_or(|object| object.depth() <= MAX_DEPTH) {
        Ok(())
    } else {
        Err(Error::field(field, format_args!("must be nested at most {MAX_DEPTH} deep")))
    }
}

/// Checks that a free object, if there is one, is neither too large nor too deep.
pub(super) fn object(field: &str, object: Option<&Object>) -> Result<()> {
    shallow(field, object)?;
    if object.is_none_or(|object| object.as_str().len() <= MAX_OBJECT) {
        Ok(())
    } else {
        Err(Error::field(field, format_args!("must be at most {MAX_OBJECT} bytes of JSON")))
    }
}

/// Checks an absolute HTTP address, if there is one.
pub(super) fn url(field: &str, text: Option<&str>) -> Result<()> {
    let Some(text) = text else {
        return Ok(());
    };
    let is_http = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    };
    if text.len() <= MAX_URL && text.parse::<Uri>().is_ok_and(|uri| is_http(&uri)) {
        Ok(())
    } else {
        Err(Error::field(field, "must be an http:// or https:// URL of at most 2048 bytes"))
    }
}
