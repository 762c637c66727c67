//! Fields of a reply that a type does not name, and JSON of any shape.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fields of a reply that its type does not name.
///
/// It dereferences to a map from field name to value.
/// `Debug` shows only the names, because a value may be a token.
///
/// ```
/// use agent_client_core::Extra;
///
/// let extra: Extra = serde_json::from_str(r#"{"token": "hush"}"#)?;
/// assert_eq!(extra["token"], "hush");
/// assert!(!format!("{extra:?}").contains("hush"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Map<String, Value>);

impl Deref for Extra {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl From<Map<String, Value>> for Extra {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl From<Extra> for Map<String, Value> {
    fn from(extra: Extra) -> Self {
        extra.0
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A JSON document of any shape. Dereferences to a [`Value`].
///
/// `Debug` shows only the names of an object's fields, because a value may be a token.
///
/// ```
/// use agent_client_core::Document;
///
/// let document = Document::from(serde_json::json!({"token": "hush"}));
/// assert_eq!(document["token"], "hush");
/// assert_eq!(format!("{document:?}"), r#"{"token"}"#);
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Value);

impl Deref for Document {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        document.0
    }
}

impl PartialEq<Value> for Document {
    fn eq(&self, value: &Value) -> bool {
        self.0 == *value
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Null => f.write_str("null"),
            Value::Object(fields) => f.debug_set().entries(fields.keys()).finish(),
            _ => f.write_str("[…]"),
        }
    }
}
