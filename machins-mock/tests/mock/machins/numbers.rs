//! Numbers in free objects pass unchanged.

use machins_mock::{MockServer, Snapshot};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::http::client;
use crate::support::platform::{Platform, action_path};

/// Numbers that a 64-bit float or integer would change.
const NUMBERS: &str = r#"{"a":1234567890123456789012345678901234567890,"b":0.1000000000000000055511151231257827,"c":1E+300,"d":1.0,"e":-0.0,"f":[2.50]}"#;

async fn raw(platform: &Platform, method: Method, path: &str, key: &str, body: &str) -> String {
    let url = format!("{}{path}", platform.server.machins_base_url());
    let request = client().request(method, url).header("x-api-key", key);
    let reply = request.body(body.to_owned()).send().await.unwrap();
    assert!(reply.status().is_success(), "{reply:?}");
    reply.text().await.unwrap()
}

#[tokio::test]
async fn numbers_pass_unchanged() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let body = format!(
        r#"{{"title":"t","slug":"abc","listing_type":"task","price":5,"input_schema":{NUMBERS}}}"#
    );
    let listing = raw(&platform, Method::POST, "/listings", &seller.api_key, &body).await;
    assert!(listing.contains(NUMBERS), "{listing}");
    let listing: Value = serde_json::from_str(&listing.replace(NUMBERS, "{}")).unwrap();
    let shown = raw(&platform, Method::GET, "/marketplace", "", "").await;
    assert!(shown.contains(NUMBERS), "{shown}");

    let body = format!(r#"{{"listing_id":{},"metadata":{NUMBERS}}}"#, listing["id"]);
    let trade = raw(&platform, Method::POST, "/trades", &buyer.api_key, &body).await;
    assert!(trade.contains(NUMBERS), "{trade}");
    let trade: Value = serde_json::from_str(&trade.replace(NUMBERS, "{}")).unwrap();
    platform.act(&seller, &trade, "accept").await;
    let body = format!(r#"{{"payload":{{ "result" : {NUMBERS} }}}}"#);
    let path = action_path(&trade, "deliver");
    raw(&platform, Method::POST, &path, &seller.api_key, &body).await;
    let path = format!("/trades/{}", trade["id"].as_str().unwrap());
    let delivered = raw(&platform, Method::GET, &path, &buyer.api_key, "").await;
    let payload = format!(r#""delivery_payload":{{"result":{NUMBERS}}}"#);
    assert!(delivered.contains(&payload), "{delivered}");

    let stored = serde_json::to_string(&platform.server.snapshot()).unwrap();
    let other = Platform::with(MockServer::start().await);
    other.server.restore(&serde_json::from_str::<Snapshot>(&stored).unwrap());
    assert_eq!(raw(&other, Method::GET, &path, &buyer.api_key, "").await, delivered);
}

/// Parsed, such an object takes sixty times the memory of its text.
#[tokio::test]
async fn objects_of_many_small_parts_are_stored_as_text() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let parts = vec![r#"{"":0}"#; 6000].join(",");
    let body = format!(r#"{{"listing_id":{},"metadata":{{"a":[{parts}]}}}}"#, listing["id"]);
    let trade = raw(&platform, Method::POST, "/trades", &buyer.api_key, &body).await;
    assert!(trade.contains(&parts));
}
