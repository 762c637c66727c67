//! Parts of long lists.

use schemars::JsonSchema;
use serde::Deserialize;

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ListOrder")]
pub(crate) enum Order {
    /// The order of creation.
    #[default]
    Oldest,
    /// The order of creation, the newest first.
    Newest,
}

/// Which part of a list is returned; all of it by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    pub(super) order: Order,
    pub(super) offset: Option<usize>,
    pub(super) limit: Option<usize>,
}

impl Part {
    /// Returns this part of a list and the number of entries in the whole list. `view` is called
    /// only for the entries of the part.
    pub(super) fn cut<E, T>(
        self,
        list: impl Iterator<Item = E>,
        view: impl FnMut(E) -> T,
    ) -> (Vec<T>, usize) {
        let mut list: Vec<E> = list.collect();
        let total = list.len();
        if self.order == Order::Newest {
            list.reverse();
        }
        let (skip, take) = (self.offset.unwrap_or(0), self.limit.unwrap_or(usize::MAX));
        (list.into_iter().skip(skip).take(take).map(view).collect(), total)
    }
}

/// Returns whether a text contains another one, ignoring the case of ASCII letters.
pub(super) fn contains(text: &str, searched: &str) -> bool {
    text.to_ascii_lowercase().contains(&searched.to_ascii_lowercase())
}
