//! Decides, without I/O, which page of a list comes next and which of its items are new.
//!
//! The service counts pages by offset, so a list that changes meanwhile moves under the walk:
//!
//! - An item that is added before the place that was reached pushes others onto the next page. They
//!   are recognised by their ids and not given again.
//! - An item that leaves pulls others onto pages that were fetched already. Each page therefore
//!   begins with the last item of the page before. If that item, or another that was given, is not
//!   where it should be, the walk goes back until it finds one, and continues from there.
//! - An item that moves towards the beginning can pass the place that was reached. If the service
//!   counts more items at the end than were given, the list is walked once more.

use std::collections::{HashSet, VecDeque};

use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::remembered_ids::RememberedIds;

/// The page size, unless the query sets one.
const PAGE_SIZE: u32 = 50;
/// The number of latest items, at least, that are not given twice.
const REMEMBERED_ITEMS: usize = 2_000_000;
/// The number of pages, besides four times those of the items given, that may bring nothing new
/// before the list counts as ended. So many new items can push the others on.
const MAX_PAGES_WITHOUT_NEW_ITEMS: u64 = 100;
/// The number of times that the same page may come again in that time.
const MAX_REPETITIONS: u32 = 3;

/// Decides which page to request next, until the list ends.
pub(crate) struct Pager {
    next: Option<PageQuery>,
    start: u64,
    given: RememberedIds,
    count: u64,
    expected: Expected,
    /// The hash of the page that was taken last, and the offset and hash of one after it that did
    /// not begin as it should.
    gap: (u64, Option<(u64, u64)>),
    /// The number of times that going back from there found the same pages again.
    gap_repetitions: u32,
    is_second_walk: bool,
    /// The hashes of the pages since the last new item.
    pages_without_new_items: HashSet<u64>,
    repeated_pages: u32,
    /// The number of items in the whole list, as the page that was taken last says.
    total: Option<u64>,
    /// Whether the walk ended where the service says that the list does.
    is_at_end: bool,
}

/// What shows that no item is between the next page and those that were taken.
#[derive(Clone, Copy)]
enum Expected {
    /// Nothing can be between them.
    Anything,
    /// It begins with an item that was given.
    Given,
    /// It begins with an item that was given and, if it brings new ones, contains this one, the
    /// last of the page before. Any other may have moved there.
    Item(u64),
}

impl Pager {
    pub(crate) fn new(first: PageQuery) -> Self {
        Self {
            next: Some(first.limit(first.limit.unwrap_or(PAGE_SIZE))),
            start: first.offset.unwrap_or(0),
            given: RememberedIds::new(REMEMBERED_ITEMS),
            count: 0,
            expected: Expected::Anything,
            gap: (0, None),
            gap_repetitions: 0,
            is_second_walk: false,
            pages_without_new_items: HashSet::new(),
            repeated_pages: 0,
            total: None,
            is_at_end: false,
        }
    }

    /// The number of items in the whole list, as the page that was taken last says.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether the list has ended, and nothing that the service says contradicts that all of it was
    /// given.
    pub(crate) fn is_complete(&self) -> bool {
        let given = self.start.saturating_add(self.count);
        self.is_at_end && self.next.is_none() && self.total.is_none_or(|total| total <= given)
    }

    /// The page to request, or `None` at the end of the list.
    pub(crate) fn next(&self) -> Option<PageQuery> {
        self.next
    }

    /// Requests so many items at most from now on.
    pub(crate) fn limit(&mut self, most: u64) {
        self.next = self.next.map(|next| {
            let limit = u64::from(next.limit.unwrap_or(PAGE_SIZE)).min(most);
            next.limit(u32::try_from(limit).unwrap_or(PAGE_SIZE))
        });
    }

    /// Whether the item with this id was given, as far as that is remembered.
    pub(crate) fn has_given(&self, id: &str) -> bool {
        self.given.contains(self.given.hash(id))
    }

