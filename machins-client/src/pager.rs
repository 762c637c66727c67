//! Decides, without I/O, which page of a list comes next and which of its items are new.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::page::Page;
use crate::model::query::PageQuery;

/// The page size, unless the query sets one.
const PAGE_SIZE: u32 = 50;
/// The number of consecutive pages without a new item that count as the end of the list.
const MAX_PAGES_WITHOUT_NEW_ITEMS: u32 = 3;
/// The number of most recent pages that are recognised when the service sends them again.
const REMEMBERED_PAGES: usize = 64;

/// Decides which page to request next, until the list ends.
pub(crate) struct Pager {
    next: Option<PageQuery>,
    /// The hashed ids of the previous page's items, so that an item that has moved from there to
    /// the present page is not given twice.
    previous: Vec<u64>,
    /// The hashes of the most recent pages, each over the ids of its items.
    pages: VecDeque<u64>,
    pages_without_new_items: u32,
}

impl Pager {
    pub(crate) fn new(first: PageQuery) -> Self {
        Self {
            next: Some(first.limit(first.limit.unwrap_or(PAGE_SIZE))),
            previous: Vec::new(),
            pages: VecDeque::new(),
            pages_without_new_items: 0,
        }
    }

    /// The page to request, or `None` at the end of the list.
    pub(crate) fn next(&self) -> Option<PageQuery> {
        self.next
    }

    /// Ends the list.
    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Returns the new items of the page that was requested, and decides whether another follows.
    pub(crate) fn take<I>(&mut self, page: Page<I>, id: fn(&I) -> &str) -> VecDeque<I> {
        let Some(query) = self.next.take() else { return VecDeque::new() };
        let next = page.next_offset(query.offset.unwrap_or(0), query.limit.unwrap_or(PAGE_SIZE));
        let hashes: Vec<u64> = page.items.iter().map(|item| hash(id(item))).collect();
        let is_repeated = self.remember(hash(&hashes));
        let new_items: VecDeque<I> = page
            .items
            .into_iter()
            .zip(&hashes)
            .filter(|(_, hash)| !is_repeated && !self.previous.contains(hash))
            .map(|(item, _)| item)
            .collect();
        self.pages_without_new_items =
            if new_items.is_empty() { self.pages_without_new_items + 1 } else { 0 };
        self.previous = hashes;

        if self.pages_without_new_items < MAX_PAGES_WITHOUT_NEW_ITEMS {
            self.next = next.map(|offset| query.offset(offset));
        }
        new_items
    }

    /// Remembers a page and returns whether it is among the most recent ones.
    fn remember(&mut self, page: u64) -> bool {
        if self.pages.contains(&page) {
            return true;
        }
        if self.pages.len() == REMEMBERED_PAGES {
            self.pages.pop_front();
        }
        self.pages.push_back(page);
        false
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use agent_client_core::Extra;
    use proptest::prelude::*;

    use super::*;

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
            items.extend(pager.take(server(query), String::as_str));
        }
        panic!("no end after 1,000 pages")
    }

    fn slice(list: &[u64], query: PageQuery) -> Vec<u64> {
        let offset = usize::try_from(query.offset.unwrap_or(0)).unwrap();
        let limit = usize::try_from(query.limit.unwrap()).unwrap();
        list.iter().copied().skip(offset).take(limit).collect()
    }

    proptest! {
        #[test]
        fn honest_pages_give_every_item_once(
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
        fn any_pages_end_and_none_is_given_twice(
            pages in proptest::collection::vec(
                (proptest::collection::vec(0_u64..20, 0..5), any::<Option<u8>>(), any::<Option<bool>>()),
                1..64,
            ),
        ) {
            // The server sends its pages in turn, again and again.
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
    fn an_empty_page_in_the_middle_is_skipped() {
        let list: Vec<u64> = (0..9).collect();
        let items = all(3, |query| match query.offset.unwrap_or(0) {
            3 => page(&[], Some(9), Some(true)),
            _ => page(&slice(&list, query), Some(9), None),
        });
        assert_eq!(items, ["0", "1", "2", "6", "7", "8"]);
    }

    #[test]
    fn smaller_pages_than_requested_are_followed_to_the_end() {
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
        pager.take(page(&[1], None, Some(true)), String::as_str);
    }

    #[test]
    fn repeated_pages_are_the_end() {
        let items = all(2, |_| page(&[1, 2], Some(1_000_000), Some(true)));
        assert_eq!(items, ["1", "2"]);
        let mut turn = 0;
        let items = all(1, |_| {
            turn += 1;
            page(&[turn % 2], None, Some(true))
        });
        assert_eq!(items, ["1", "0"], "pages that alternate");
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
