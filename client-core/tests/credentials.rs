//! Where keys are sent, and where they are not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Credential, Error, ErrorKind, Reply, Secret, Transport,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{KEY, Log, SCHEME, get, post, send, transport};
use wiremock::matchers::{any, header, header_exists, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn a_call_carries_the_key_of_its_scheme_and_no_other() {
    let server = MockServer::start().await;
    Mock::given(header("x-org-key", KEY))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!("with")))
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!("without")))
        .mount(&server)
        .await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    assert_eq!(send(&transport, get()).await.unwrap(), "with");
    assert_eq!(send(&transport, Call::get("/public").json()).await.unwrap(), "without");
}

#[tokio::test]
async fn a_missing_key_is_an_error_before_anything_is_sent() {
    let server = MockServer::start().await;
    let base_url = BaseUrl::parse(&server.uri()).unwrap();
    let transport = Async::new(base_url, Vec::new(), ClientOptions::new()).unwrap();
    let error = transport.send(get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert_eq!(error.to_string(), "GET /thing: this call needs the org key; set MACHINEID_ORG_KEY");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn no_redirect_is_followed_and_no_key_leaves(#[values(301, 302, 303, 307, 308)] status: u16) {
    let other = MockServer::start().await;
    for target in [other.uri(), "/elsewhere".to_owned()] {
        let server = MockServer::start().await;
        Mock::given(path("/thing"))
            .respond_with(ResponseTemplate::new(status).insert_header("location", &*target))
            .mount(&server)
            .await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        for call in [get(), post()] {
            let error = send(&transport, call).await.unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Redirect, Some(status)));
            assert!(error.to_string().contains("set the base URL"), "{error}");
        }
        assert_eq!(server.received_requests().await.unwrap().len(), 2);
    }
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[case::https("https://machineid.io")]
#[case::localhost("http://localhost:8080")]
#[case::name_under_localhost("http://mock.localhost:8080")]
#[case::localhost_in_capitals("http://LOCALHOST.:8080")]
#[case::ipv4_loopback("http://127.0.0.1")]
#[case::other_ipv4_loopback("http://127.9.9.9")]
#[case::ipv6_loopback_with_path("http://[::1]:1/api/v1/")]
fn a_base_url_is_https_or_on_this_machine(#[case] url: &str) {
    BaseUrl::parse(url).unwrap();
}

#[rstest]
#[case::plain_http("http://machineid.io")]
#[case::private_address("http://10.0.0.1")]
#[case::unspecified_address("http://0.0.0.0")]
#[case::localhost_as_subdomain("http://localhost.example.com")]
#[case::localhost_as_suffix("http://mylocalhost")]
#[case::loopback_as_subdomain("http://127.0.0.1.example.com")]
#[case::user_name("https://user@machineid.io")]
#[case::password("https://:password@machineid.io")]
#[case::query("https://machineid.io?key=1")]
#[case::fragment("https://machineid.io#key")]
#[case::other_scheme("ftp://machineid.io")]
#[case::no_scheme("machineid.io")]
#[case::empty("")]
fn any_other_base_url_is_refused(#[case] url: &str) {
    let error = BaseUrl::parse(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.to_string().contains("password@"), "{error}");
}

/// No resolver knows these names; one that answers for them all would send the key elsewhere.
#[rstest]
#[case::localhost("localhost")]
#[case::a_name_under_it("who.knows.this.localhost")]
#[case::with_a_dot("nobody.localhost.")]
#[tokio::test]
async fn localhost_is_this_machine_without_a_resolver(#[case] name: &str) {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(200).set_body_json(serde_json::json!({"here": true}));
    Mock::given(path("/thing")).respond_with(reply).mount(&server).await;
    let url = format!("http://{name}:{}", server.address().port());
    let (transport, _) = transport(&url, ClientOptions::new().max_attempts(1));
    assert_eq!(send(&transport, get()).await.unwrap()["here"], true);
}

#[test]
fn plain_http_can_be_allowed_explicitly() {
    BaseUrl::parse_insecure("http://machineid.io").unwrap();
}

#[rstest]
#[case::empty("")]
#[case::space("two words")]
#[case::line_break("line\nbreak")]
#[case::not_ascii("caf\u{e9}")]
#[case::tab("tab\t")]
fn a_key_that_is_no_header_value_is_refused_and_not_shown(#[case] key: &str) {
    let error = Credential::new(&SCHEME, Secret::new(key)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(key.is_empty() || !format!("{error} {error:?}").contains(key));
}

/// Sends the call to a server that answers everything. Returns the paths that it has received.
async fn paths(call: Call<Reply>) -> (Result<Reply, Error>, Vec<String>) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let result = transport.send(call).await;
    let requests = server.received_requests().await.unwrap();
    (result, requests.iter().map(|request| request.url.path().to_owned()).collect())
}

#[rstest]
#[case::empty("")]
#[case::dot(".")]
#[case::two_dots("..")]
#[case::line_break("a\nb")]
#[case::nul("\0")]
#[tokio::test]
async fn a_path_parameter_that_could_change_the_path_is_not_sent(#[case] id: &str) {
    let (result, paths) = paths(Call::get("/things/{id}").segment("id", id)).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(paths, [""; 0]);
}

#[rstest]
#[case::missing_segment("/things/{id}")]
#[case::two_dots("/a/../b")]
#[case::dot("/a/.")]
#[case::escaped_dots("/a/%2E%2e/b")]
#[case::backslashes("/a\\..\\b")]
#[case::query("/a?b")]
#[case::fragment("/a#b")]
#[case::nul("/a\0")]
#[case::no_slash("a")]
#[case::empty("")]
#[tokio::test]
async fn a_path_that_a_url_would_change_is_not_sent(#[case] path: &'static str) {
    let (result, paths) = paths(Call::get(path)).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(paths, [""; 0]);
}

#[rstest]
#[case::dots_and_slash("../x", "/things/..%2Fx")]
#[case::escaped_dots("%2e%2e", "/things/%252e%252e")]
#[case::query_and_fragment("a?b#c", "/things/a%3Fb%23c")]
#[case::placeholder("{id}", "/things/%7Bid%7D")]
#[tokio::test]
async fn a_path_parameter_is_escaped(#[case] id: &str, #[case] sent: &str) {
    let (result, paths) = paths(Call::get("/things/{id}").segment("id", id)).await;
    result.unwrap();
    assert_eq!(paths, [sent]);
}

#[rstest]
#[case::value_of_a_field(201, format!("{{\"price\":\"{KEY}\"}}"))]
#[case::end_of_the_excerpt(201, format!("{}{KEY}", "x".repeat(185)))]
#[case::error_message(
    400, format!("{{\"detail\":\"the password 'correct-horse' of {KEY} is too common\"}}")
)]
#[tokio::test]
async fn secrets_in_a_reply_are_redacted_in_its_error(#[case] status: u16, #[case] body: String) {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(status)
        .set_body_raw(body, "application/json")
        .insert_header("x-request-id", &*format!("id-{KEY}"));
    Mock::given(any()).respond_with(reply).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let password = Secret::new("correct-horse");
    let call = Call::post("/thing").auth(&SCHEME).secret(&password).json::<Vec<u8>>();
    let error = transport.send(call).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?} {:?}", error.excerpt(), error.request_id());
    assert!(!shown.contains(&KEY[..12]) && !shown.contains("correct-horse"), "{shown}");
}

