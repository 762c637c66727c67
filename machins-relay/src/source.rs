//! Where events come from.

use std::sync::{Mutex, PoisonError};

use machins_client::{AgentId, Client, InboxWaker};

/// An agent, and the client that reads its inbox.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) agent: AgentId,
    /// Has the inbox fetched at once. `None` while this replica does not read it.
    waker: Mutex<Option<InboxWaker>>,
}

/// For as long as it exists, the inbox is read here.
pub(crate) struct Reading<'a>(&'a Source);

impl Source {
    pub(crate) fn new(client: Client, agent: AgentId) -> Self {
        Self { client, agent, waker: Mutex::new(None) }
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

    fn set(&self, waker: Option<InboxWaker>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
