//! Which items of a list to ask for.

use serde::Serialize;

/// A query for a list: a filter, and which part of the list to return.
///
/// Each list has a query of its own: [`MarketplaceQuery`](crate::MarketplaceQuery),
/// [`TradeQuery`](crate::TradeQuery), [`InboxQuery`](crate::InboxQuery), and [`PageQuery`] for
/// lists without a filter. A query is built by chaining setters or, from many optional values,
/// out of its filter:
///
/// ```
/// use machins_client::{MarketplaceFilter, MarketplaceQuery};
///
/// let query = MarketplaceQuery::new().search("nlp").limit(20);
///
/// let search: Option<String> = Some("nlp".into()); // perhaps from the command line
/// let filter = MarketplaceFilter { search, ..Default::default() };
/// assert_eq!(MarketplaceQuery::from(filter).limit(20), query);
/// ```
// Exhaustive: programs write it with `..Default::default()`, which `non_exhaustive` forbids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Query<F> {
    /// The conditions that an item must meet. The default filter finds every item.
    #[serde(flatten)]
    pub filter: F,
    /// The number of items to skip. `None` starts with the first.
    pub offset: Option<u64>,
    /// The maximum number of items on a page, from 1 to 200. `None` leaves it to the service,
    /// whose default is 50.
    pub limit: Option<u32>,
}

/// A query for a list that has no filter.
///
/// ```
/// use machins_client::PageQuery;
///
/// let query = PageQuery::new().offset(100).limit(50);
/// ```
pub type PageQuery = Query<()>;

impl<F: Default> Query<F> {
    /// Creates a query that finds every item and starts with the first.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F> From<F> for Query<F> {
    /// Creates a query with this filter that starts with the first item.
    fn from(filter: F) -> Self {
        Self { filter, offset: None, limit: None }
    }
}

impl<F> Query<F> {
    /// Sets the number of items to skip.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Sets the maximum number of items on a page, from 1 to 200.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same filter, for this part of a list.
    pub(crate) fn at(self, page: PageQuery) -> Self {
        Self { offset: page.offset, limit: page.limit, ..self }
    }

    /// The same part of a list, without the filter.
    pub(crate) fn page(&self) -> PageQuery {
        PageQuery { filter: (), offset: self.offset, limit: self.limit }
    }
}
