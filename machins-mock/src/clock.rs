//! Virtual time: the real time and an offset, or a time that stands still.

use std::time::{Duration, SystemTime};

use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The furthest that the virtual time may be from the real time: a hundred years.
pub const MAX_ADVANCE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A clock that can be moved, set and frozen, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) enum Clock {
    /// The clock is ahead of the real time by this much; below zero if it is behind.
    Running(SignedDuration),
    /// The clock stands still at this time.
    Frozen(Timestamp),
}

/// An error: the virtual time would be more than [`MAX_ADVANCE`] from the real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the virtual time may be at most 100 years (3153600000 seconds) from the real time")]
pub struct ClockOutOfRange;

/// A time of the virtual clock, to the millisecond, as the vendors write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct Time(Timestamp);

impl Time {
    /// Returns the time later by this duration, or the latest time that can be represented.
    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0.checked_add(by).unwrap_or(Timestamp::MAX))
    }

    pub(crate) fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        serializer.collect_str(&PRINTER.timestamp_to_string(&self.0))
    }
}

impl From<Time> for SystemTime {
    fn from(Time(timestamp): Time) -> Self {
        timestamp.into()
    }
}

impl TryFrom<SystemTime> for Time {
    type Error = jiff::Error;

    fn try_from(time: SystemTime) -> Result<Self, jiff::Error> {
        Timestamp::try_from(time).map(Self)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// Zero if the clock is frozen.
    offset_millis: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen_at: Option<Time>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::Running(SignedDuration::ZERO)
    }
}

impl Clock {
    /// Returns how far the virtual time is ahead of the real time, in seconds; below zero if it is
    /// behind. `None` if it stands still.
    pub(crate) fn offset_seconds(&self) -> Option<f64> {
        match self {
            Self::Running(offset) => Some(offset.as_secs_f64()),
            Self::Frozen(_) => None,
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        matches!(self, Self::Frozen(_))
    }

    pub(crate) fn now(&self) -> Time {
        match self {
            Self::Running(offset) => {
                let now = Timestamp::now().checked_add(*offset).unwrap_or(Timestamp::MAX);
                Time(whole_millis(now))
            }
            Self::Frozen(at) => Time(*at),
        }
    }

    /// Returns this time, unless the clock shows the real time.
    pub(crate) fn shifted(&self, now: Time) -> Option<Time> {
        (*self != Self::default()).then_some(now)
    }

    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), ClockOutOfRange> {
        // A stored clock keeps whole milliseconds.
        let millis = i64::try_from(by.as_millis()).map_err(|_| ClockOutOfRange)?;
        let by = SignedDuration::from_millis(millis);
        match self {
            Self::Running(offset) => {
                *offset = in_range(offset.checked_add(by).ok_or(ClockOutOfRange)?)?;
            }
            Self::Frozen(at) => {
                let later = at.checked_add(by).map_err(|_| ClockOutOfRange)?;
                in_range(later.duration_since(Timestamp::now()))?;
                *at = later;
            }
        }
        Ok(())
    }

    /// Sets the time, which goes on from there unless the clock is frozen.
    pub(crate) fn set(&mut self, Time(now): Time) -> Result<(), ClockOutOfRange> {
        let now = whole_millis(now);
        let new_offset = in_range(offset_at(now))?;
        match self {
            Self::Running(offset) => *offset = new_offset,
            Self::Frozen(at) => *at = now,
        }
        Ok(())
    }

    /// Stops the clock at its current time, or lets it go on from there.
    pub(crate) fn set_frozen(&mut self, frozen: bool) {
        if frozen == self.is_frozen() {
            return;
        }
        let Time(now) = self.now();
        *self = if frozen { Self::Frozen(now) } else { Self::Running(offset_at(now)) };
    }
}

/// Returns how far this time is ahead of the real time, in whole milliseconds.
fn offset_at(now: Timestamp) -> SignedDuration {
    now.duration_since(whole_millis(Timestamp::now()))
}

fn whole_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn in_range(offset: SignedDuration) -> Result<SignedDuration, ClockOutOfRange> {
    if offset.unsigned_abs() <= MAX_ADVANCE { Ok(offset) } else { Err(ClockOutOfRange) }
}

impl From<Clock> for Stored {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Running(offset) => {
                let offset_millis = i64::try_from(offset.as_millis()).unwrap_or(i64::MAX);
                Self { offset_millis, frozen_at: None }
            }
            Clock::Frozen(at) => Self { offset_millis: 0, frozen_at: Some(Time(at)) },
        }
    }
}

impl TryFrom<Stored> for Clock {
    type Error = ClockOutOfRange;

    fn try_from(stored: Stored) -> Result<Self, ClockOutOfRange> {
        let offset = in_range(SignedDuration::from_millis(stored.offset_millis))?;
        Ok(match stored.frozen_at {
            Some(Time(at)) => Self::Frozen(whole_millis(at)),
            None => Self::Running(offset),
        })
    }
}