#[tokio::test]
async fn a_refused_path_parameter_is_not_shown() {
    let (result, _) = paths(Call::get("/claim/{token}").segment("token", "hush\u{7}")).await;
    assert!(!format!("{:?}", result.unwrap_err()).contains("hush"));
}

/// One test, because the subscriber is global. It captures everything that this crate and the HTTP
/// library log about a call, at the most verbose level.
#[tokio::test]
async fn the_span_describes_the_call_and_no_log_has_the_key() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let server = MockServer::start().await;
    Mock::given(header_exists("x-org-key"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    // The server repeats the key in its answer.
    let echo = json!({"error": {"code": KEY, "message": format!("bad key {KEY}")},
        "request_id": format!("id-{KEY}")});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(401).set_body_json(echo))
        .mount(&server)
        .await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());

    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.request_id(), Some("id-[REDACTED]"));
    let html = Call::get("/html").auth(&SCHEME).decode(|reply: &Reply| reply.json::<Value>());
    let unreadable = transport.send(html).await;
    let shown = format!("{error} {error:?} {unreadable:?} {transport:?}");
    assert!(!shown.contains(KEY), "{shown}");

    let log = log.text();
    assert!(!log.contains(KEY), "{log}");
    let span = r#"call{otel.kind="client" http.request.method="GET" url.template="/thing""#;
    assert!(log.contains(span), "{log}");
    assert!(log.contains("attempt=1 http.response.status_code=503"), "{log}");
    assert!(log.contains("attempt=2"), "{log}");
    assert!(log.contains(r#"request_id="id-[REDACTED]""#), "{log}");
}
