//! One page of a list.

use agent_client_core::{Extra, null_as_default, with_extra};
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "I: Deserialize<'de>"))]
#[non_exhaustive]
pub struct Page<I> {
    /// The items on this page.
    // Without `default`: a reply that has no such field is no page, and must not look like an empty one.
    #[serde(deserialize_with = "null_as_default")]
    pub items: Vec<I>,
    /// The number of items on all pages together. `None` when the service does not say.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The number of items before this page. `None` when the service does not say.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The maximum number of items on a page. `None` when the service does not say.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether more pages follow. `None` when the service does not say.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
    /// The number of unread notifications in the inbox. `None` for every other list.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub unread_count: Option<u64>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Page<I>);

impl<I> Page<I> {
    /// The offset of the next page, if there may be one, when this page was requested at `offset` with
    /// `limit`. A page that is shorter may be the service's longest: if the service does not say how many
    /// items there are, only an empty page is the last. One that denies what the total says may be wrong.
    pub(crate) fn next_offset(&self, offset: u64, limit: u32) -> Option<u64> {
        let limit = self.limit.filter(|own| *own > 0).unwrap_or(u64::from(limit)).min(limit.into());
        let count = self.items.len() as u64;
        // An empty page amid others is skipped whole.
        let next = offset.saturating_add(if count == 0 { limit } else { count });
        let more = match (self.has_more, self.total) {
            (Some(false), Some(total)) => count > 0 && next < total,
            (_, Some(total)) => next < total,
            (Some(has_more), None) => has_more,
            (None, None) => count > 0,
        };
        more.then_some(next)
    }
}

/// The default of optional fields. `#[serde(default)]` alone would ask for `I: Default`.
fn none<T>() -> Option<T> {
    None
}
