//! Where events are passed on to.

use machins_client::CancellationToken;

use crate::cloud_event::CloudEvent;
use crate::error::RelayError;

/// A place that stores events.
pub(crate) trait Sink: Send + Sync {
    /// Stores an event for good. Waits while that is not possible, until it is stopped.
    fn store(
        &self,
        event: &CloudEvent,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), NotStored>> + Send;
}

/// Why an event was not stored.
pub(crate) enum NotStored {
    /// This event never can be. It stays in the inbox.
    Kept(String),
    /// The relay was stopped.
    Stopped,
    /// Nothing can be stored any more.
    Ended(RelayError),
}
