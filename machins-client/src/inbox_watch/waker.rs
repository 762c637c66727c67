//! Having a watch look at the inbox at once.

use std::fmt;
use std::sync::{Arc, Mutex};

use agent_client_core::lock;

use super::queue::Queue;

/// Has a watch fetch the inbox at once, for example because a webhook says that there is something
/// new. A clone wakes the same watch.
///
/// ```
/// use std::time::Duration;
///
/// # test_support::machins(async |test_support::Marketplace { seller, .. }| {
/// let five_minutes = Duration::from_secs(5 * 60);
/// let watch = seller.inbox_watch().every(Duration::from_secs(1), five_minutes);
/// let waker = watch.waker();
/// // In the handler of webhooks:
/// waker.wake();
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct InboxWaker(Arc<Mutex<Queue>>);

impl InboxWaker {
    pub(super) fn new(queue: &Arc<Mutex<Queue>>) -> Self {
        Self(Arc::clone(queue))
    }

    /// Ends the wait before the inbox is fetched again, and begins anew with the shortest one. A watch
    /// that does not run, or is busy, fetches the inbox once it has nothing else to hand over. A wait
    /// after an error of the service is not shortened.
    pub fn wake(&self) {
        lock(&self.0).ask_look();
    }
}

impl fmt::Debug for InboxWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxWaker")
    }
}
