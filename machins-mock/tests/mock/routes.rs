//! Requests that no route takes, and bodies that no route reads.

use machins_mock::{MockServer, Plan};
use reqwest::Method;
use reqwest::header::HeaderValue;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{client, device, post, register, send, server_with_org};
use crate::support::raw::exchange_anything;

#[rstest]
#[case::singular(Method::POST, "/api/v1/device/validate", "POST /api/v1/devices/validate")]
#[case::no_prefix(Method::POST, "/v1/devices/register", "POST /api/v1/devices/register")]
#[case::trailing_slash(Method::GET, "/api/v1/usage/", "GET /api/v1/usage")]
#[case::control_api(Method::GET, "/_mock/fault", "GET /_mock/faults")]
#[case::same_method(Method::DELETE, "/_mock/fault", "DELETE /_mock/faults")]
#[tokio::test]
async fn an_unknown_route_is_404_and_names_the_nearest(
    #[case] method: Method,
    #[case] path: &str,
    #[case] nearest: &str,
) {
    let server = MockServer::start().await;
    let reply = send(&server, method, path, "", Value::Null).await;
    let body = reply.json();
    assert_eq!((reply.status.as_u16(), &body["code"]), (404, &json!("ROUTE_NOT_FOUND")));
    assert_eq!(body["nearest"][0], nearest);
    assert!(body["detail"].as_str().unwrap().contains(nearest));
}

#[rstest]
#[case::empty_segments("//")]
#[case::not_utf8("/%ff%00")]
#[case::long(&format!("/{}", "é".repeat(500)))]
#[case::dots("/api/v1/devices/list/../x")]
#[tokio::test]
async fn a_strange_path_is_404(#[case] path: &str) {
    let server = MockServer::start().await;
    let reply = send(&server, Method::GET, path, "", Value::Null).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["nearest"].as_array().unwrap().len(), 3);
}

#[rstest]
#[case::register("/api/v1/devices/register", "error", "payload_too_large")]
#[case::revoke("/api/v1/devices/revoke", "error", "payload_too_large")]
#[case::validate("/api/v1/devices/validate", "error", "payload_too_large")]
#[case::revoke_batch("/api/v1/devices/revoke_batch", "error", "payload_too_large")]
#[case::control_api("/_mock/faults", "code", "PAYLOAD_TOO_LARGE")]
#[tokio::test]
async fn a_body_over_the_limit_is_413(
    #[case] path: &str,
    #[case] field: &str,
    #[case] error: &str,
) {
    let (server, org) = server_with_org(Plan::Free).await;
    let huge = device(&"x".repeat(10 * 1024 * 1024));
    let reply = send(&server, Method::POST, path, org.key(), huge).await;
    assert_eq!((reply.status.as_u16(), &reply.json()[field]), (413, &json!(error)));
}

#[tokio::test]
async fn a_body_of_the_limit_is_read() {
    let (server, org) = server_with_org(Plan::Free).await;
    let largest = "x".repeat(1024 * 1024 - r#"{"deviceId":""}"#.len());
    let (status, reply) = post(&server, &org, "devices/register", device(&largest)).await;
    assert_eq!((status, &reply["error"]), (400, &json!("invalid_device_id")));
}

#[rstest]
#[case::deep(format!("{{\"deviceId\":{}1{}}}", "[".repeat(5000), "]".repeat(5000)))]
#[case::a_name_twice(r#"{"deviceId":"a","deviceId":"b"}"#.to_owned())]
#[case::half_a_surrogate_pair("{\"deviceId\":\"\\ud800\"}".to_owned())]
#[tokio::test]
async fn strange_json_is_refused(#[case] body: String) {
    let (server, org) = server_with_org(Plan::Free).await;
    let response = client()
        .post(format!("{}/api/v1/devices/register", server.url()))
        .header("x-org-key", org.key())
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap()["error"], "missing_params");
}

#[rstest]
#[case::nothing(b"")]
#[case::nul_bytes(b"\0\0\0\0")]
#[case::words(b"HELLO\r\n\r\n")]
#[case::unknown_version(b"GET / HTTP/9.9\r\n\r\n")]
#[case::negative_length(b"POST /api/v1/usage HTTP/1.1\r\ncontent-length: -1\r\n\r\n")]
#[case::cut_body(b"POST /api/v1/org/create HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")]
#[case::http_2(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
#[case::long(&format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)).into_bytes())]
#[tokio::test]
async fn invalid_http_ends_only_its_connection(#[case] request: &[u8]) {
    let (server, org) = server_with_org(Plan::Free).await;
    let reply = exchange_anything(server.addr(), request);
    assert!(reply.as_ref().is_none_or(|reply| reply.status != 200), "{reply:?}");
    register(&server, &org, &["a"]).await;
}

#[tokio::test]
async fn a_key_that_is_not_text_is_401() {
    let server = MockServer::start().await;
    let url = format!("{}/api/v1/usage", server.url());
    let key = HeaderValue::from_bytes(b"org_\xff\xfe").unwrap();
    let request = client().get(url).header("x-org-key", key);
    assert_eq!(request.send().await.unwrap().status(), 401);
}

#[rstest]
#[case::listing(Method::PATCH, "/api/v1/listings/abc", "GET, PUT, DELETE")]
#[case::action(Method::GET, "/api/v1/trades/abc/accept", "POST")]
#[case::collection(Method::PUT, "/api/v1/listings", "POST, GET")]
#[case::device(Method::DELETE, "/api/v1/devices/validate", "POST")]
#[case::control_with_parameter(Method::DELETE, "/_mock/machineid/orgs/org_x", "PATCH, GET")]
#[case::control(Method::POST, "/_mock/state", "GET, PUT")]
#[tokio::test]
async fn a_wrong_method_names_the_allowed_ones(
    #[case] method: Method,
    #[case] path: &str,
    #[case] allowed: &str,
) {
    let server = MockServer::start().await;
    let reply = send(&server, method.clone(), path, "", Value::Null).await;
    let body = reply.json();
    assert_eq!((reply.status.as_u16(), &body["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
    assert_eq!(body["detail"], format!("{method} is not possible here, only {allowed}"));
    // GET routes answer HEAD, too.
    let allow: Vec<_> = reply.headers.get_all("allow").iter().collect();
    assert_eq!(allow, [&allowed.replace("GET", "GET,HEAD").replace(", ", ",")]);
}

#[cfg(not(feature = "swagger-ui"))]
#[rstest]
#[case::page("/docs")]
#[case::folder("/docs/")]
#[tokio::test]
async fn without_swagger_ui_docs_name_the_feature(#[case] path: &str) {
    let server = MockServer::start().await;
    let reply = send(&server, Method::GET, path, "", Value::Null).await;
    let body = reply.json();
    assert_eq!((reply.status.as_u16(), &body["code"]), (404, &json!("SWAGGER_UI_NOT_BUILT")));
    assert!(body["detail"].as_str().unwrap().contains("`swagger-ui`"));
}

#[cfg(feature = "swagger-ui")]
#[tokio::test]
async fn docs_load_only_assets_of_the_server() {
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
