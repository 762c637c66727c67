//! Decides, without I/O, which notification is handed over next and which are to be acknowledged.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use super::listed::Listed;
use crate::model::id::NotificationId;
use crate::remembered_ids::RememberedIds;

/// The number of notifications that are held at a time, at most.
pub(super) const CAPACITY: usize = 1_000;
/// The number of notifications that may be handled without being acknowledged yet.
const MAX_UNACKNOWLEDGED: usize = 200;
/// The number of latest notifications, at least, that are not handed over again although the
/// service goes on listing them as unread.
const REMEMBERED: usize = 100_000;
/// How long a reply shows what is unread.
const FRESH: Duration = Duration::from_secs(1);

/// The unread notifications that are known, oldest first, and those to acknowledge.
pub(super) struct Queue {
    entries: Vec<Entry>,
    /// The notifications that were handled or parked.
    settled: RememberedIds,
    /// The handled notifications that no acknowledgement under way contains.
    handled: Vec<NotificationId>,
    /// The number of notifications in acknowledgements under way.
    acknowledging: usize,
    /// The notifications that were unread a moment ago. Empty after anything was settled: time has
    /// passed then.
    fresh: HashSet<u64>,
    fresh_until: Option<Instant>,
    /// Whether the inbox is to be fetched before the next time that is due.
    is_look_asked: bool,
    wakers: Vec<Waker>,
}

pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) listed: Arc<Listed>,
    pub(super) place: Place,
    attempts: u32,
    state: State,
}

/// Where the service listed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) time: Option<SystemTime>,
    pub(super) position: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Deferred(Instant),
    HandedOver,
}

/// A notification that was handed over and is yet to be settled.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) key: u64,
    pub(super) listed: Arc<Listed>,
    /// The number of times that handling it has failed.
    pub(super) failures: u32,
}

/// What the queue needs to know before it can hand something over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: something can be handed over, or as much as allowed is handed over or not
    /// acknowledged yet.
    Nothing,
    /// Whether the notification that was listed at this position is still unread.
    Page(u64),
    /// Which notifications are unread.
    All,
}

