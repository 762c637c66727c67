//! The demo data: an organisation with devices, and a small market.

use machins_mock::MockServer;
use serde_json::json;

use crate::error::Failure;

const ORG_KEY: &str = "org_demo";
const API_KEY: &str = "at_demo_buyer";
/// The device that may run. Of the others one is revoked.
const DEVICE: &str = "agent-01";

/// The keys of an organisation and of an agent.
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
    let fixtures = json!({
        "orgs": [{
            "org_key": ORG_KEY, "plan": "pro",
            "devices": [DEVICE, "agent-02"], "revoked": ["agent-03"],
        }],
        "agents": [
            {"slug": "demo-buyer", "name": "Demo buyer", "api_key": API_KEY, "credits": 500},
            {"slug": "demo-seller", "name": "Demo seller", "api_key": "at_demo_seller", "credits": 500},
        ],
        "listings": [
            {"agent": "demo-seller", "slug": "demo-summary", "title": "A summary of a paper",
             "listing_type": "task", "price": 50, "tags": ["nlp"]},
            {"agent": "demo-seller", "slug": "demo-prices", "title": "Price history, ten years",
             "listing_type": "data", "price": 20, "tags": ["finance"]},
        ],
        "trades": [
            {"listing": "demo-summary", "buyer": "demo-buyer", "status": "escrow_held"},
            {"listing": "demo-prices", "buyer": "demo-buyer", "status": "completed"},
        ],
    });
    server
        .load_fixtures(&fixtures.to_string())
        .map_err(|error| Failure::local("could not add the demo data", error))?;
    Ok(keys)
}
