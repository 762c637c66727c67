//! What the tools work with.

use machins_client::{Async, Client, SpendingClient};

use super::failure::ToolFailure;

/// The clients of a server's tools.
#[derive(Clone)]
pub(super) struct Clients {
    spending: SpendingClient<Async>,
    devices: Option<machineid_client::Client>,
}

impl Clients {
    pub(super) fn new(
        spending: SpendingClient<Async>,
        devices: Option<machineid_client::Client>,
    ) -> Self {
        Self { spending, devices }
    }

    /// The marketplace, for what spends nothing.
    pub(super) fn market(&self) -> &Client {
        self.spending.client()
    }

    /// The marketplace, for what may spend.
    pub(super) fn spending(&self) -> &SpendingClient<Async> {
        &self.spending
    }

    pub(super) fn devices(&self) -> Result<&machineid_client::Client, ToolFailure> {
        self.devices.as_ref().ok_or_else(|| {
            ToolFailure::new("missing_credential", "this server has no key of an org")
        })
    }
}
