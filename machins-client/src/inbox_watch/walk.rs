//! Going through unread notifications to the end of the list, where the oldest are.

use std::collections::HashMap;
use std::time::SystemTime;

use super::end_search::EndSearch;
use super::listed::Listed;
use super::queue::{CAPACITY, Entry, Place, Queue, sort};
use crate::model::event::EventType;
use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::pager::Pager;

/// The page size: the maximum that the service allows.
const PAGE_SIZE: u32 = 200;
/// The number of entries at the end of the list that a walk goes through at first, in six pages that
/// overlap by one: as many as are held, and some that are being acknowledged.
const SPAN: u64 = 6 * (PAGE_SIZE as u64 - 1) + 1;

/// A walk through unread notifications to the end of the list.
///
/// If the newest come first, and the first page says how many there are, the walk continues shortly
/// before the end. If what it finds there does not fit, it goes through the whole list.
pub(super) struct Walk {
    pager: Pager,
    search: Search,
    found: Found,
}

/// How it is decided where the walk begins.
enum Search {
    /// The first page of the list decides.
    Open,
    /// The walk begins shortly before the end.
    End(EndSearch),
    /// The walk goes through the whole list.
    Whole,
}

/// What a walk has found since its start.
struct Found {
    start: u64,
    /// The time of the last entry on the first page of the list, if the walk begins later.
    newer_time: Option<SystemTime>,
    pages: u64,
    new: Vec<Entry>,
    known: HashMap<u64, Place>,
    /// The number of known notifications that wait to be handed over.
    waiting: usize,
    /// The notifications on the last page.
    last: Vec<u64>,
    last_offset: u64,
    position: u64,
    /// The time of the entry before.
    time: Option<SystemTime>,
    /// How many entries are older, and newer, than the one before.
    older: u64,
    newer: u64,
    /// Whether entries may be missing between two pages.
    has_gap: bool,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self::from(0, Search::Open, None)
    }

    fn from(start: u64, search: Search, newer_time: Option<SystemTime>) -> Self {
        let page = PageQuery::new().limit(PAGE_SIZE);
        let pager = Pager::new(if start == 0 { page } else { page.offset(start) });
        Self { pager, search, found: Found::new(start, newer_time) }
    }

    /// The page to request, or `None` after the last one.
    pub(super) fn next(&self) -> Option<PageQuery> {
        self.pager.next()
    }

    /// The page to request, with so many entries at most, or `None` after the last one.
    pub(super) fn next_of_size(&mut self, most: u64) -> Option<PageQuery> {
        self.pager.limit(most);
        self.pager.next()
    }

    /// Begins again with the whole list. Returns whether the walk was to begin elsewhere.
    pub(super) fn restart_whole(&mut self) -> bool {
        let is_elsewhere = matches!(self.search, Search::End(_));
        if is_elsewhere {
            *self = Self::from(0, Search::Whole, None);
        }
        is_elsewhere
    }

    /// Takes in the page that was requested.
    pub(super) fn take(
        &mut self,
        page: Page<Listed>,
        queue: &Queue,
        event_type: Option<&EventType>,
    ) {
        // Both may count other notifications, too.
        let count = page.unread_count.into_iter().chain(page.total).min();
        let has_entries = !page.items.is_empty();
        self.found.take(page, &mut self.pager, queue, event_type);
        match self.next_start(count, has_entries) {
            None => {}
            Some(0) => *self = Self::from(0, Search::Whole, None),
            Some(start) => {
                let search = std::mem::replace(&mut self.search, Search::Whole);
                *self = Self::from(start, search, self.found.newer_time);
            }
        }
    }

    /// Returns where to begin anew, or `None` if the walk goes on or is over.
    fn next_start(&mut self, count: Option<u64>, has_entries: bool) -> Option<u64> {
        let (found, is_over) = (&mut self.found, self.pager.next().is_none());
        match &mut self.search {
            Search::Whole => None,
            Search::Open => {
                self.search = Search::Whole;
                let search = EndSearch::new(count?, SPAN);
                let start = search.first();
                if is_over || found.newer > 0 || start <= found.position {
                    return None;
                }
                found.newer_time = found.time;
                self.search = Search::End(search);
                Some(start)
            }
            Search::End(search) => {
                let next =
                    if found.pages == 1 { search.take(found.start, has_entries) } else { None };
                match next {
                    None if !is_over => None,
                    None if found.has_gap || found.newer > 0 => Some(0),
                    None if !found.is_enough() => Some(search.widen(found.position)),
                    next => next,
                }
            }
        }
    }

    /// Moves what was found into the queue. Returns whether anything is new.
    pub(super) fn finish(self, queue: &mut Queue, now: std::time::Instant) -> bool {
        let found = self.found;
        let is_newest_first = found.is_newest_first();
        let known = |key| found.known.get(&key).copied();
        let has_new = queue.replace(found.new, known, is_newest_first);
        queue.refresh(&found.last, found.last_offset, now);
        has_new
    }
}

