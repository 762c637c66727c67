//! The keys of orgs.

use std::fmt;

use indexmap::Equivalent;
use serde::{Deserialize, Serialize};

/// An org's secret, `org_…`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct OrgKey(pub(super) String);

/// Returns whether a text is `org_` and something after it.
pub(super) fn is_org_key(text: &str) -> bool {
    text.strip_prefix("org_").is_some_and(|rest| !rest.is_empty())
}

impl OrgKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrgKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_org_key(&text) { Ok(Self(text)) } else { Err("an org key begins with org_") }
    }
}

impl From<OrgKey> for String {
    fn from(key: OrgKey) -> Self {
        key.0
    }
}

impl Equivalent<OrgKey> for str {
    fn equivalent(&self, key: &OrgKey) -> bool {
        self == key.0
    }
}

impl fmt::Debug for OrgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("org_…")
    }
}