    /// Ends the list.
    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Returns the new items of the page that was requested, and decides whether another follows.
    pub(crate) fn take<I>(&mut self, page: Page<I>, id: fn(&I) -> &str) -> VecDeque<I> {
        let Some(query) = self.next.take() else { return VecDeque::new() };
        let (offset, limit) = (query.offset.unwrap_or(0), query.limit.unwrap_or(PAGE_SIZE));
        let hashes: Vec<u64> = page.items.iter().map(|item| self.given.hash(id(item))).collect();
        let page_hash = self.given.hash_all(&hashes);
        if !self.is_as_expected(&hashes) {
            let gap = (self.gap.0, Some((offset, page_hash)));
            self.gap_repetitions = if gap == self.gap { self.gap_repetitions + 1 } else { 0 };
            if self.gap_repetitions < MAX_REPETITIONS {
                // Items before this page have left, and others have moved to where the walk has
                // been.
                let back = offset.saturating_sub(u64::from(limit.max(2) - 1)).max(self.start);
                self.next = Some(query.offset(back));
                self.gap = gap;
                self.expected =
                    if back > self.start { Expected::Given } else { Expected::Anything };
                return VecDeque::new();
            }
            // Nothing is between the two pages: the service counts in its own way.
        }

        let (items_on_page, total) = (page.items.len() as u64, page.total);
        self.total = total;
        let next = page.next_offset(offset, limit);
        self.is_at_end = next.is_none() && page.has_more != Some(true);
        let mut items = VecDeque::from(page.items);
        let last = hashes.last().copied();
        let mut hashes = hashes.into_iter();
        items.retain(|_| hashes.next().is_some_and(|hash| self.given.insert(hash)));
        self.count += items.len() as u64;
        let overlap = u64::from(items_on_page > 1);
        if !items.is_empty() {
            self.pages_without_new_items.clear();
            self.repeated_pages = 0;
        } else if !self.pages_without_new_items.insert(page_hash) {
            self.repeated_pages += 1;
        }
        if page_hash != self.gap.0 {
            self.gap = (page_hash, None);
        }

        let pages_without_new_items = self.pages_without_new_items.len() as u64;
        let most =
            MAX_PAGES_WITHOUT_NEW_ITEMS.saturating_add(4 * self.count / u64::from(limit.max(1)));
        if self.repeated_pages <= MAX_REPETITIONS && pages_without_new_items < most {
            self.next = next.map(|next| {
                // A page of one item cannot both overlap and bring another.
                let last = last.filter(|_| overlap > 0);
                self.expected = last.map_or(Expected::Anything, Expected::Item);
                query.offset(next - overlap).limit(limit.max(2))
            });
        }
        let end = offset.saturating_add(items_on_page);
        let counts_this_list = total == Some(end) && end - self.start.min(end) > self.count;
        if self.next.is_none() && counts_this_list && !self.is_second_walk {
            self.is_second_walk = true;
            self.pages_without_new_items.clear();
            self.repeated_pages = 0;
            self.expected = Expected::Anything;
            self.next = Some(query.offset(self.start));
        }
        items
    }

    fn is_as_expected(&self, page: &[u64]) -> bool {
        let is_given = |hash: &u64| self.given.contains(*hash);
        match self.expected {
            Expected::Anything => true,
            Expected::Given => page.first().is_some_and(is_given),
            Expected::Item(last) => {
                page.first().is_some_and(is_given)
                    && (page.contains(&last) || page.iter().all(is_given))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use agent_client_core::Extra;
    use proptest::prelude::*;
    use rstest::rstest;

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
            2 => page(&[], Some(9), Some(true)),
            _ => page(&slice(&list, query), Some(9), None),
        });
        assert_eq!(items, ["0", "1", "2", "5", "6", "7", "8"]);
    }

    #[test]
    fn smaller_pages_than_requested_are_followed_to_the_end() {
        let list: Vec<u64> = (0..250).collect();
        for says_limit in [true, false] {
            let items = all(200, |query| {
                let mut page = page(&slice(&list, query.limit(100)), None, None);
                page.limit = says_limit.then_some(100);
                page
            });
            assert_eq!(items.len(), 250);
        }
    }

    #[rstest]
    #[case::the_end_is_seen(Some(3), Some(false), true)]
    #[case::nothing_is_said(None, None, true)]
    #[case::more_are_counted(Some(9), Some(false), false)]
    #[case::more_are_announced(None, Some(true), false)]
    #[case::some_have_left(Some(2), Some(false), true)]
    fn a_list_is_complete_if_nothing_contradicts_it(
        #[case] total: Option<u64>,
        #[case] has_more: Option<bool>,
        #[case] is_complete: bool,
    ) {
        let mut pager = Pager::new(PageQuery::new());
        while let Some(query) = pager.next() {
            assert!(!pager.is_complete());
            let items = if query.offset.unwrap_or(0) == 0 { &[1, 2, 3][..] } else { &[] };
            pager.take(page(items, total, has_more), String::as_str);
        }
        assert_eq!(pager.is_complete(), is_complete);
    }

