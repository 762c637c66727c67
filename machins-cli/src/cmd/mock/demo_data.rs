//! The demo data: an org with devices, and a small market, as the mock server holds it.

use machins_mock::{DEMO_DATA, MockServer};

use crate::error::Failure;

const ORG_KEY: &str = "org_demo";
const API_KEY: &str = "at_demo_buyer";
/// The device that may run. Of the others one is revoked.
const DEVICE: &str = "agent-01";

/// The keys of an org and of an agent.
pub(super) struct Keys {
    pub(super) org_key: String,
    pub(super) device_id: String,
    pub(super) api_key: String,
}

/// Adds the demo data, unless it came with the state, and returns its keys.
pub(super) fn add(server: &MockServer) -> Result<Keys, Failure> {
    let keys = Keys {
        org_key: ORG_KEY.to_owned(),
        device_id: DEVICE.to_owned(),
        api_key: API_KEY.to_owned(),
    };
    if server.org(ORG_KEY).is_some() {
        return Ok(keys);
    }
    server
        .load_fixtures(DEMO_DATA)
        .map_err(|error| Failure::local("could not add the demo data", error))?;
    Ok(keys)
}
