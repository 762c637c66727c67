//! Pages, and going through all of them.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use agent_client_core::{Async, Call, Error, Extra, Pending, Transport};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::Api;

/// How many items a page has that is fetched by a pager, unless the query says otherwise.
const PAGE_SIZE: u32 = 50;
/// How many pages in a row may bring nothing new before a pager takes it for the end.
const PAGES_WITHOUT_NEWS: u32 = 3;
/// How many pages back a pager recognises one that it has seen.
const REMEMBERED_PAGES: usize = 64;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page<I> {
    /// The items.
    pub items: Vec<I>,
    /// How many there are in all, when the service says so.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many came before these.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many a page has at most.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether more follow, when the service says so.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
    /// How many notifications are unread; only in the inbox.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub unread_count: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<I> Page<I> {
    /// Where the next page begins, if there is one, when this one was asked for at `offset` with
    /// `limit`. A service may give fewer than that a page, and say so.
    pub(crate) fn next_offset(&self, offset: u64, limit: u32) -> Option<u64> {
        let limit = self.limit.filter(|own| *own > 0).unwrap_or(u64::from(limit)).min(limit.into());
        let count = self.items.len() as u64;
        // An empty page amid others is passed over whole.
        let next = offset.saturating_add(if count == 0 { limit } else { count });
        let more = match (self.has_more, self.total) {
            (has_more, Some(total)) => has_more != Some(false) && next < total,
            (Some(has_more), None) => has_more,
            (None, None) => count >= limit,
        };
        more.then_some(next)
    }
}

fn none<T>() -> Option<T> {
    None
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct PageQuery {
    pub(crate) offset: Option<u64>,
    pub(crate) limit: Option<u32>,
}

impl PageQuery {
    /// The beginning of the list, in pages of the service's choice.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items to pass over.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// How many items a page has at most; the service takes 1 to 200.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn apply<R>(self, mut call: Call<R>) -> Call<R> {
        if let Some(offset) = self.offset {
            call = call.query("offset", offset);
        }
        if let Some(limit) = self.limit {
            call = call.query("limit", limit);
        }
        call
    }
}

/// An item that a pager can recognise when it comes again.
pub(crate) trait Identified {
    fn identity(&self) -> &str;
}

/// The pure part of going through all pages: which comes next, and what in it is new.
struct Pager {
    next: Option<PageQuery>,
    /// What the page before held, so that an item that has moved onto the next page is not
    /// given twice.
    last: Vec<u64>,
    fingerprints: VecDeque<u64>,
    without_news: u32,
}

impl Pager {
    fn new(first: PageQuery) -> Self {
        Self {
            next: Some(first.limit(first.limit.unwrap_or(PAGE_SIZE))),
            last: Vec::new(),
            fingerprints: VecDeque::new(),
            without_news: 0,
        }
    }

    /// Takes a page in: gives what is new in it, and decides whether another follows.
    fn take<I: Identified>(&mut self, page: Page<I>) -> VecDeque<I> {
        let Some(query) = self.next.take() else { return VecDeque::new() };
        let next = page.next_offset(query.offset.unwrap_or(0), query.limit.unwrap_or(PAGE_SIZE));
        let hashes: Vec<u64> = page.items.iter().map(|item| hash(item.identity())).collect();
        let seen_before = self.remember(hash(&hashes));
        let news: VecDeque<I> = page
            .items
            .into_iter()
            .zip(&hashes)
            .filter(|(_, hash)| !seen_before && !self.last.contains(hash))
            .map(|(item, _)| item)
            .collect();
        self.without_news = if news.is_empty() { self.without_news + 1 } else { 0 };
        self.last = hashes;

        if self.without_news < PAGES_WITHOUT_NEWS {
            self.next = next.map(|offset| query.offset(offset));
        }
        news
    }

    /// Notes a page and says whether it was seen before.
    fn remember(&mut self, fingerprint: u64) -> bool {
        if self.fingerprints.contains(&fingerprint) {
            return true;
        }
        if self.fingerprints.len() == REMEMBERED_PAGES {
            self.fingerprints.pop_front();
        }
        self.fingerprints.push_back(fingerprint);
        false
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Every item of a list, page after page, each fetched when it is needed: a
/// [`Stream`] of an asynchronous client, an [`Iterator`] of a blocking one.
///
/// It ends at the list's end, at the first error (after giving it), and when a server gives pages
/// again that it gave among the last 64. It holds one page at a time. An item that moves while it
/// is under way is given once or, if it moves from a page not yet fetched to one that was, not at
/// all.
#[must_use = "nothing is fetched before the items are asked for"]
pub struct Items<T: Transport, I: Send + 'static> {
    api: Api<T>,
    call: Box<dyn Fn(PageQuery) -> Call<Page<I>> + Send>,
    pager: Pager,
    buffer: VecDeque<I>,
    pending: Option<Pending<Page<I>>>,
}

impl<T: Transport, I: Send + 'static> Items<T, I> {
    pub(crate) fn new(
        api: &Api<T>,
        first: PageQuery,
        call: impl Fn(PageQuery) -> Call<Page<I>> + Send + 'static,
    ) -> Self {
        Self {
            api: api.clone(),
            call: Box::new(call),
            pager: Pager::new(first),
            buffer: VecDeque::new(),
            pending: None,
        }
    }
}

