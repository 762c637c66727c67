//! What the tools work with.

use std::sync::Arc;

use machins_client::{Async, Client, SpendingClient};

use super::failure::ToolFailure;

/// The clients of a server's tools.
#[derive(Clone)]
pub(super) struct Shop(Arc<Clients>);

pub(super) struct Clients {
    pub(super) spending: SpendingClient<Async>,
    pub(super) devices: Option<machineid_client::Client>,
}

impl Shop {
    pub(super) fn new(clients: Clients) -> Self {
        Self(Arc::new(clients))
    }

    /// The marketplace, for what spends nothing.
    pub(super) fn market(&self) -> &Client {
        self.0.spending.client()
    }

    /// The marketplace, for what may spend.
    pub(super) fn spending(&self) -> &SpendingClient<Async> {
        &self.0.spending
    }

    pub(super) fn devices(&self) -> Result<&machineid_client::Client, ToolFailure> {
        self.0.devices.as_ref().ok_or_else(|| {
            ToolFailure::new("missing_credential", "this server has no key of an organisation")
        })
    }
}
