//! Where keys go, and where they don't.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Credential, ErrorKind, Reply, Secret, Transport,
};
use serde_json::{Value, json};
use support::{KEY, Log, SCHEME, get, post, send, transport};
use wiremock::matchers::{any, header, header_exists, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn a_call_carries_the_key_that_it_names_and_no_other() {
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

#[tokio::test]
async fn no_redirect_is_followed_and_no_key_leaves() {
    let other = MockServer::start().await;
    for status in [301, 302, 303, 307, 308] {
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
    }
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for fine in [
        "https://machineid.io",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]:1/api/v1/",
    ] {
        BaseUrl::parse(fine).unwrap();
    }
    for refused in [
        "http://machineid.io",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "https://user@machineid.io",
        "https://:password@machineid.io",
        "https://machineid.io?key=1",
        "https://machineid.io#key",
        "ftp://machineid.io",
        "machineid.io",
        "",
    ] {
        let error = BaseUrl::parse(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{refused}");
        assert!(!error.to_string().contains("password@"), "{error}");
    }
    BaseUrl::parse_insecure("http://machineid.io").unwrap();
}

#[test]
fn a_key_that_is_no_header_value_is_refused_without_being_shown() {
    for bad in ["", "two words", "line\nbreak", "caf\u{e9}", "tab\t"] {
        let error = Credential::new(&SCHEME, Secret::new(bad)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
    }
}

#[tokio::test]
async fn path_parameters_can_not_change_the_path() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    for bad in ["", ".", "..", "a\nb", "\0"] {
        let call = Call::get("/things/{id}").segment("id", bad);
        let error = transport.send(call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    let error = transport.send(Call::get("/things/{id}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "a segment that was not given");
    for path in ["/a/../b", "/a/.", "/a/%2E%2e/b", "/a\\..\\b", "/a?b", "/a#b", "/a\0", "a", ""] {
        let error = transport.send(Call::get(path)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());

    for (id, sent) in [
        ("../x", "/things/..%2Fx"),
        ("%2e%2e", "/things/%252e%252e"),
        ("a?b#c", "/things/a%3Fb%23c"),
        ("{id}", "/things/%7Bid%7D"),
    ] {
        let call = Call::get("/things/{id}").segment("id", id);
        transport.send(call).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests.last().unwrap().url.path(), sent);
    }
}

/// A server may say anything back, in a success too.
#[tokio::test]
async fn what_a_server_repeats_is_taken_out_of_errors_and_their_sources() {
    let password = Secret::new("correct-horse");
    let bodies = [
        (201, format!("{{\"price\":\"{KEY}\"}}")),
        (201, format!("{}{KEY}", "x".repeat(185))),
        (400, format!("{{\"detail\":\"the password 'correct-horse' of {KEY} is too common\"}}")),
    ];
    for (status, body) in bodies {
        let server = MockServer::start().await;
        let reply = ResponseTemplate::new(status)
            .set_body_raw(body, "application/json")
            .insert_header("x-request-id", &*format!("id-{KEY}"));
        Mock::given(any()).respond_with(reply).mount(&server).await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        let call = Call::post("/thing").auth(&SCHEME).secret(&password).json::<Vec<u8>>();
        let error = transport.send(call).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {:?}", error.excerpt(), error.request_id());
        assert!(!shown.contains(&KEY[..12]) && !shown.contains("correct-horse"), "{shown}");
    }
    let secret = Call::get("/claim/{token}").segment("token", "hush\u{7}");
    let error =
        transport(&MockServer::start().await.uri(), ClientOptions::new()).0.send(secret).await;
    assert!(!format!("{:?}", error.unwrap_err()).contains("hush"));
}

/// One test, because the subscriber is this process's own. Everything that is said about a call
/// is caught, at the most talkative level, from this crate and from the HTTP library.
#[tokio::test]
async fn the_span_tells_the_call_and_nothing_tells_the_key() {
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
    // A server that repeats the key in its answer.
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
    let span = "call{method=GET path=/thing attempt=1 status=503";
    assert!(log.contains(span), "{log}");
    assert!(log.contains("attempt=2"), "{log}");
    assert!(log.contains(r#"request_id="id-[REDACTED]""#), "{log}");
}
