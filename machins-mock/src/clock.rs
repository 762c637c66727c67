//! Virtual time: the real time and an offset that only grows.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far virtual time may run ahead of the real one: a hundred years.
pub const MAX_ADVANCE: Duration = Duration::from_hours(100 * 365 * 24);

/// A clock that can be moved forward, to the millisecond.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Clock {
    offset: Duration,
}

/// The clock would run more than [`MAX_ADVANCE`] ahead of the real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("virtual time may run at most 100 years (3153600000 seconds) ahead of the real time")]
pub struct TooFar;

#[derive(Serialize, Deserialize)]
struct Stored {
    offset_millis: u64,
}

impl Clock {
    pub(crate) fn offset(&self) -> Duration {
        self.offset
    }

    /// The virtual time at a real time, cut to the millisecond as the vendors print it.
    pub(crate) fn at(&self, real: Timestamp) -> Timestamp {
        let virtual_time = real.checked_add(self.offset).unwrap_or(Timestamp::MAX);
        Timestamp::from_millisecond(virtual_time.as_millisecond()).unwrap_or(virtual_time)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(Timestamp::now())
    }

    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), TooFar> {
        let offset = self
            .offset
            .checked_add(by)
            .filter(|offset| *offset <= MAX_ADVANCE);
        self.offset = offset.ok_or(TooFar)?;
        Ok(())
    }
}

impl From<Clock> for Stored {
    fn from(clock: Clock) -> Self {
        Self {
            offset_millis: u64::try_from(clock.offset.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl TryFrom<Stored> for Clock {
    type Error = TooFar;

    fn try_from(stored: Stored) -> Result<Self, TooFar> {
        let mut clock = Self::default();
        clock.advance(Duration::from_millis(stored.offset_millis))?;
        Ok(clock)
    }
}
