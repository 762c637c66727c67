//! How the replies of another server differ from those of this one.
//!
//! The measure is the OpenAPI document, which is made from the types of the handlers.

mod schema;

use std::sync::LazyLock;

use http::Method;
use serde_json::Value;

use self::schema::Comparison;
use crate::difference::Difference;
use crate::journal::shown_path;
use crate::site::{path_template, reply_document};

/// The document of all routes.
static DOCUMENT: LazyLock<Value> = LazyLock::new(reply_document);

/// Compares a reply of another server with what this mock server replies: whether the status and
/// each field of the JSON body are as documented for the route. The path is given without its query.
///
/// Nothing is returned for a reply that the mock server could have sent in some state of its world;
/// states are not compared, so an amount may differ and a list may be longer. Of the entries of a
/// list, the first that differs in some way stands for all that do.
///
/// ```
/// use machins_mock::{DifferenceKind, Method, compare_reply};
///
/// let reply = br#"{"status":"ok","planTier":"free","limit":"3","devicesUsed":1,"remaining":2,
///                  "handler":"usage","request_id":"7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"}"#;
/// let differences = compare_reply(&Method::GET, "/api/v1/usage", 200, reply);
/// assert_eq!(differences.len(), 1);
/// assert_eq!(differences[0].field, "limit");
/// assert_eq!(differences[0].kind, DifferenceKind::Type);
/// ```
#[must_use]
pub fn compare_reply(method: &Method, path: &str, status: u16, body: &[u8]) -> Vec<Difference> {
    if method == Method::OPTIONS {
        return Vec::new();
    }
    let is_head = method == Method::HEAD;
    let method = if is_head { &Method::GET } else { method };
    let Some(template) = path_template(method, path) else {
        return if matches!(status, 404 | 405) {
            Vec::new()
        } else {
            let expected = "404, because it has no such route";
            vec![Difference::status(&format!("{method} {}", shown_path(path)), expected, status)]
        };
    };
    let route = format!("{method} {template}");
    let operation = &DOCUMENT["paths"][template][method.as_str().to_lowercase()];
    let documented = &operation["responses"][status.to_string()];
    if documented.is_null() {
        let known: Vec<_> = operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(status, _)| status.as_str())
            .collect();
        return vec![Difference::status(&route, &one_of(&known), status)];
    }
    if is_head {
        return Vec::new();
    }
    let Ok(value) = serde_json::from_slice(body) else {
        return vec![Difference::not_json(&route, body)];
    };
    let schema = &documented["content"]["application/json"]["schema"];
    Comparison::new(&DOCUMENT, &route).compare(schema, &value)
}

fn one_of(known: &[&str]) -> String {
    match known {
        [only] => (*only).to_owned(),
        known => format!("one of {}", known.join(", ")),
    }
}
