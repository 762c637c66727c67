//! What a worker reports while it runs.

use std::fmt;
use std::time::Duration;

/// What a [`Worker`](crate::Worker) reports while it runs. `Display` is one line for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerNotice {
    /// Events cannot be received or acknowledged at the moment, for this reason. It is tried again, and
    /// an event that was not acknowledged comes again.
    Interrupted(String),
    /// An event could not be handled and is tried again.
    Failed {
        /// The id of the event, as [`ReceivedEvent::id`](crate::ReceivedEvent::id).
        id: String,
        /// The error of the handler.
        reason: String,
        /// How long it waits until it is tried again.
        wait: Duration,
    },
    /// An event could not be handled and is a dead letter now.
    Dead {
        /// The id of the event, or its subject if it cannot be read.
        id: String,
        /// Why it is one.
        reason: String,
    },
}

impl fmt::Display for WorkerNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(reason) => write!(f, "trying again: {reason}"),
            Self::Failed { id, reason, wait } => {
                write!(f, "event {id} failed and is tried again in {wait:?}: {reason}")
            }
            Self::Dead { id, reason } => write!(f, "event {id} is a dead letter: {reason}"),
        }
    }
}
