//! Who may use the server, and what its webhooks may reach.

use std::io::Write;
use std::time::Duration;

use machins_mock::{Conditions, MockServer, Plan};
use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{client, send};
use crate::support::platform::{Platform, action_path, result};
use crate::support::raw::{connect, read_reply};

const ROUTES: [&str; 5] =
    ["/_mock/state", "/api/v1/public/stats", "/openapi.json", "/docs", "/no/such/route"];

/// Sends a request with these headers to each of the routes, and returns the statuses.
async fn statuses(server: &MockServer, method: Method, headers: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for route in ROUTES {
        let mut request = client().request(method.clone(), format!("{}{route}", server.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    statuses
}

#[rstest]
#[case::name("evil.example", false)]
#[case::name_with_port("evil.example:8080", false)]
#[case::rebound("127.0.0.1.evil.example", false)]
#[case::under_localhost_elsewhere("localhost.evil.example", false)]
#[case::trailing_dot("evil.example.", false)]
#[case::local("localhost:8080", true)]
#[case::upper("LOCALHOST", true)]
#[case::under_localhost("hooks.localhost:1", true)]
#[case::ipv4("127.0.0.1:8080", true)]
#[case::other_ipv4("192.168.1.7", true)]
#[case::ipv6("[::1]:8080", true)]
#[case::container("mock:8080", true)]
#[case::docker("host.docker.internal:8080", true)]
#[case::allowed("mock.example.test:8080", true)]
#[case::allowed_in_upper("Mock.Example.Test.", true)]
fn only_names_of_this_machine_are_answered(#[case] host: &str, #[case] answered: bool) {
    let server = MockServer::builder().allow_host("mock.example.test").start().unwrap();
    for route in ROUTES {
        let request = format!("GET {route} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let mut stream = connect(server.addr());
        stream.write_all(request.as_bytes()).unwrap();
        let reply = read_reply(&mut stream).unwrap();
        assert_eq!(reply.status != 403, answered, "{route}");
        if !answered {
            assert_eq!(reply.json()["code"], "HOST_NOT_ALLOWED");
        }
    }
}

#[rstest]
#[case::site("https://example.com")]
#[case::null("null")]
#[case::empty("")]
#[case::other_port("http://127.0.0.1:1")]
#[tokio::test]
async fn pages_of_other_origins_are_refused(#[case] origin: &str) {
    let server = MockServer::start().await;
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        assert_eq!(statuses(&server, method, &[("origin", origin)]).await, [403; 5]);
    }
    assert!(server.requests().is_empty());
    let own = [("origin", &*server.url())];
    assert!(!statuses(&server, Method::GET, &own).await.contains(&403), "its own pages may");
}

#[rstest]
#[case::cross_site("cross-site")]
#[case::same_site("same-site")]
#[tokio::test]
async fn fetches_of_other_sites_are_refused(#[case] site: &str) {
    let server = MockServer::start().await;
    let fetch =
        [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    assert_eq!(statuses(&server, Method::GET, &fetch).await, [403; 5]);
    let visit =
        [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let visited = statuses(&server, Method::GET, &visit).await;
    assert_eq!((visited[0], visited[2]), (403, 403), "no page for people");
    assert_ne!(visited[3], 403, "a link to a page");
    assert_eq!(statuses(&server, Method::POST, &visit).await[3], 403);
    let framed =
        [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(statuses(&server, Method::GET, &framed).await[3], 403);
    let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")];
    assert!(!statuses(&server, Method::GET, &own).await.contains(&403));
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_read() {
    let server = MockServer::builder().cors("http://localhost:3000/").start().unwrap();
    let url = format!("{}/api/v1/public/stats", server.url());
    let with = |request: RequestBuilder, origin: &str| {
        request.header("origin", origin).header("sec-fetch-site", "same-site").send()
    };
    let reply = with(client().get(&url), "http://localhost:3000").await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(reply.headers()["vary"], "origin");
    let preflight = client()
        .request(Method::OPTIONS, &url)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-api-key, content-type");
    let reply = with(preflight, "http://localhost:3000").await.unwrap();
    assert_eq!(reply.status(), 204);
    assert_eq!(reply.headers()["access-control-allow-methods"], "POST");
    assert_eq!(reply.headers()["access-control-allow-headers"], "x-api-key, content-type");
    let reply = with(client().get(&url), "http://localhost:3001").await.unwrap();
    assert_eq!(reply.status(), 403);
    assert!(reply.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn webhooks_never_reach_the_server_itself() {
    let platform = Platform::start().await;
    let port = platform.server.addr().port();
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    for host in ["127.0.0.1", "localhost", "hooks.localhost", "127.8.8.8"] {
        let url = format!("http://{host}:{port}/_mock/reset");
        let body = json!({"event_type": "trade_proposed", "webhook_url": url});
        platform.done(&seller, "/subscriptions", body).await;
    }
    let listing = platform.listing(&seller, json!({})).await;
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    let attempts = platform.server.webhooks();
    assert_eq!(attempts.len(), 4);
    for attempt in attempts {
        assert!(attempt.error.unwrap().contains("the mock server itself"), "{}", attempt.url);
    }
    let url = format!("http://127.0.0.1:{port}/_mock/reset");
    let proposal = json!({"listing_id": listing["id"], "verification_url": url});
    let trade = platform.done(&buyer, "/trades", proposal).await;
    platform.act(&seller, &trade, "accept").await;
    let trade = platform.done(&seller, &action_path(&trade, "deliver"), result()).await;
    assert_eq!(trade["delivery_verified"], false);
}

/// A port that is forwarded to the server is one that the server does not know.
#[tokio::test]
async fn a_forwarded_webhook_does_not_reach_the_server() {
    let platform = Platform::start().await;
    let forwarded = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (here, there) = (forwarded.local_addr().unwrap(), platform.server.addr());
    let forward = tokio::spawn(async move {
        let (mut from, _) = forwarded.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(there).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    });
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let url = format!("http://{here}/_mock/reset");
    let body = json!({"event_type": "trade_proposed", "webhook_url": url});
    platform.done(&seller, "/subscriptions", body).await;
    let listing = platform.listing(&seller, json!({})).await;
    platform.propose(&buyer, &listing).await;
    let all = Conditions::new();
    let sent = platform.server.wait_for_webhooks(all, 1, Duration::from_secs(30)).await.unwrap();
    assert_eq!(sent[0].status, Some(403));
    platform.get(&seller, "/wallets/me").await;
    forward.abort();
}

#[tokio::test]
async fn own_replies_are_taken_for_nothing_else() {
    let server = MockServer::start().await;
    for path in ["/_mock/health", "/openapi.json", "/docs"] {
        let reply = send(&server, Method::GET, path, "", Value::Null).await;
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
    }
    #[cfg(feature = "swagger-ui")]
    {
        let page = send(&server, Method::GET, "/docs", "", Value::Null).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
        assert!(!page.text.contains("<script>"), "no script in the page");
        let start = send(&server, Method::GET, "/docs/start.js", "", Value::Null).await;
        assert_eq!(start.headers["content-type"], "text/javascript");
    }
}

#[rstest]
#[case::vendor("/api/v1/trades/x", "GET, HEAD, OPTIONS")]
#[case::many("/api/v1/listings/x", "GET, PUT, DELETE, HEAD, OPTIONS")]
#[case::control("/_mock/reset", "POST, OPTIONS")]
#[tokio::test]
async fn options_names_the_methods(#[case] path: &str, #[case] allow: &str) {
    let server = MockServer::start().await;
    let reply = send(&server, Method::OPTIONS, path, "", Value::Null).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    let given: Vec<_> = reply.headers.get_all("allow").iter().collect();
    assert_eq!(given, [allow]);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = MockServer::start().await;
    let org = server.create_org(Plan::Free);
    for path in ["/api/v1/usage", "/_mock/health", "/openapi.json"] {
        let get = send(&server, Method::GET, path, org.key(), Value::Null).await;
        let head = send(&server, Method::HEAD, path, org.key(), Value::Null).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{path}: {name}");
        }
    }
}