impl Found {
    fn new(start: u64, newer_time: Option<SystemTime>) -> Self {
        Self {
            start,
            newer_time,
            pages: 0,
            new: Vec::new(),
            known: HashMap::new(),
            waiting: 0,
            last: Vec::new(),
            last_offset: 0,
            position: start,
            time: None,
            older: 0,
            newer: 0,
            has_gap: false,
        }
    }

    fn take(
        &mut self,
        page: Page<Listed>,
        pager: &mut Pager,
        queue: &Queue,
        event_type: Option<&EventType>,
    ) {
        let offset = pager.next().and_then(|query| query.offset).unwrap_or(0);
        (self.last, self.last_offset) = (unread(&page, queue), offset);
        if offset == self.start {
            self.time = self.newer_time;
        }
        let is_new = |listed: &&Listed| !pager.has_given(listed.identity());
        let arrivals = page.items.iter().take_while(is_new).count() as u64;
        let has_known = arrivals < page.items.len() as u64;
        let items = pager.take(page, Listed::identity);
        // Of a list that has moved, the oldest may be in front of the start now.
        let is_apart = self.pages > 0 && !has_known;
        self.has_gap |= is_apart && (!items.is_empty() || offset == self.start);
        self.pages += 1;
        // These came in front of those that were found before.
        let mut in_front = if has_known && !items.is_empty() { arrivals } else { 0 };
        self.move_by(in_front);
        let mut position = offset;
        // What came in front does not follow the entry before.
        let mut follows = in_front == 0;
        for listed in items {
            if in_front == 0 {
                position = self.position;
            }
            let time = listed.time();
            if let (true, Some(before), Some(time)) = (follows, self.time, time) {
                self.older += u64::from(time < before);
                self.newer += u64::from(time > before);
            }
            follows = true;
            // An entry without a time belongs where it stands.
            self.time = time.or(self.time);
            let place = Place { time: self.time, position };
            position += 1;
            self.position = self.position.max(position);
            in_front = in_front.saturating_sub(1);

            let key = queue.key(&listed);
            let is_wanted = !listed.is_read() && event_type.is_none_or(|kind| listed.may_be(kind));
            if !is_wanted || queue.is_settled(key) {
                continue;
            }
            if queue.is_known(key) {
                self.known.insert(key, place);
                self.waiting += usize::from(queue.is_waiting(key));
            } else {
                self.new.push(Entry::new(key, listed, place));
            }
        }
        if self.new.len() > CAPACITY {
            let is_newest_first = self.is_newest_first();
            sort(&mut self.new, is_newest_first);
            self.new.truncate(CAPACITY);
        }
    }

    fn move_by(&mut self, entries: u64) {
        self.position += entries;
        let new = self.new.iter_mut().map(|entry| &mut entry.place);
        new.chain(self.known.values_mut()).for_each(|place| place.position += entries);
    }

    /// Whether the service lists the newest notification first. It does unless it says otherwise.
    fn is_newest_first(&self) -> bool {
        self.older >= self.newer
    }

    /// Whether the walk need not go through more of the list, most of which is parked or deferred
    /// otherwise.
    fn is_enough(&self) -> bool {
        self.new.len() >= CAPACITY / 2 || self.new.len() + self.waiting >= CAPACITY
    }
}

