//! Where events are passed on to.

use std::time::Duration;

use machins_client::{AgentId, CancellationToken};

use crate::cloud_event::CloudEvent;
use crate::error::RelayError;

/// The number of events that are stored at the same time, at most. Those of one trade follow each
/// other.
pub(crate) const CONCURRENCY: usize = 64;

/// A place that stores events.
pub(crate) trait Sink: Send + Sync {
    /// Stores an event of an agent for good. Waits while that is not possible, until it is stopped.
    fn store(
        &self,
        agent: &AgentId,
        event: &CloudEvent,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), NotStored>> + Send;

    /// The first and the longest wait before the inbox hands over again what was
    /// [`Refused`](NotStored::Refused). `None` if nothing ever is.
    fn retry_waits(&self) -> Option<(Duration, Duration)> {
        None
    }

    /// Tells the replica that reads an agent's inbox that there is something new in it. Returns whether
    /// it was told. Only where there can be several replicas is there anybody to tell.
    fn announce(&self, _agent: &AgentId) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// Returns an event as JSON.
pub(crate) fn to_json(event: &CloudEvent) -> Result<String, NotStored> {
    serde_json::to_string(event)
        .map_err(|error| NotStored::Kept(format!("it is not valid JSON: {error}")))
}

/// Why an event was not stored.
pub(crate) enum NotStored {
    /// This event never can be. It stays in the inbox.
    Kept(String),
    /// This event is refused for now. Meanwhile others may be stored.
    Refused(String),
    /// The relay was stopped.
    Stopped,
    /// Nothing can be stored any more.
    Ended(RelayError),
}
