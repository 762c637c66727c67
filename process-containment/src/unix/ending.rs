//! When a job that is being ended gets which signal.

use std::time::{Duration, Instant};

use crate::event::Cause;

/// How often to look for processes that have appeared since TERM.
const LOOK: Duration = Duration::from_millis(20);
/// How often to repeat KILL while processes may still be starting others.
const REPEAT: Duration = Duration::from_millis(2);
/// How often to repeat KILL when it has not helped for [`PATIENCE`].
const REPEAT_SLOWLY: Duration = Duration::from_millis(500);
/// How long the system may take to end what was killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// TERM to all.
    Terminate,
    /// KILL to those that have appeared since.
    KillNewcomers,
    /// KILL to all.
    Kill,
}

/// The end of a job, from the decision until nothing is left.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) cause: Cause,
    terminated: bool,
    kill_at: Instant,
    /// When KILL was first sent to all.
    killed_at: Option<Instant>,
    next: Instant,
}

impl Ending {
    pub(super) fn new(cause: Cause, grace: Duration, now: Instant) -> Self {
        Self { cause, terminated: false, kill_at: later(now, grace), killed_at: None, next: now }
    }

    /// Shortens the grace. It is never made longer.
    pub(super) fn hurry(&mut self, grace: Duration, now: Instant) {
        self.kill_at = self.kill_at.min(later(now, grace));
        self.next = self.next.min(self.kill_at);
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        if now < self.next {
            Due::Nothing
        } else if now >= self.kill_at {
            Due::Kill
        } else if self.terminated {
            Due::KillNewcomers
        } else {
            Due::Terminate
        }
    }

    /// What was due has been done, from `begun` to `now`.
    pub(super) fn done(&mut self, due: Due, begun: Instant, now: Instant, only_refused: bool) {
        match due {
            Due::Nothing => return,
            Due::Terminate => self.terminated = true,
            Due::KillNewcomers => {}
            Due::Kill => drop(self.killed_at.get_or_insert(begun)),
        }
        self.next = if due != Due::Kill {
            // A big tree takes a while to look at, and is not to keep a core busy.
            (now + LOOK.max((now - begun) * 5)).min(self.kill_at)
        } else if only_refused || self.is_overdue(now) {
            now + REPEAT_SLOWLY
        } else {
            now + REPEAT
        };
    }

    /// Whether KILL has been sent to all.
    pub(super) fn has_killed(&self) -> bool {
        self.killed_at.is_some()
    }

    /// Whether what still runs has had KILL for so long that it can't be called about to end.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.killed_at.is_some_and(|killed_at| now - killed_at >= PATIENCE)
    }

    /// When to call [`due`](Self::due) again.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

/// A grace that is too long for the clock is a very long one.
fn later(now: Instant, grace: Duration) -> Instant {
    now.checked_add(grace).unwrap_or_else(|| now + Duration::from_hours(24 * 365))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    /// Does what is due, in no time.
    fn step(ending: &mut Ending, now: Instant) -> Due {
        let due = ending.due(now);
        ending.done(due, now, now, false);
        due
    }

    #[test]
    fn term_comes_first_then_newcomers_then_kill() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, GRACE, start);
        assert_eq!(step(&mut ending, start), Due::Terminate);
        assert_eq!(step(&mut ending, start), Due::Nothing);
        assert_eq!(step(&mut ending, start + LOOK), Due::KillNewcomers);
        assert_eq!(step(&mut ending, start + GRACE), Due::Kill);
        assert_eq!(step(&mut ending, start + GRACE), Due::Nothing);
        assert_eq!(step(&mut ending, start + GRACE + REPEAT), Due::Kill);
    }

    #[test]
    fn kill_comes_at_the_end_of_the_grace_exactly() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, GRACE, start);
        let mut now = start;
        while step(&mut ending, now) != Due::Kill {
            now = ending.next();
        }
        assert_eq!(now, start + GRACE);
    }

    #[test]
    fn no_grace_is_no_term() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, Duration::ZERO, start);
        assert_eq!(step(&mut ending, start), Due::Kill);
    }

    #[test]
    fn a_grace_can_be_shortened_but_not_lengthened() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Exited, GRACE, start);
        step(&mut ending, start);
        ending.hurry(GRACE * 2, start);
        assert_eq!(ending.due(start + GRACE), Due::Kill);
        ending.hurry(Duration::ZERO, start);
        assert_eq!(step(&mut ending, start), Due::Kill);
    }

    #[test]
    fn an_endless_grace_is_possible() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, Duration::MAX, start);
        assert_eq!(step(&mut ending, start), Due::Terminate);
    }

    #[test]
    fn what_can_not_be_ended_is_tried_again_slowly() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, Duration::ZERO, start);
        ending.done(Due::Kill, start, start, true);
        assert_eq!(ending.next(), start + REPEAT_SLOWLY);
        assert!(!ending.is_overdue(start));
        assert!(ending.is_overdue(start + PATIENCE));
    }

    #[test]
    fn a_big_tree_is_looked_at_less_often() {
        let start = Instant::now();
        let mut ending = Ending::new(Cause::Requested, GRACE, start);
        let now = start + Duration::from_millis(100);
        ending.done(Due::Terminate, start, now, false);
        assert_eq!(ending.next(), now + Duration::from_millis(500));
    }
}