impl<I: Identified + DeserializeOwned + Unpin + Send + 'static> Stream for Items<Async, I> {
    type Item = Result<I, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(item) = this.buffer.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            let pending = match (&mut this.pending, this.pager.next) {
                (Some(pending), _) => pending,
                (None, None) => return Poll::Ready(None),
                (None, Some(query)) => this.pending.insert(this.api.send((this.call)(query))),
            };
            let page = ready!(Pin::new(pending).poll(context));
            this.pending = None;
            match page {
                Ok(page) => this.buffer = this.pager.take(page),
                Err(error) => {
                    this.pager.next = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

#[cfg(feature = "blocking")]
impl<I: Identified + DeserializeOwned + Send + 'static> Iterator
    for Items<agent_client_core::Blocking, I>
{
    type Item = Result<I, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.buffer.pop_front() {
                return Some(Ok(item));
            }
            match self.api.send((self.call)(self.pager.next?)) {
                Ok(page) => self.buffer = self.pager.take(page),
                Err(error) => {
                    self.pager.next = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<T: Transport, I: Send + 'static> fmt::Debug for Items<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("next", &self.pager.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Identified for String {
        fn identity(&self) -> &str {
            self
        }
    }

    fn page(items: &[u64], total: Option<u64>, has_more: Option<bool>) -> Page<String> {
        Page {
            items: items.iter().map(ToString::to_string).collect(),
            total,
            offset: None,
            limit: None,
            has_more,
            unread_count: None,
            extra: Extra::default(),
        }
    }

    /// Goes through a server's pages; the number of pages is bounded by the test.
    fn all(limit: u32, mut server: impl FnMut(PageQuery) -> Page<String>) -> Vec<String> {
        let mut pager = Pager::new(PageQuery::new().limit(limit));
        let mut items = Vec::new();
        for _ in 0..1_000 {
            let Some(query) = pager.next else { return items };
            items.extend(pager.take(server(query)));
        }
        panic!("no end after a thousand pages")
    }

    fn slice(list: &[u64], query: PageQuery) -> Vec<u64> {
        let offset = usize::try_from(query.offset.unwrap_or(0)).unwrap();
        let limit = usize::try_from(query.limit.unwrap()).unwrap();
        list.iter().copied().skip(offset).take(limit).collect()
    }

    proptest! {
        #[test]
        fn an_honest_server_gives_everything_once(
            count in 0_u64..300, limit in 1_u32..60, says_more in any::<bool>(),
            says_total in any::<bool>(),
        ) {
            let list: Vec<u64> = (0..count).collect();
            let items = all(limit, |query| {
                let items = slice(&list, query);
                let end = query.offset.unwrap_or(0) + items.len() as u64;
                page(
                    &items,
                    says_total.then_some(count),
                    says_more.then_some(end < count),
                )
            });
            prop_assert_eq!(items.len() as u64, count);
        }

        #[test]
        fn it_ends_and_gives_no_page_twice_whatever_the_server_does(
            pages in proptest::collection::vec(
                (proptest::collection::vec(0_u64..20, 0..5), any::<Option<u8>>(), any::<Option<bool>>()),
                1..64,
            ),
        ) {
            // The server plays its pages round and round.
            let mut turn = 0;
            let given = all(3, |_| {
                let (items, total, more) = &pages[turn % pages.len()];
                turn += 1;
                page(items, total.map(u64::from), *more)
            });
            let most: usize = pages.iter().map(|(items, ..)| items.len()).sum();
            prop_assert!(given.len() <= most);
        }
    }

    #[test]
    fn an_empty_page_in_the_middle_is_passed_over() {
        let list: Vec<u64> = (0..9).collect();
        let items = all(3, |query| match query.offset.unwrap_or(0) {
            3 => page(&[], Some(9), Some(true)),
            _ => page(&slice(&list, query), Some(9), None),
        });
        assert_eq!(items, ["0", "1", "2", "6", "7", "8"]);
    }

    #[test]
    fn a_service_that_gives_fewer_a_page_than_asked_for_is_followed_to_the_end() {
        let list: Vec<u64> = (0..250).collect();
        let items = all(200, |query| {
            let mut page = page(&slice(&list, query.limit(100)), None, None);
            page.limit = Some(100);
            page
        });
        assert_eq!(items.len(), 250);
    }

    #[test]
    fn no_offset_overflows() {
        let mut pager = Pager::new(PageQuery::new().offset(u64::MAX));
        pager.take(page(&[1], None, Some(true)));
    }

    #[test]
    fn a_server_that_repeats_a_page_is_left() {
        let items = all(2, |_| page(&[1, 2], Some(1_000_000), Some(true)));
        assert_eq!(items, ["1", "2"]);
        let mut turn = 0;
        let items = all(1, |_| {
            turn += 1;
            page(&[turn % 2], None, Some(true))
        });
        assert_eq!(items, ["1", "0"], "nor by turns");
    }

    #[test]
    fn an_item_that_moves_to_the_next_page_is_given_once() {
        // After the first page, a new item comes in front and pushes one over.
        let (before, after) = ([1, 2, 3, 4], [0, 1, 2, 3, 4]);
        let items = all(2, |query| match query.offset.unwrap_or(0) {
            0 => page(&slice(&before, query), Some(4), None),
            _ => page(&slice(&after, query), Some(5), None),
        });
        assert_eq!(items, ["1", "2", "3", "4"]);
    }
}