    #[test]
    fn a_service_that_repeats_its_first_page_gives_no_whole_list() {
        let mut pager = Pager::new(PageQuery::new());
        while pager.next().is_some() {
            pager.take(page(&[1, 2], None, None), String::as_str);
        }
        assert!(!pager.is_complete());
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
    fn an_item_that_is_pushed_to_the_next_page_is_given_once() {
        // After the first page, a new item comes in front and pushes one over.
        let (before, after) = ([1, 2, 3, 4], [0, 1, 2, 3, 4]);
        let mut requests = 0;
        let items = all(2, |query| {
            requests += 1;
            match requests {
                1 => page(&slice(&before, query), Some(4), None),
                _ => page(&slice(&after, query), Some(5), None),
            }
        });
        assert_eq!(items, ["1", "2", "3", "4", "0"], "the second walk finds the new one");
    }

    #[test]
    fn an_item_that_moves_to_the_beginning_is_found_at_the_end() {
        let (before, after) = ([1, 2, 3, 4, 5, 6], [6, 1, 2, 3, 4, 5]);
        let mut requests = 0;
        let items = all(2, |query| {
            requests += 1;
            page(&slice(if requests == 1 { &before } else { &after }, query), Some(6), None)
        });
        assert_eq!(items, ["1", "2", "3", "4", "5", "6"]);
    }

    #[rstest]
    #[case::totals(true)]
    #[case::no_totals(false)]
    fn a_list_whose_items_all_leave_is_given_whole(#[case] says_total: bool) {
        // Each item leaves once it is given, like a proposed trade that is accepted.
        let mut list: Vec<u64> = (0..250).collect();
        let mut pager = Pager::new(PageQuery::new());
        let (mut given, mut requests) = (Vec::new(), 0);
        while let Some(query) = pager.next() {
            let total = says_total.then_some(list.len() as u64);
            let new = pager.take(page(&slice(&list, query), total, None), String::as_str);
            list.retain(|item| !new.contains(&item.to_string()));
            given.extend(new);
            requests += 1;
        }
        assert_eq!(given, (0..250_u64).map(|item| item.to_string()).collect::<Vec<_>>());
        assert!(requests <= 12, "{requests}");
    }

    proptest! {
        #[test]
        fn what_neither_moves_nor_leaves_is_given_once(
            count in 0_u64..200, limit in 10_u32..30, says_total in any::<bool>(),
            says_more in any::<bool>(),
            changes in proptest::collection::vec(
                proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..10),
                0..40,
            ),
        ) {
            let mut list: Vec<u64> = (0..count).collect();
            let (mut left, mut added) = (Vec::new(), count);
            let mut changes = changes.into_iter();
            let items = all(limit, |query| {
                let end = query.offset.unwrap_or(0) + u64::from(query.limit.unwrap());
                let len = list.len() as u64;
                let reply = page(
                    &slice(&list, query),
                    says_total.then_some(len),
                    says_more.then_some(end < len),
                );
                for (index, is_added) in changes.next().unwrap_or_default() {
                    if is_added || list.is_empty() {
                        list.insert(0, added);
                        added += 1;
                    } else {
                        left.push(list.remove(index.index(list.len())));
                    }
                }
                reply
            });
            for item in (0..count).filter(|item| !left.contains(item)) {
                prop_assert!(items.contains(&item.to_string()), "{item} is missing");
            }
            let distinct: std::collections::HashSet<_> = items.iter().collect();
            prop_assert_eq!(distinct.len(), items.len(), "an item was given twice");
        }

        #[test]
        fn nothing_is_given_twice_while_prices_change(
            count in 1_u64..200, limit in 1_u32..30,
            moves in proptest::collection::vec(
                (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40,
            ),
        ) {
            let mut list: Vec<u64> = (0..count).collect();
            let mut moves = moves.into_iter();
            let mut moved = Vec::new();
            let items = all(limit, |query| {
                let reply = page(&slice(&list, query), Some(count), None);
                if let Some((from, to)) = moves.next() {
                    let item = list.remove(from.index(list.len()));
                    list.insert(to.index(list.len() + 1), item);
                    moved.push(item);
                }
                reply
            });
            let distinct: std::collections::HashSet<_> = items.iter().collect();
            prop_assert_eq!(distinct.len(), items.len(), "an item was given twice");
        }
    }
}
