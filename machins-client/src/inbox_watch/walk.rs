//! Going through all unread notifications, of which the oldest are kept.

use std::collections::HashMap;
use std::time::SystemTime;

use super::listed::Listed;
use super::queue::{CAPACITY, Entry, Place, Queue, sort};
use crate::model::event::EventType;
use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::pager::Pager;

/// The page size: the maximum that the service allows.
const PAGE_SIZE: u32 = 200;

/// A walk through all pages of unread notifications.
pub(super) struct Walk {
    pager: Pager,
    new: Vec<Entry>,
    known: HashMap<u64, Place>,
    /// The notifications on the last page.
    last: Vec<u64>,
    last_offset: u64,
    position: u64,
    /// The time of the entry before.
    time: Option<SystemTime>,
    /// How many entries are older, and newer, than the one before.
    older: u64,
    newer: u64,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            pager: Pager::new(PageQuery::new().limit(PAGE_SIZE)),
            new: Vec::new(),
            known: HashMap::new(),
            last: Vec::new(),
            last_offset: 0,
            position: 0,
            time: None,
            older: 0,
            newer: 0,
        }
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

    /// Takes in the page that was requested.
    pub(super) fn take(
        &mut self,
        page: Page<Listed>,
        queue: &Queue,
        event_type: Option<&EventType>,
    ) {
        self.last = unread(&page, queue);
        self.last_offset = self.pager.next().and_then(|query| query.offset).unwrap_or(0);
        for listed in self.pager.take(page, Listed::identity) {
            let time = listed.time();
            if let (Some(before), Some(time)) = (self.time, time) {
                self.older += u64::from(time < before);
                self.newer += u64::from(time > before);
            }
            // An entry without a time belongs where it stands.
            self.time = time.or(self.time);
            let place = Place { time: self.time, position: self.position };
            self.position += 1;

            let key = queue.key(&listed);
            let is_wanted = !listed.is_read() && event_type.is_none_or(|kind| listed.may_be(kind));
            if !is_wanted || queue.is_settled(key) {
                continue;
            }
            if queue.is_known(key) {
                self.known.insert(key, place);
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

    /// Whether the service lists the newest notification first. It does unless it says otherwise.
    fn is_newest_first(&self) -> bool {
        self.older >= self.newer
    }

    /// Moves what was found into the queue. Returns whether anything is new.
    pub(super) fn finish(self, queue: &mut Queue, now: std::time::Instant) -> bool {
        let is_newest_first = self.is_newest_first();
        let known = |key| self.known.get(&key).copied();
        let has_new = queue.replace(self.new, known, is_newest_first);
        queue.refresh(&self.last, self.last_offset, now);
        has_new
    }
}

/// Returns the keys of the unread notifications on a page. The others keep their places.
pub(super) fn unread(page: &Page<Listed>, queue: &Queue) -> Vec<u64> {
    page.items.iter().map(|listed| if listed.is_read() { 0 } else { queue.key(listed) }).collect()
}