impl Entry {
    pub(super) fn new(key: u64, listed: Listed, place: Place) -> Self {
        Self { key, listed: Arc::new(listed), place, attempts: 0, state: State::Waiting }
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            settled: RememberedIds::new(REMEMBERED),
            handled: Vec::new(),
            acknowledging: 0,
            fresh: HashSet::new(),
            fresh_until: None,
            is_look_asked: false,
            wakers: Vec::new(),
        }
    }

    pub(super) fn key(&self, listed: &Listed) -> u64 {
        self.settled.hash(listed.identity())
    }

    pub(super) fn is_settled(&self, key: u64) -> bool {
        self.settled.contains(key)
    }

    pub(super) fn is_known(&self, key: u64) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    pub(super) fn is_waiting(&self, key: u64) -> bool {
        self.entries.iter().any(|entry| entry.key == key && entry.state == State::Waiting)
    }

    /// Takes in all unread notifications: `new` ones, and the places of those that are known. Returns
    /// whether any of the new ones are held now.
    pub(super) fn replace(
        &mut self,
        new: Vec<Entry>,
        known: impl Fn(u64) -> Option<Place>,
        is_newest_first: bool,
    ) -> bool {
        // What is not listed any more has been acknowledged by somebody else.
        self.entries.retain_mut(|entry| match known(entry.key) {
            Some(place) => {
                entry.place = place;
                true
            }
            None => entry.state == State::HandedOver,
        });
        let mut added = HashSet::new();
        for entry in new {
            if !self.is_settled(entry.key) && !self.is_known(entry.key) {
                added.insert(entry.key);
                self.entries.push(entry);
            }
        }
        sort(&mut self.entries, is_newest_first);
        // Those that were deferred take no room from the others, which would wait for them.
        let mut room = CAPACITY;
        self.entries.retain(|entry| {
            let is_held = entry.state != State::Waiting || room > 0;
            room = room.saturating_sub(usize::from(entry.state == State::Waiting));
            is_held
        });
        self.entries.iter().any(|entry| added.contains(&entry.key))
    }

    /// Takes in what a page shows that was requested at `offset`.
    pub(super) fn refresh(&mut self, keys: &[u64], offset: u64, now: Instant) {
        let shown = keys.iter().zip(offset..).find_map(|(key, position)| {
            let entry = self.entries.iter().find(|entry| entry.key == *key)?;
            Some((entry.place.position, position))
        });
        if let Some((expected, actual)) = shown {
            for entry in &mut self.entries {
                let moved = entry.place.position.saturating_add(actual);
                entry.place.position = moved.saturating_sub(expected);
            }
        }
        self.fresh = keys.iter().copied().collect();
        self.fresh_until = Some(now + FRESH);
    }

    /// Returns the oldest notification that may be handed over.
    pub(super) fn hand_over(&mut self, now: Instant, concurrency: usize) -> Option<Handed> {
        // Where one comes after the other, each is acknowledged before the next.
        if !self.has_room(concurrency) || (concurrency == 1 && self.acknowledging > 0) {
            return None;
        }
        let index = self.first_fresh(now)?;
        let entry = &mut self.entries[index];
        entry.state = State::HandedOver;
        let (key, listed) = (entry.key, Arc::clone(&entry.listed));
        Some(Handed { key, listed, failures: entry.attempts })
    }

    /// Returns whether the oldest notification that may be handed over was unread a moment ago.
    pub(super) fn has_fresh(&self, now: Instant) -> bool {
        let oldest = self.first_ready(now);
        oldest.is_none_or(|index| self.fresh.contains(&self.entries[index].key))
    }

    /// Returns what to ask the service before something can be handed over.
    pub(super) fn wanted(&self, now: Instant, concurrency: usize) -> Wanted {
        if !self.has_room(concurrency) || self.first_fresh(now).is_some() {
            return Wanted::Nothing;
        }
        match self.first_ready(now) {
            Some(index) => Wanted::Page(self.entries[index].place.position),
            None => Wanted::All,
        }
    }

    /// The time at which the first deferred notification may be handed over again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries
            .iter()
            .filter_map(|entry| match entry.state {
                State::Deferred(until) => Some(until),
                State::Waiting | State::HandedOver => None,
            })
            .min()
    }

    /// Removes a notification that was handled, so that it is acknowledged.
    pub(super) fn handled(&mut self, handed: &Handed) {
        self.handled.extend(handed.listed.id());
        self.settle(handed.key);
    }

    /// Counts an acknowledgement of one notification as under way.
    pub(super) fn begin_acknowledging(&mut self) {
        self.acknowledging += 1;
    }

    /// Removes a notification that was handled or given up, without acknowledging it.
    pub(super) fn settle(&mut self, key: u64) {
        self.settled.insert(key);
        self.entries.retain(|entry| entry.key != key);
        self.changed();
    }

    /// Settles all that wait. Returns them in the order in which they would be handed over.
    #[cfg(test)]
    pub(super) fn settle_all(&mut self) -> Vec<Arc<Listed>> {
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.settle(entry.key);
        }
        entries.into_iter().map(|entry| entry.listed).collect()
    }

    /// Hands a notification over again after `until`, or at once.
    pub(super) fn put_back(&mut self, key: u64, failures: u32, until: Option<Instant>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.attempts = failures;
            entry.state = until.map_or(State::Waiting, State::Deferred);
        }
        self.changed();
    }

    /// Takes some of the notifications that are to be acknowledged.
    pub(super) fn take_handled(&mut self, limit: usize) -> Vec<NotificationId> {
        let count = limit.min(self.handled.len());
        self.acknowledging += count;
        self.handled.drain(..count).collect()
    }

    /// Ends an acknowledgement. `again` are those of its notifications that are to be acknowledged
    /// again.
    pub(super) fn acknowledged(&mut self, count: usize, again: Vec<NotificationId>) {
        self.acknowledging -= count;
        self.handled.extend(again);
        self.wake();
    }

    pub(super) fn has_handled(&self) -> bool {
        !self.handled.is_empty()
    }

    /// Has the inbox fetched as soon as nothing is held that could be handed over.
    pub(super) fn ask_look(&mut self) {
        self.is_look_asked = true;
        self.wake();
    }

    /// Returns whether the inbox is to be fetched now, and forgets it.
    pub(super) fn take_look(&mut self) -> bool {
        std::mem::take(&mut self.is_look_asked)
    }

    /// Wakes this task after the next change.
    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn changed(&mut self) {
        self.fresh.clear();
        self.wake();
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn has_room(&self, concurrency: usize) -> bool {
        let handed_over = self.entries.iter().filter(|entry| entry.state == State::HandedOver);
        handed_over.count() < concurrency
            && self.handled.len() + self.acknowledging < MAX_UNACKNOWLEDGED
    }

    /// Returns the oldest notification that may be handed over, if it was unread a moment ago.
    fn first_fresh(&self, now: Instant) -> Option<usize> {
        let index = self.first_ready(now)?;
        let is_over = self.fresh_until.is_none_or(|until| now > until);
        (!is_over && self.fresh.contains(&self.entries[index].key)).then_some(index)
    }

    /// Finds the oldest notification that may be handed over: it is due, and no older one is about
    /// the same trade.
    fn first_ready(&self, now: Instant) -> Option<usize> {
        let mut busy_trades = HashSet::new();
        self.entries.iter().position(|entry| {
            let is_due = match entry.state {
                State::Waiting => true,
                State::Deferred(until) => until <= now,
                State::HandedOver => false,
            };
            let is_first = entry.listed.trade().is_none_or(|trade| busy_trades.insert(trade));
            is_due && is_first
        })
    }
}

