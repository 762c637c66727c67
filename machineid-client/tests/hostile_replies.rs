//! Generated replies: not one permit but for the exact allow.
//!
//! `FULL_SIZE=1 cargo test -p machineid-client --test hostile_replies` is the full size.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use std::time::Duration;

use hostile::{Framing, MAX_BODY, Reply, SendError, Server, raw};
use machineid_client::{ClientOptions, Denied, Gate, MockClock, Permit};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::{KEY, allow, builder, client, device, server};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Enough for what is said to never end.
const SHORT: Duration = Duration::from_millis(50);

/// As many servers are asked at the same time.
const WORKERS: u8 = 4;

fn statuses() -> impl Strategy<Value = u16> {
    prop_oneof![
        12 => Just(200_u16),
        2 => 200_u16..300,
        1 => select(vec![301_u16, 302, 303, 304, 307, 308]),
        1 => select(vec![400_u16, 401, 403, 404, 408, 429, 500, 502, 503, 504]),
        2 => 100_u16..1000,
    ]
}

fn headers() -> impl Strategy<Value = Vec<String>> {
    let harmless = [
        "content-type: application/json",
        "Content-Type:application/JSON; charset=utf-8",
        "content-encoding: identity",
        "location: /elsewhere",
        "set-cookie: allowed=true",
        "x-request-id: 5f2e7c1a",
        "retry-after: 1",
        "allowed: true",
        "connection: close",
    ];
    let telling = [
        "content-type: text/html",
        "content-type: text/plain; application/json",
        "content-type: application/jsonp",
        "content-type: application/json, text/html",
        "content-type:",
        "content-encoding: gzip",
        "content-encoding: br",
        "content-encoding: identity, deflate",
        "no colon",
        "two words: x",
        ": nameless",
        "x: \u{1}",
    ];
    let fixed = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    prop_oneof![
        8 => prop::collection::vec(select(fixed(&harmless)), 0..4),
        1 => prop::collection::vec(select(fixed(&[&harmless[..], &telling[..]].concat())), 1..4),
        1 => "[a-z]{1,8}: [ -~]{0,20}".prop_map(|line| vec![line]),
        1 => Just(vec!["x-many: 1".to_owned(); 120]),
    ]
}

fn values(right: &'static str) -> impl Strategy<Value = String> {
    let near = [
        "true",
        "false",
        "null",
        "1",
        "1.0",
        "\"true\"",
        "TRUE",
        "[true]",
        "{\"allowed\":true}",
        "",
        "\"ALLOW\"",
        "\"allow\"",
        "\"ALLOW \"",
        "\"ALLOW\\u0000\"",
        "\"DEVICE_REVOKED\"",
        "ALLOW",
        "'ALLOW'",
        "[\"ALLOW\"]",
        "{\"code\":\"ALLOW\"}",
        "\"\\u0041LLOW\"",
        "\t true\r\n",
        "tru",
    ];
    prop_oneof![
        12 => Just(right.to_owned()),
        3 => select(near.map(str::to_owned).to_vec()),
        1 => "[ -~]{0,8}",
        1 => any::<i64>().prop_map(|number| number.to_string()),
    ]
}

/// A field beside the two that decide, or one of them again.
fn more() -> impl Strategy<Value = String> {
    let fields = [
        "\"request_id\":\"5f2e7c1a\"",
        "\"key\":\"org_0123456789abcdef\"",
        "\"extra\":{\"allowed\":false,\"code\":\"DEVICE_REVOKED\"}",
        "\"extra\":{\"a\":1,\"a\":2}",
        "\"Allowed\":false",
        "\"allowed \":false",
        "\"deviceId\":\"agent-01\"",
        "\"deviceId\":\"agent-02\"",
        "\"deviceId\":null",
        "\"deviceId\":[\"agent-01\"]",
        "\"status\":\"error\"",
        "\"\":[[[]]]",
    ];
    let again = [
        "\"allowed\":true",
        "\"allowed\":false",
        "\"code\":\"ALLOW\"",
        "\"code\":\"ORG_DISABLED\"",
        "\"\\u0061llowed\":true",
        "\"c\\u006fde\":\"ALLOW\"",
        "\"x\":1,\"x\":2",
    ];
    prop_oneof![
        8 => select(fields.map(str::to_owned).to_vec()),
        2 => select(again.map(str::to_owned).to_vec()),
        1 => "\"[a-z]{1,8}\":\"[a-z]{0,8}\"",
        1 => "[ -~]{0,12}",
        1 => (MAX_BODY - 100..MAX_BODY + 100).prop_map(|long| format!("\"x\":\"{}\"", "x".repeat(long))),
    ]
}

