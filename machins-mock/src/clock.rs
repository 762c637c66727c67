//! Virtual time: the real time and an offset that only grows.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The furthest that the virtual time may run ahead of the real time: a hundred years.
pub const MAX_ADVANCE: Duration = Duration::from_hours(100 * 365 * 24);

/// A clock that can be moved forward, to the millisecond.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Clock {
    offset: Duration,
}

/// An error: the virtual time would run more than [`MAX_ADVANCE`] ahead of the real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("virtual time may run at most 100 years (3153600000 seconds) ahead of the real time")]
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
    offset_millis: u64,
}

impl Clock {
    pub(crate) fn offset(&self) -> Duration {
        self.offset
    }

    pub(crate) fn now(&self) -> Time {
        let now = Timestamp::now().checked_add(self.offset).unwrap_or(Timestamp::MAX);
        Time(Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now))
    }

    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), ClockOutOfRange> {
        // A stored clock keeps whole milliseconds.
        let by = Duration::new(by.as_secs(), by.subsec_millis() * 1_000_000);
        let offset = self.offset.checked_add(by).filter(|offset| *offset <= MAX_ADVANCE);
        self.offset = offset.ok_or(ClockOutOfRange)?;
        Ok(())
    }
}

impl From<Clock> for Stored {
    fn from(clock: Clock) -> Self {
        Self { offset_millis: u64::try_from(clock.offset.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl TryFrom<Stored> for Clock {
    type Error = ClockOutOfRange;

    fn try_from(stored: Stored) -> Result<Self, ClockOutOfRange> {
        let mut clock = Self::default();
        clock.advance(Duration::from_millis(stored.offset_millis))?;
        Ok(clock)
    }
}
