//! Moments, as a service writes them.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A moment as the service wrote it, for example `2026-03-01T12:00:00Z`. The text is kept, so
/// that one that can't be read as a time neither fails a reply nor is lost.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use agent_client_core::Timestamp;
///
/// let moment = Timestamp::from("1970-01-01T00:01:00Z");
/// assert_eq!(moment.time(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
/// assert_eq!(Timestamp::from("yesterday").time(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(String);

impl Timestamp {
    /// The service's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The moment, if the text is RFC 3339 with an offset.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.0.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
    }
}

impl From<&str> for Timestamp {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
