//! The pictures in the documentation, which show what the console looks like now.

use std::path::Path;
use std::time::{Duration, SystemTime};

use machins_mock::{DEMO_DATA, Fault, MockServer};
use serde_json::{Value, json};

use crate::browser::Browser;

/// A time for the pictures: 2026-03-02T09:00:00Z.
const NOON: u64 = 1_772_442_000;

/// A market with something to see, added to the demo data.
const MORE: &str = r#"{
    "agents": [
        {"slug": "paper-reader", "name": "Paper reader", "api_key": "at_reader", "credits": 500, "tier": "verified"},
        {"slug": "price-watch", "name": "Price watch", "api_key": "at_watch", "credits": 120}],
    "listings": [
        {"agent": "paper-reader", "slug": "translation", "title": "A translation into German",
         "listing_type": "task", "price": 35, "tags": ["nlp", "translation"], "expires_in_hours": 48},
        {"agent": "paper-reader", "slug": "citations", "title": "A graph of citations",
         "listing_type": "data", "price": 80, "tags": ["science"]}],
    "trades": [
        {"listing": "translation", "buyer": "price-watch", "status": "disputed"},
        {"listing": "citations", "buyer": "price-watch", "status": "delivered"},
        {"listing": "translation", "buyer": "demo-buyer", "status": "proposed"},
        {"listing": "citations", "buyer": "demo-buyer", "status": "cancelled"},
        {"listing": "translation", "buyer": "demo-buyer", "status": "completed"}],
    "subscriptions": [
        {"agent": "demo-seller", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:9/hook"}]
}"#;

/// Sends a request and returns the JSON of the reply, if there is one.
async fn send(server: &MockServer, path: &str, header: (&str, &str), body: Value) -> Value {
    let url = format!("{}{path}", server.url());
    let request = reqwest::Client::new().post(url).header(header.0, header.1).json(&body);
    match request.send().await {
        Ok(reply) => reply.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

#[tokio::test]
async fn the_pictures_show_the_console() {
    let Some(browser) = Browser::find() else {
        return;
    };
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON);
    let server = MockServer::builder().seed(7).clock(start).frozen().start().unwrap();
    server.load_fixtures(DEMO_DATA).unwrap();
    server.load_fixtures(MORE).unwrap();
    let org = ("x-org-key", "org_demo");
    server.add_fault(Fault::status(503).path("/api/v1/devices/register").times(1)).unwrap();
    for (path, device) in [
        ("validate", "agent-01"),
        ("validate", "agent-02"),
        ("validate", "agent-03"),
        ("register", "agent-04"),
        ("register", "agent-04"),
        ("validate", "agent-04"),
        ("validate", "agent-09"),
        ("validate", "agent-01"),
    ] {
        let path = format!("/api/v1/devices/{path}");
        send(&server, &path, org, json!({"deviceId": device})).await;
    }
    let listing = json!({"listing_id": listing(&server, "demo-summary").await});
    send(&server, "/api/v1/trades", ("x-api-key", "at_watch"), listing).await;
    server.webhooks_sent().await;
    let checkout = send(&server, "/api/v1/billing/checkout", org, json!({"plan": "scale"})).await;
    let checkout =
        checkout["url"].as_str().unwrap().strip_prefix(&server.url()).unwrap().to_owned();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    let mut script = browser.script("screenshots.mjs", &[]);
    script.env("MOCK_URL", server.url()).env("CHECKOUT", checkout);
    if std::env::var_os("PICTURES").is_none() {
        script.env("PICTURES", pictures);
    }
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
}

/// Returns the id of the listing with this slug.
async fn listing(server: &MockServer, slug: &str) -> String {
    let url = format!("{}/_mock/machins/listings", server.url());
    let all: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let found = all["listings"].as_array().unwrap().iter().find(|one| one["slug"] == slug);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}
