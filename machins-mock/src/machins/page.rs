//! Pages of long lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// The requested part of a list.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct Window {
    /// The number of entries to skip; 0 by default.
    offset: Option<u64>,
    /// The maximum number of entries to return, from 1 to 200; 50 by default.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u64>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Page_{T}")]
pub(crate) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The number of entries in the whole list.
    pub(super) total: usize,
    pub(super) offset: u64,
    pub(super) limit: u64,
    /// Whether more entries follow this page.
    pub(super) has_more: bool,
}

/// A window with valid numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

impl Window {
    pub(crate) fn span(self) -> Result<Span> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            Ok(Span { offset: self.offset.unwrap_or(0), limit })
        } else {
            Err(Error::field("limit", format_args!("must be from 1 to {MAX_LIMIT}")))
        }
    }
}

impl Span {
    pub(crate) fn skip(self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }

    pub(crate) fn take(self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    /// Returns the number of entries up to the end of this part.
    pub(crate) fn end(self) -> usize {
        self.skip().saturating_add(self.take())
    }

    /// Returns whether entries follow this part of a list with this many entries.
    pub(crate) fn has_more(self, total: usize) -> bool {
        self.end() < total
    }

    /// Returns this part of a list. `view` is called only for the entries of the page.
    pub(crate) fn page<E, T>(
        self,
        list: impl ExactSizeIterator<Item = E>,
        view: impl FnMut(E) -> T,
    ) -> Page<T> {
        let total = list.len();
        self.of(list.skip(self.skip()).take(self.take()).map(view).collect(), total)
    }

    /// Returns this part of a list that must be gone through to count its entries. `view` is called
    /// only for the entries of the page.
    pub(crate) fn counted_page<E, T>(
        self,
        list: impl Iterator<Item = E>,
        mut view: impl FnMut(E) -> T,
    ) -> Page<T> {
        let (skip, take) = (self.skip(), self.take());
        let mut items = Vec::new();
        let mut total = 0;
        for entry in list {
            if total >= skip && items.len() < take {
                items.push(view(entry));
            }
            total += 1;
        }
        self.of(items, total)
    }

    /// Returns the page with these entries of a list with this many entries.
    fn of<T>(self, items: Vec<T>, total: usize) -> Page<T> {
        let Self { offset, limit } = self;
        Page { items, total, offset, limit, has_more: self.has_more(total) }
    }
}

impl<T> Page<Option<T>> {
    /// Returns the page without the entries that are `None`.
    pub(crate) fn flatten(self) -> Page<T> {
        let Self { items, total, offset, limit, has_more } = self;
        Page { items: items.into_iter().flatten().collect(), total, offset, limit, has_more }
    }
}
