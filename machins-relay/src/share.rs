//! Decides, without I/O, how many inboxes one of several replicas reads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The number of inboxes that this replica may read at a time.
pub(crate) struct Share {
    /// One for each inbox that may be read in addition. Who waits longest is the next, so that every
    /// lease is tried for.
    free: Semaphore,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    size: usize,
    /// The number of inboxes by which more are read than may be.
    surplus: usize,
}

/// The right to read one inbox, or to try.
pub(crate) struct Permit<'a> {
    share: &'a Share,
    permit: Option<SemaphorePermit<'a>>,
}

impl Share {
    pub(crate) fn new(size: usize) -> Self {
        Self { free: Semaphore::new(size), counts: Mutex::new(Counts { size, surplus: 0 }) }
    }

    /// Changes the number of inboxes that may be read. If it becomes smaller,
    /// [`give_up`](Permit::give_up) says which are to be given up.
    pub(crate) fn resize(&self, size: usize) {
        let mut counts = self.counts();
        if size < counts.size {
            counts.surplus += counts.size - size;
            counts.surplus -= self.free.forget_permits(counts.surplus);
        } else {
            let more = size - counts.size;
            let kept = more.min(counts.surplus);
            counts.surplus -= kept;
            self.free.add_permits(more - kept);
        }
        counts.size = size;
    }

    /// Returns a permit if there is one.
    pub(crate) fn try_permit(&self) -> Option<Permit<'_>> {
        let permit = self.free.try_acquire().ok()?;
        Some(Permit { share: self, permit: Some(permit) })
    }

    /// Waits for a permit.
    pub(crate) async fn permit(&self) -> Permit<'_> {
        // It is never closed.
        Permit { share: self, permit: self.free.acquire().await.ok() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Returns whether this inbox is to be given up, because too many are read. Says so once for each
    /// of them.
    pub(crate) fn give_up(&mut self) -> bool {
        let mut counts = self.share.counts();
        let gives_up = counts.surplus > 0;
        if gives_up && let Some(permit) = self.permit.take() {
            counts.surplus -= 1;
            permit.forget();
        }
        gives_up
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // Goes back to the others, unless there are too many.
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn take_all(share: &Share) -> Vec<Permit<'_>> {
        std::iter::from_fn(|| share.try_permit()).collect()
    }

    #[test]
    fn a_smaller_share_gives_up_as_many_as_are_too_many() {
        let share = Share::new(9);
        let mut permits = take_all(&share);
        assert_eq!(permits.len(), 9);
        share.resize(3);
        permits.retain_mut(|permit| !permit.give_up());
        assert_eq!((permits.len(), take_all(&share).len()), (3, 0));
        share.resize(5);
        assert_eq!(take_all(&share).len(), 2);
    }

    #[test]
    fn free_permits_go_before_those_that_are_used() {
        let share = Share::new(9);
        let mut used = share.try_permit().unwrap();
        share.resize(1);
        assert!(!used.give_up() && share.try_permit().is_none());
        drop(used);
        assert_eq!(take_all(&share).len(), 1);
    }

    #[test]
    fn what_ends_by_itself_need_not_be_given_up() {
        let share = Share::new(3);
        let (first, mut second) = (share.try_permit().unwrap(), share.try_permit().unwrap());
        share.resize(1);
        drop(first);
        assert!(!second.give_up());
        share.resize(3);
        assert_eq!(take_all(&share).len(), 2);
    }

    #[test]
    fn a_share_that_grows_again_gives_up_fewer() {
        let share = Share::new(4);
        let mut permits = take_all(&share);
        share.resize(1);
        share.resize(3);
        permits.retain_mut(|permit| !permit.give_up());
        assert_eq!((permits.len(), take_all(&share).len()), (3, 0));
    }

    #[test]
    fn who_waits_longest_is_the_next() {
        let share = Share::new(1);
        let permit = share.try_permit().unwrap();
        let (mut one, mut two) = (Box::pin(share.permit()), Box::pin(share.permit()));
        assert!(one.as_mut().now_or_never().is_none() && two.as_mut().now_or_never().is_none());
        drop(permit);
        assert!(two.as_mut().now_or_never().is_none());
        drop(one.as_mut().now_or_never().unwrap());
        assert!(two.as_mut().now_or_never().is_some());
    }
}