/// Returns the keys of the unread notifications on a page. The others keep their places.
pub(super) fn unread(page: &Page<Listed>, queue: &Queue) -> Vec<u64> {
    page.items.iter().map(|listed| if listed.is_read() { 0 } else { queue.key(listed) }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Instant;

    use agent_client_core::Extra;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// What the service says of a list: `unread_count` and `total`.
    type Counts = (Option<u64>, Option<u64>);

    /// A service that lists the unread notifications it has, whose numbers are in the order of their
    /// arrival.
    struct Service {
        unread: Vec<u64>,
        arrived: u64,
        order: fn(&[u64]) -> Vec<u64>,
        counts: Box<dyn Fn(u64) -> Counts>,
        says_more: bool,
        /// The seconds in which all notifications have the same time.
        seconds: u64,
        requests: u64,
    }

    impl Service {
        fn new(count: u64) -> Self {
            Self {
                unread: (0..count).collect(),
                arrived: count,
                order: newest_first,
                counts: Box::new(|count| (Some(count), Some(count))),
                says_more: true,
                seconds: 7,
                requests: 0,
            }
        }

        fn page(&mut self, query: PageQuery) -> Page<Listed> {
            self.requests += 1;
            let list = (self.order)(&self.unread);
            let (offset, limit) = (query.offset.unwrap_or(0), query.limit.unwrap());
            let items: Vec<Listed> = list
                .iter()
                .skip(usize::try_from(offset).unwrap_or(usize::MAX))
                .take(limit as usize)
                .map(|number| listed(*number, self.seconds))
                .collect();
            let (count, end) = (list.len() as u64, offset.saturating_add(items.len() as u64));
            let (unread_count, total) = (self.counts)(count);
            Page {
                items,
                total,
                offset: None,
                limit: None,
                has_more: self.says_more.then_some(end < count),
                unread_count,
                extra: Extra::default(),
            }
        }

        fn change(&mut self, change: &Change) {
            match change {
                Change::Arrivals(count) => {
                    // More than a page at once, of the same time, could hide what they follow.
                    let count = if self.seconds > 1 { count / 60 } else { *count };
                    self.unread.extend(self.arrived..self.arrived + count);
                    self.arrived += count;
                }
                Change::Read(index, count) if !self.unread.is_empty() => {
                    let first = index.index(self.unread.len());
                    let end = self.unread.len().min(first + count);
                    self.unread.drain(first..end);
                }
                Change::Read(..) | Change::None => {}
            }
        }

        /// Goes through the list once. Returns what is held then, in the order in which it is handed
        /// over.
        fn walk(&mut self, queue: &mut Queue, mut change: impl FnMut(&mut Self)) -> Vec<u64> {
            let mut walk = Walk::new();
            while let Some(query) = walk.next_of_size(200) {
                let page = self.page(query);
                change(self);
                walk.take(page, queue, None);
            }
            walk.finish(queue, Instant::now());
            let held = queue.settle_all();
            held.iter().map(|listed| listed.identity()[1..].parse().unwrap()).collect()
        }
    }

    /// What others do while the list is walked.
    #[derive(Debug, Clone)]
    enum Change {
        None,
        Arrivals(u64),
        Read(Index, usize),
    }

    /// At most half a page of notifications comes or goes between two requests.
    fn small_change() -> impl Strategy<Value = Change> {
        prop_oneof![
            4 => Just(Change::None),
            2 => (1_u64..100).prop_map(Change::Arrivals),
            3 => (any::<Index>(), 1_usize..50).prop_map(|(index, count)| Change::Read(index, count)),
        ]
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            6 => small_change(),
            2 => (100_u64..300).prop_map(Change::Arrivals),
            1 => (any::<Index>(), 50_usize..5_000).prop_map(|(index, count)| Change::Read(index, count)),
        ]
    }

    /// A notification of each number, several of which come in the same `seconds`.
    fn listed(number: u64, seconds: u64) -> Listed {
        let time = number / seconds * seconds;
        let (hour, minute, second) = (time / 3_600 % 24, time / 60 % 60, time % 60);
        serde_json::from_value(json!({
            "id": format!("n{number}"), "event_type": "e", "payload": {},
            "created_at": format!("2026-03-01T{hour:02}:{minute:02}:{second:02}Z"),
        }))
        .unwrap()
    }

    fn newest_first(unread: &[u64]) -> Vec<u64> {
        unread.iter().rev().copied().collect()
    }

    #[test]
    fn a_backlog_takes_seven_pages_a_thousand() {
        let (mut service, mut queue) = (Service::new(20_000), Queue::new());
        let mut given = Vec::new();
        while !service.unread.is_empty() {
            let handed = service.walk(&mut queue, |_| {});
            service.unread.retain(|number| !handed.contains(number));
            given.extend(handed);
        }
        assert!(given.into_iter().eq(0..20_000));
        assert!(service.requests <= 7 * 20, "{} requests", service.requests);
    }

    #[rstest]
    #[case::those_that_are_read_too(|count| (Some(count), Some(count + 100_000)), 15)]
    #[case::those_of_other_types_too(|count| (Some(10 * count), Some(20 * count)), 25)]
    #[case::far_too_many(|_| (Some(1_000_000_000), Some(1_000_000_000)), 45)]
    #[case::beyond_measure(|_| (Some(u64::MAX), Some(u64::MAX)), 80)]
    #[case::too_few_unread(|count| (Some(1_400), Some(count)), 35)]
    #[case::none_unread(|count| (Some(0), Some(count)), 35)]
    #[case::nothing_is_counted(|_| (None, None), 30)]
    #[case::no_total(|count| (Some(count), None), 9)]
    #[case::no_unread_count(|count| (None, Some(count)), 7)]
    fn whatever_is_counted_the_oldest_are_found(
        #[case] counts: fn(u64) -> Counts,
        #[case] most_requests: u64,
        #[values(true, false)] says_more: bool,
    ) {
        let mut service = Service { counts: Box::new(counts), says_more, ..Service::new(5_000) };
        let handed = service.walk(&mut Queue::new(), |_| {});
        assert!(handed.len() >= 500 && handed.iter().copied().eq(0..handed.len() as u64));
        assert!(service.requests <= most_requests, "{} requests", service.requests);
    }

    #[rstest]
    #[case::oldest_first(|unread: &[u64]| unread.to_vec(), 16)]
    #[case::ends_swapped(|unread: &[u64]| {
        let mut list = newest_first(unread);
        let middle = list.len() / 2;
        list.rotate_left(middle);
        list
    }, 24)]
    #[case::last_page_turned(|unread: &[u64]| {
        let mut list = newest_first(unread);
        let last = list.len() - 100;
        list[last..].reverse();
        list
    }, 24)]
    fn a_list_in_another_order_is_walked_whole(
        #[case] order: fn(&[u64]) -> Vec<u64>,
        #[case] most_requests: u64,
    ) {
        let mut service = Service { order, ..Service::new(3_000) };
        let mut handed = service.walk(&mut Queue::new(), |_| {});
        handed.sort_unstable();
        assert!(handed.into_iter().eq(0..1_000));
        assert!((16..=most_requests).contains(&service.requests), "{} requests", service.requests);
    }

    #[test]
    fn arrivals_meanwhile_are_newer_even_at_the_same_time() {
        let mut service = Service { seconds: 100_000, ..Service::new(300) };
        let mut change = Some(Change::Arrivals(300));
        let handed = service.walk(&mut Queue::new(), |service| {
            service.change(&change.take().unwrap_or(Change::None));
        });
        assert!(handed.into_iter().eq(0..305));
    }

    #[test]
    fn a_few_that_others_read_cost_a_few_pages() {
        let mut service = Service::new(20_000);
        let handed = service.walk(&mut Queue::new(), |service| {
            if service.requests % 3 == 0 {
                service.unread.truncate(service.unread.len() - 20);
            }
        });
        assert!(handed.into_iter().eq(0..1_000));
        assert!(service.requests <= 15, "{} requests", service.requests);
    }

    #[test]
    fn what_is_parked_at_the_end_hides_nothing() {
        let (mut service, mut queue) = (Service::new(9_000), Queue::new());
        let mut given = 0;
        while given < 9_000 {
            // None of them is acknowledged.
            let handed = service.walk(&mut queue, |_| {});
            let (first, count) = (given, handed.len() as u64);
            assert!(count > 0 && handed.into_iter().eq(first..first + count), "{first}");
            given += count;
        }
        assert!(service.walk(&mut queue, |_| {}).is_empty());
    }

    /// Walks until everything is handed over, and calls `check` with what a walk has brought.
    fn walk_all(
        service: &mut Service,
        changes: Vec<Change>,
        mut check: impl FnMut(&[u64], &Service) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let (mut queue, mut changes) = (Queue::new(), changes.into_iter());
        let mut given: HashSet<u64> = HashSet::new();
        while !service.unread.is_empty() {
            let is_changing = changes.len() > 0;
            let mut handed = service.walk(&mut queue, |service| {
                service.change(&changes.next().unwrap_or(Change::None));
            });
            // What others have read meanwhile is left out before it is handed over.
            let unread: HashSet<u64> = service.unread.iter().copied().collect();
            handed.retain(|number| unread.contains(number));
            prop_assert!(!handed.is_empty() || is_changing || unread.is_empty(), "no end");
            check(&handed, service)?;
            service.unread.retain(|number| !handed.contains(number));
            let before = given.len();
            given.extend(&handed);
            prop_assert_eq!(given.len(), before + handed.len(), "one was handed over twice");
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_oldest_come_first_while_the_list_changes(
            count in 1_000_u64..5_000,
            counts_more in prop_oneof![Just(0_u64), 0_u64..100_000],
            says_more in any::<bool>(),
            seconds in 1_u64..3,
            changes in vec(small_change(), 0..60),
        ) {
            let mut service = Service::new(count);
            service.counts = Box::new(move |count| (Some(count + counts_more), None));
            (service.says_more, service.seconds) = (says_more, seconds);
            walk_all(&mut service, changes, |handed, service| {
                // The unread ones are sorted, so these are the oldest.
                prop_assert!(service.unread.starts_with(handed), "one is missing, or comes too late");
                Ok(())
            })?;
        }

        #[test]
        fn nothing_is_lost_however_the_list_changes(
            count in 1_000_u64..5_000,
            counts_more in prop_oneof![Just(0_u64), 0_u64..100_000],
            says_more in any::<bool>(),
            changes in vec(change(), 0..60),
        ) {
            let mut service = Service::new(count);
            service.counts = Box::new(move |count| (Some(count + counts_more), None));
            service.says_more = says_more;
            // Each walk brings some until none is left.
            walk_all(&mut service, changes, |_, _| Ok(()))?;
        }
    }
}
