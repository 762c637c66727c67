//! Where events come from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use machins_client::{AgentId, CancellationToken, Client, ErrorKind, InboxQuery, InboxWaker};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::waits::Waits;

/// How long asking whether an inbox can be read may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);

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

    /// Returns when the inbox has failed, and cannot be read after this time either.
    pub(crate) async fn unreachable(&self, time: Duration) {
        loop {
            self.failed.notified().await;
            sleep(time).await;
            if !self.is_answered().await {
                return;
            }
        }
    }

    /// Returns when the inbox can be read again, or it is stopped.
    pub(crate) async fn reachable(&self, mut waits: Waits, stop: &CancellationToken) {
        while waits.wait(stop).await && !self.is_answered().await {}
    }

    /// Whether the inbox can be read, or never can again, which reading it reports.
    async fn is_answered(&self) -> bool {
        let query = InboxQuery::new().unread().limit(1);
        match timeout(ANSWER_TIME, self.client.list_inbox(&query)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == ErrorKind::Unauthorized,
            Err(_) => false,
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
