//! What a reply holds beside the fields that are known.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fields of a reply that a type does not know, by name. Reads like a map.
///
/// `Debug` shows the names only: a service may put a token there.
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