/// Sorts entries so that the oldest comes first. Of one moment, the service's order decides.
pub(super) fn sort(entries: &mut [Entry], is_newest_first: bool) {
    entries.sort_by(|one, other| {
        let positions = one.place.position.cmp(&other.place.position);
        let positions = if is_newest_first { positions.reverse() } else { positions };
        one.place.time.cmp(&other.place.time).then(positions)
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Takes in a list of these notifications, the oldest first. Returns whether any is new.
    fn list(queue: &mut Queue, numbers: std::ops::Range<u64>, now: Instant) -> bool {
        let mut new = Vec::new();
        let mut places = Vec::new();
        for position in numbers {
            let raw = json!({"id": position.to_string(), "event_type": "e", "payload": {}});
            let listed: Listed = serde_json::from_value(raw).unwrap();
            let (key, place) = (queue.key(&listed), Place { time: None, position });
            places.push((key, place));
            if !queue.is_known(key) {
                new.push(Entry::new(key, listed, place));
            }
        }
        let known = |key| places.iter().find(|(known, _)| *known == key).map(|(_, place)| *place);
        let has_new = queue.replace(new, known, false);
        let keys: Vec<u64> = places.iter().map(|(key, _)| *key).collect();
        queue.refresh(&keys, 0, now);
        has_new
    }

    #[test]
    fn deferred_notifications_hold_up_no_newer_one() {
        let (mut queue, now, count) = (Queue::new(), Instant::now(), CAPACITY as u64);
        assert!(list(&mut queue, 0..count, now));
        let until = now + Duration::from_secs(60 * 60);
        let handed: Vec<Handed> =
            (0..count).filter_map(|_| queue.hand_over(now, usize::MAX)).collect();
        assert_eq!(handed.len(), CAPACITY);
        for handed in handed {
            queue.put_back(handed.key, 1, Some(until));
        }
        assert!(list(&mut queue, 0..count + 1, now));
        assert!(queue.hand_over(now, 1).is_some(), "the newest one");
    }

    #[test]
    fn what_is_not_held_is_nothing_new() {
        let (mut queue, now, count) = (Queue::new(), Instant::now(), CAPACITY as u64);
        assert!(list(&mut queue, 0..count, now));
        assert!(!list(&mut queue, 0..count + 1, now), "or the walk would begin again at once");
    }
}
