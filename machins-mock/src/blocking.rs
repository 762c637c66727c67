//! The mock server for code without an async runtime.

use std::ops::Deref;
use std::time::Duration;

use crate::conditions::Conditions;
use crate::delivery::WebhookAttempt;
use crate::journal::RequestRecord;
use crate::tasks::wait;
use crate::wait::WaitError;

/// A [`MockServer`](crate::MockServer) that is started without `await`, for code without an async
/// runtime. The methods that wait are its own; calling one in async code panics.
///
/// ```
/// use machins_mock::{Plan, blocking::MockServer};
///
/// let server = MockServer::start();
/// let org = server.create_org(Plan::Free);
/// let usage = reqwest::blocking::Client::new()
///     .get(format!("{}/api/v1/usage", server.machineid_base_url()))
///     .header("x-org-key", org.key())
///     .send()?;
/// assert!(usage.status().is_success());
/// # Ok::<_, reqwest::Error>(())
/// ```
#[derive(Debug)]
pub struct MockServer(crate::MockServer);

impl MockServer {
    /// Starts a server on a free port of 127.0.0.1, which accepts requests when this returns.
    ///
    /// # Panics
    /// Panics if no port is free. [`builder`](crate::MockServer::builder) returns the error
    /// instead.
    #[must_use]
    pub fn start() -> Self {
        Self(crate::MockServer::start_or_panic())
    }

    /// Posts what was posted in an attempt once more, as
    /// [`MockServer::resend_webhook`](crate::MockServer::resend_webhook) does, and returns the new
    /// attempt; `None` if no attempt with this number is remembered.
    #[must_use]
    pub fn resend_webhook(&self, n: u64) -> Option<WebhookAttempt> {
        wait(self.0.resend_webhook(n))
    }

    /// Waits until this many webhooks that meet the conditions have been posted or have failed, as
    /// [`MockServer::wait_for_webhooks`](crate::MockServer::wait_for_webhooks) does, and returns them.
    ///
    /// # Errors
    /// Returns the errors of
    /// [`MockServer::wait_for_webhooks`](crate::MockServer::wait_for_webhooks).
    pub fn wait_for_webhooks(
        &self,
        conditions: Conditions,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<WebhookAttempt>, WaitError> {
        wait(self.0.wait_for_webhooks(conditions, count, timeout))
    }

    /// Waits until this many requests that meet the conditions have been answered, as
    /// [`MockServer::wait_for_requests`](crate::MockServer::wait_for_requests) does, and returns them.
    ///
    /// # Errors
    /// Returns the errors of
    /// [`MockServer::wait_for_requests`](crate::MockServer::wait_for_requests).
    pub fn wait_for_requests(
        &self,
        conditions: Conditions,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<RequestRecord>, WaitError> {
        wait(self.0.wait_for_requests(conditions, count, timeout))
    }

    /// Waits until the webhook of every event so far has been posted or has failed.
    pub fn webhooks_sent(&self) {
        wait(self.0.webhooks_sent());
    }

    /// Stops the server and waits until its port is closed, as
    /// [`MockServer::shutdown`](crate::MockServer::shutdown) does.
    pub fn shutdown(&self) {
        wait(self.0.shutdown());
    }

    /// Stops the server after the requests and webhooks under way, as
    /// [`MockServer::shutdown_gracefully`](crate::MockServer::shutdown_gracefully) does.
    pub fn shutdown_gracefully(&self, limit: Duration) {
        wait(self.0.shutdown_gracefully(limit));
    }
}

impl Deref for MockServer {
    type Target = crate::MockServer;

    fn deref(&self) -> &crate::MockServer {
        &self.0
    }
}
