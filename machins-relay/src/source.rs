//! Where events come from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use machins_client::{AgentId, CancellationToken, Client, Error, InboxQuery, InboxWaker};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::waits::Waits;

/// The largest page of an inbox, as it is fetched when events are passed on.
const PAGE_SIZE: u32 = 200;
/// The shortest and the longest wait before an inbox that could not be read is tried again.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// An agent, and the client that reads its inbox.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) agent: AgentId,
    /// Has the inbox fetched at once. `None` while this replica does not read it.
    waker: Mutex<Option<InboxWaker>>,
    /// Notified when the inbox could not be read or acknowledged.
    pub(crate) failed: Arc<Notify>,
}

/// For as long as it exists, the inbox is read here.
pub(crate) struct Reading<'a>(&'a Source);

impl Source {
    pub(crate) fn new(client: Client, agent: AgentId) -> Self {
        Self { client, agent, waker: Mutex::new(None), failed: Arc::default() }
    }

    /// The address of the service.
    pub(crate) fn service(&self) -> String {
        self.client.transport().base_url().to_string()
    }

    /// Notes that the inbox is read here.
    pub(crate) fn reads(&self, waker: InboxWaker) -> Reading<'_> {
        self.set(Some(waker));
        Reading(self)
    }

    /// Has the inbox fetched at once. Returns false if it is not read here.
    pub(crate) fn wake(&self) -> bool {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        waker.as_ref().map(InboxWaker::wake).is_some()
    }

    /// Returns when the inbox could not be read for this time: at the beginning, unless it is known that it
    /// can be, and each time that it has failed.
    pub(crate) async fn unreachable(&self, time: Duration, is_known: bool) {
        if is_known {
            self.failed.notified().await;
        }
        while timeout(time, self.reachable(&CancellationToken::new())).await.is_ok() {
            self.failed.notified().await;
        }
    }

    /// Returns when the inbox can be read, or cannot for a reason that reading it will report, or it is
    /// stopped.
    pub(crate) async fn reachable(&self, stop: &CancellationToken) {
        let mut waits = Waits::between(WAITS);
        let query = InboxQuery::new().unread().limit(PAGE_SIZE);
        let trying = async {
            while let Err(error) = self.client.list_inbox(&query).await {
                if is_refusal(&error) {
                    return;
                }
                waits.wait(stop).await;
            }
        };
        tokio::select! {
            () = trying => {}
            () = stop.cancelled() => {}
        }
    }

    fn set(&self, waker: Option<InboxWaker>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// Whether the service itself answers that it does not list the inbox.
fn is_refusal(error: &Error) -> bool {
    let is_refused = matches!(error.status(), Some(400..=499)) && error.excerpt().is_none();
    is_refused && !error.is_retryable()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use machins_client::ApiKey;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_silent_inbox_is_unreachable_before_a_call_fails() {
        // It takes connections and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = ApiKey::new("at_0123456789").unwrap();
        let client = Client::builder().base_url(url).api_key(key).build().unwrap();
        let source = Source::new(client, AgentId::new("ada").unwrap());
        let time = Duration::from_millis(10);
        let unreachable = source.unreachable(time, false);
        timeout(Duration::from_secs(30), unreachable).await.unwrap();
    }
}
