//! The mock server for code without an async runtime.

use std::ops::Deref;

/// A [`MockServer`](crate::MockServer) that is started without `await`, for code without an async
/// runtime.
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
}

impl Deref for MockServer {
    type Target = crate::MockServer;

    fn deref(&self) -> &crate::MockServer {
        &self.0
    }
}
