//! Timestamps as a service writes them.

use std::cmp::Ordering;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A point in time as the service wrote it, for example `2026-03-01T12:00:00Z`.
///
/// The text is kept as it is, so that an invalid time neither makes a reply unreadable nor is lost.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use agent_client_core::Timestamp;
///
/// let moment = Timestamp::from("1970-01-01T00:01:00Z");
/// assert_eq!(moment.time(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
/// assert_eq!(Timestamp::from("yesterday").time(), None);
/// assert!(Timestamp::from("2026-03-01T12:00:00+02:00") < Timestamp::from("2026-03-01T11:00:00Z"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(String);

impl Timestamp {
    /// Returns the text as the service wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the point in time, or `None` if the text is not RFC 3339 with an offset.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.0.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
    }
}

/// Earlier points in time come first. Texts that are not a time come before all others.
impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time(), &self.0).cmp(&(other.time(), &other.0))
    }
}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Timestamp {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
