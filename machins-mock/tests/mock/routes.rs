//! Requests that no route takes, and bodies that no route reads.

use machins_mock::{MockServer, Plan};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::support::http::{device, post, send, server_with_org};
use crate::support::raw::exchange_anything;

#[tokio::test]
async fn an_unknown_route_is_404_and_names_the_nearest() {
    let server = MockServer::start().await;
    for (method, path, nearest) in [
        (Method::POST, "/api/v1/device/validate", "POST /api/v1/devices/validate"),
        (Method::POST, "/v1/devices/register", "POST /api/v1/devices/register"),
        (Method::GET, "/api/v1/usage/", "GET /api/v1/usage"),
        (Method::GET, "/_mock/fault", "GET /_mock/faults"),
        (Method::DELETE, "/_mock/fault", "DELETE /_mock/faults"),
    ] {
        let reply = send(&server, method, path, "", Value::Null).await;
        let body = reply.json();
        assert_eq!((reply.status.as_u16(), &body["code"]), (404, &json!("ROUTE_NOT_FOUND")));
        assert_eq!(body["nearest"][0], nearest);
        assert!(body["detail"].as_str().unwrap().contains(nearest));
    }
    for path in
        ["/", "//", "/%ff%00", &format!("/{}", "é".repeat(500)), "/api/v1/devices/list/../x"]
    {
        let reply = send(&server, Method::GET, path, "", Value::Null).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["nearest"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (server, org) = server_with_org(Plan::Free).await;
    let huge = "x".repeat(10 * 1024 * 1024);
    for call in ["register", "revoke", "validate", "revoke_batch"] {
        let (status, reply) = post(&server, &org, &format!("devices/{call}"), device(&huge)).await;
        assert_eq!((status, &reply["error"]), (413, &json!("payload_too_large")), "{call}");
    }
    let reply = send(&server, Method::POST, "/_mock/faults", "", json!({"kind": huge})).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
    let largest = "x".repeat(1024 * 1024 - r#"{"deviceId":""}"#.len());
    let (status, reply) = post(&server, &org, "devices/register", device(&largest)).await;
    assert_eq!((status, &reply["error"]), (400, &json!("invalid_device_id")), "just fits");
}

#[tokio::test]
async fn deep_and_strange_json_is_refused() {
    let (server, org) = server_with_org(Plan::Free).await;
    let deep = format!("{{\"deviceId\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let twice = r#"{"deviceId":"a","deviceId":"b"}"#.to_owned();
    let bytes = "{\"deviceId\":\"\\ud800\"}".to_owned();
    for body in [deep, twice, bytes] {
        let response = reqwest::Client::new()
            .post(format!("{}/api/v1/devices/register", server.url()))
            .header("x-org-key", org.key())
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(response.json::<Value>().await.unwrap()["error"], "missing_params");
    }
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection_and_nothing_else() {
    let (server, org) = server_with_org(Plan::Free).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    for request in [
        &b""[..],
        b"\0\0\0\0",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/v1/usage HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/v1/org/create HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long.as_bytes(),
    ] {
        let reply = exchange_anything(server.addr(), request);
        assert!(reply.as_ref().is_none_or(|reply| reply.status != 200), "{reply:?}");
    }
    let url = format!("{}/api/v1/usage", server.url());
    let key = HeaderValue::from_bytes(b"org_\xff\xfe").unwrap();
    let request = reqwest::Client::new().get(url).header("x-org-key", key);
    assert_eq!(request.send().await.unwrap().status(), 401);
    post(&server, &org, "devices/register", device("a")).await;
    assert_eq!(org.state().unwrap().devices_used, 1, "the server still serves");
}

#[tokio::test]
async fn docs_show_the_document_from_the_servers_own_assets() {
    let server = MockServer::start().await;
    let page = send(&server, Method::GET, "/docs", "", Value::Null).await;
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text.contains("/openapi.json"));
    assert!(!page.text.contains("://"), "nothing from elsewhere");
    for asset in ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"] {
        assert!(page.text.contains(asset));
        let reply = send(&server, Method::GET, asset, "", Value::Null).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["content-encoding"]),
            (200, &"gzip".parse().unwrap())
        );
    }
}