fn objects() -> impl Strategy<Value = String> {
    let fields = (values("true"), values("\"ALLOW\""), prop::collection::vec(more(), 0..3));
    let fields = fields.prop_map(|(allowed, code, mut more)| {
        more.extend([format!("\"allowed\":{allowed}"), format!("\"code\":{code}")]);
        more
    });
    fields.prop_shuffle().prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let wrappings = [
        ("{\"data\":", "}"),
        ("[", "]"),
        ("\u{feff}", ""),
        ("<html>", "</html>"),
        ("", "x"),
        ("", ",{}"),
        ("", "\0"),
        (")]}',\n", ""),
        ("callback(", ")"),
        ("{\"allowed\":false}", ""),
    ];
    let wrapped = prop_oneof![
        12 => Just(("", "")),
        2 => Just((" \n", "\r\n\t ")),
        2 => select(wrappings.to_vec()),
    ];
    let whole = (wrapped, objects())
        .prop_map(|((before, after), object)| format!("{before}{object}{after}").into_bytes());
    let damaged = (whole, 0..12_u8, any::<prop::sample::Index>(), any::<u8>());
    let damaged = damaged.prop_map(|(mut body, damage, at, byte)| {
        let at = at.index(body.len());
        match damage {
            0 => body.truncate(at),
            1 => body[at] ^= 1 << (byte % 8),
            2 => body.insert(at, byte),
            3 => drop(body.remove(at)),
            _ => {}
        }
        body
    });
    prop_oneof![
        15 => damaged,
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let framings = prop_oneof![
        8 => Just(Framing::Length),
        2 => Just(Framing::Chunked),
        1 => Just(Framing::UntilClose),
        1 => Just(Framing::Short),
        1 => Just(Framing::Unfinished),
    ];
    let pieces = prop_oneof![8 => Just(usize::MAX), 1 => 1..40_usize];
    (statuses(), headers(), bodies(), framings, pieces).prop_map(
        |(status, headers, body, framing, piece)| Reply { status, headers, body, framing, piece },
    )
}

/// Asks about `count` generated replies and gives how many allowed.
async fn ask(seed: u8, count: usize) -> usize {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let replies = replies();
    let mut next = || replies.new_tree(&mut runner).unwrap().current();
    let server = Server::start().await;
    // The pause that a 429 asks for takes no real time.
    let options = ClientOptions::new().max_reply_bytes(MAX_BODY).clock(MockClock::new(0.0));
    let client = builder(&server.url).options(options).build().unwrap();
    let gate = Gate::new(&client, device());
    let mut permits = 0;
    for _ in 0..count {
        let reply = next();
        server.answer_with(reply.clone());
        let permit = gate.check().await;
        assert_eq!(permit.is_ok(), reply.allows(), "{reply:?}\n{permit:?}");
        permits += usize::from(permit.is_ok());
    }
    permits
}

#[tokio::test(flavor = "multi_thread")]
async fn no_generated_reply_permits_but_the_exact_allow() {
    let count = if std::env::var_os("FULL_SIZE").is_some() { 100_000 } else { 4_000 };
    let each = count / usize::from(WORKERS);
    let workers: Vec<_> = (0..WORKERS).map(|seed| tokio::spawn(ask(seed, each))).collect();
    let mut permits = 0;
    for worker in workers {
        permits += worker.await.unwrap();
    }
    println!("{permits} of {count} allowed");
    assert!((count / 20..count / 2).contains(&permits), "{permits}: the generator is one-sided");
}

/// What a gate whose client has set no limit but this one makes of these bytes.
async fn check_raw(reply: Vec<u8>, ending: SendError, limit: Duration) -> Result<Permit, Denied> {
    let url = raw(reply, ending).await;
    let options = ClientOptions::new().attempt_timeout(limit);
    Gate::new(&builder(&url).options(options).build().unwrap(), device()).check().await
}

#[tokio::test]
async fn a_reply_without_an_end_denies_within_the_limits() {
    let exact = r#"{"allowed":true,"code":"ALLOW"}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    // What the cases below differ from.
    let fine = format!("{head}content-length: {}\r\n\r\n{exact}", exact.len());
    assert!(check_raw(fine.into_bytes(), SendError::Close, LONG).await.is_ok());

    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let again = "HTTP/1.1 100 Continue\r\n\r\n";
    for (reply, ending, limit) in [
        (String::new(), SendError::Close, LONG),
        (String::new(), SendError::Hang, SHORT),
        ("HTTP/1.1 200 OK\r\nx: ".to_owned(), SendError::Repeat("y"), LONG),
        (again.to_owned(), SendError::Repeat(again), SHORT),
        (format!("{head}content-length: 32\r\n\r\n{exact}"), SendError::Close, LONG),
        (format!("{head}content-length: 32\r\n\r\n{exact}"), SendError::Hang, SHORT),
        (format!("{head}\r\n{exact}"), SendError::Hang, SHORT),
        (format!("{head}\r\n{exact}"), SendError::Repeat(" "), LONG),
        (format!("{chunked}1f\r\n{exact}\r\n"), SendError::Hang, SHORT),
        (chunked, SendError::Repeat("1\r\n \r\n"), SHORT),
    ] {
        let denied = check_raw(reply.clone().into_bytes(), ending, limit).await.expect_err(&reply);
        assert!(denied.is_outage(), "{reply} {denied:?}");
    }
}

/// The client takes its own key out of a reply before it reads it.
#[tokio::test]
async fn a_body_that_is_no_json_does_not_become_json_without_the_key() {
    for (before, after) in [(&b""[..], &b"\xff"[..]), (b"\xc3", b""), (b"\xed\xa0\x80", b"")] {
        let start = br#"{"allowed":true,"code":"ALLOW","key":""#;
        let body = [start, before, KEY.as_bytes(), after, b"\"}"].concat();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let reply = [head.as_bytes(), &body].concat();
        assert!(check_raw(reply, SendError::Close, LONG).await.unwrap_err().is_outage());
    }
}

/// The exact allow, compressed by gzip.
const GZIPPED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\xcc\xc9\xc9\x2f\x4f\x4d\x51\xb2\x2a\x29\x2a\x4d\xd5\x51\x4a\xce\x4f\x49\x55\xb2\x52\x72\xf4\xf1\xf1\x0f\x57\xaa\x05\x00\x01\x57\x1d\x80\x1f\x00\x00\x00";

#[tokio::test]
async fn a_compressed_reply_is_neither_asked_for_nor_unpacked() {
    for label in ["", "content-encoding: gzip\r\n"] {
        let mut reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{label}content-length: {}\r\n\r\n",
            GZIPPED.len()
        )
        .into_bytes();
        reply.extend_from_slice(GZIPPED);
        assert!(check_raw(reply, SendError::Close, LONG).await.unwrap_err().is_outage());
    }
    let server = server(200, &allow()).await;
    let _permit = Gate::new(&client(&server), device()).check().await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert!(!request.headers.contains_key("accept-encoding"), "{request:?}");
}

#[tokio::test]
async fn a_redirect_to_a_server_that_allows_denies() {
    let allowing = server(200, &allow()).await;
    for status in [301, 302, 303, 307, 308] {
        for target in [allowing.uri(), "/allow".to_owned()] {
            let server = MockServer::start().await;
            let away = ResponseTemplate::new(status)
                .insert_header("location", &*target)
                .set_body_json(allow());
            Mock::given(path("/api/v1/devices/validate")).respond_with(away).mount(&server).await;
            let here = ResponseTemplate::new(200).set_body_json(allow());
            Mock::given(path("/allow")).respond_with(here).mount(&server).await;
            let denied = Gate::new(&client(&server), device()).check().await.unwrap_err();
            assert!(denied.is_outage(), "{denied:?}");
            assert_eq!(server.received_requests().await.unwrap().len(), 1);
        }
    }
    assert!(allowing.received_requests().await.unwrap().is_empty());
}
