//! Generated replies: only an exact allow gives a permit.
//!
//! `FULL_SIZE=1 cargo test -p machineid-client --test hostile_replies` is the full size.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use std::time::Duration;

use hostile::{AfterReply, Framing, Judge, MAX_BODY, NEW_ID, Reply, STORED_ID, Server, raw};
use machineid_client::{ClientOptions, Denied, Gate, InvalidAllow, MockClock, Permit};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rstest::rstest;
use support::{KEY, allow, allowing_server, builder, client, device};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A time limit that no test here reaches.
const LONG: Duration = Duration::from_secs(30);

/// A time limit for replies that never end.
const SHORT: Duration = Duration::from_millis(50);

/// The number of servers that are asked at the same time.
const WORKERS: u8 = 4;

fn statuses() -> impl Strategy<Value = u16> {
    prop_oneof![
        12 => Just(200_u16),
        1 => Just(201_u16),
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
        "content-type: application/json; charset=\"UTF-8\"",
        "content-encoding: identity",
        "age: 0",
        "cache-control: max-age=60",
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
        "content-type: application/json; charset=utf-16",
        "content-type: application/json; x=y; charset=iso-8859-1",
        "age: 1",
        "Age:800000000",
        "age: soon",
        "age: 0, 7",
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

/// A field beside `allowed` and `code`, or one of these two again.
fn more() -> impl Strategy<Value = String> {
    let fields = [
        "\"key\":\"org_0123456789abcdef\"",
        "\"extra\":{\"allowed\":false,\"code\":\"DEVICE_REVOKED\"}",
        "\"extra\":{\"a\":1,\"a\":2}",
        "\"Allowed\":false",
        "\"allowed \":false",
        "\"deviceId\":\"agent-01\"",
        "\"deviceId\":\"agent-02\"",
        "\"deviceId\":null",
        "\"deviceId\":[\"agent-01\"]",
        "\"device_id\":\"agent-01\"",
        "\"device_id\":\"agent-02\"",
        "\"status\":\"ok\"",
        "\"status\":\"active\"",
        "\"status\":\"revoked\"",
        "\"status\":\"Blocked\"",
        "\"status\":\"error\"",
        "\"status\":\"not_found\"",
        "\"status\":\"suspended\"",
        "\"status\":\"device_revoked\"",
        "\"status\":null",
        "\"revoked\":true",
        "\"revoked\":false",
        "\"revoked\":null",
        "\"error\":\"device_revoked\"",
        "\"error\":null",
        "\"handler\":\"devices/validate\"",
        "\"handler\":\"devices.validate\"",
        "\"handler\":\"devices/validate_v2\"",
        "\"handler\":\"devices-revoke\"",
        "\"handler\":\"devices_unrevoke_batch\"",
        "\"handler\":\"/api/v1/usage\"",
        "\"handler\":\"Devices.List\"",
        "\"handler\":[\"devices/validate\"]",
        "\"\":[[[]]]",
    ];
    let again = [
        "\"allowed\":true",
        "\"allowed\":false",
        "\"code\":\"ALLOW\"",
        "\"code\":\"ORG_DISABLED\"",
        "\"request_id\":\"5f2e7c1a\"",
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

/// A new request id or, seldom, a used one, none or no text.
fn request_ids() -> impl Strategy<Value = Option<String>> {
    let text = |id: &str| Some(format!("\"request_id\":\"{id}\""));
    prop_oneof![
        18 => Just(text(NEW_ID)),
        2 => Just(text(STORED_ID)),
        1 => Just(text("")),
        1 => Just(None),
        1 => select(vec!["null", "7", "[\"x\"]", "{\"a\":\"b\"}"])
            .prop_map(|other| Some(format!("\"request_id\":{other}"))),
    ]
}

fn objects() -> impl Strategy<Value = String> {
    let more = prop::collection::vec(more(), 0..3);
    let fields = (values("true"), values("\"ALLOW\""), request_ids(), more);
    let fields = fields.prop_map(|(allowed, code, request_id, mut more)| {
        more.extend([format!("\"allowed\":{allowed}"), format!("\"code\":{code}")]);
        more.extend(request_id);
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
        1 => Just(Framing::LengthAndChunked),
        1 => Just(Framing::Short),
        1 => Just(Framing::Unfinished),
    ];
    let pieces = prop_oneof![8 => Just(usize::MAX), 1 => 1..40_usize];
    (statuses(), headers(), bodies(), framings, pieces).prop_map(
        |(status, headers, body, framing, piece)| Reply { status, headers, body, framing, piece },
    )
}

/// Checks against `count` generated replies and returns how many gave a permit.
async fn check_generated(seed: u8, count: usize) -> usize {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let replies = replies();
    let mut next = || replies.new_tree(&mut runner).unwrap().current();
    let server = Server::start().await;
    // The wait that a 429 asks for takes no real time.
    let options = ClientOptions::new().max_reply_bytes(MAX_BODY).clock(MockClock::new(0.0));
    let client = builder(&server.url).options(options).build().unwrap();
    let gate = Gate::new(&client, device());
    let mut judge = Judge::default();
    for _ in 0..count {
        let reply = judge.with_new_id(next());
        server.answer_with(reply.clone());
        let permit = gate.check().await;
        let request_id = permit.as_ref().ok().map(|permit| permit.request_id().unwrap());
        let judged = judge.judge(&reply, request_id);
        assert!(judged.is_ok(), "{judged:?}: {reply:?}\n{permit:?}");
    }
    judge.permits()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_exact_allow_gives_a_permit() {
    let count = if std::env::var_os("FULL_SIZE").is_some() { 100_000 } else { 4_000 };
    let each = count / usize::from(WORKERS);
    let workers: Vec<_> =
        (0..WORKERS).map(|seed| tokio::spawn(check_generated(seed, each))).collect();
    let mut permits = 0;
    for worker in workers {
        permits += worker.await.unwrap();
    }
    println!("{permits} of {count} allowed");
    assert!((count / 20..count / 2).contains(&permits), "{permits}: the generator is one-sided");
}

/// Checks against a server that answers with these bytes, with this time limit for an attempt.
async fn check_raw(reply: Vec<u8>, after: AfterReply, limit: Duration) -> Result<Permit, Denied> {
    let url = raw(reply, after).await;
    let options = ClientOptions::new().attempt_timeout(limit);
    Gate::new(&builder(&url).options(options).build().unwrap(), device()).check().await
}

/// A body that allows.
const EXACT: &str = r#"{"allowed":true,"code":"ALLOW","request_id":"r1"}"#;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// The reply that those of the next test differ from.
#[tokio::test]
async fn a_complete_raw_reply_allows() {
    let reply = format!("{HEAD}content-length: {}\r\n\r\n{EXACT}", EXACT.len());
    assert!(check_raw(reply.into_bytes(), AfterReply::Close, LONG).await.is_ok());
}

#[tokio::test]
async fn a_reply_with_two_lengths_denies() {
    let length = EXACT.len();
    let head = format!("{HEAD}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n");
    let reply = format!("{head}{length:x}\r\n{EXACT}\r\n0\r\n\r\n");
    let denied = check_raw(reply.into_bytes(), AfterReply::Close, LONG).await.unwrap_err();
    assert_eq!(denied.invalid_allow(), Some(InvalidAllow::TwoLengths));
}

#[rstest]
#[case::closed_at_once("", AfterReply::Close, LONG)]
#[case::no_reply("", AfterReply::Hang, SHORT)]
#[case::endless_header("HTTP/1.1 200 OK\r\nx: ", AfterReply::Repeat("y"), LONG)]
#[case::endless_continue(CONTINUE, AfterReply::Repeat(CONTINUE), SHORT)]
#[case::short(&format!("{HEAD}content-length: 50\r\n\r\n{EXACT}"), AfterReply::Close, LONG)]
#[case::short_and_open(&format!("{HEAD}content-length: 50\r\n\r\n{EXACT}"), AfterReply::Hang, SHORT)]
#[case::no_length_and_open(&format!("{HEAD}\r\n{EXACT}"), AfterReply::Hang, SHORT)]
#[case::endless_blanks(&format!("{HEAD}\r\n{EXACT}"), AfterReply::Repeat(" "), LONG)]
#[case::no_last_chunk(
    &format!("{HEAD}transfer-encoding: chunked\r\n\r\n31\r\n{EXACT}\r\n"), AfterReply::Hang, SHORT
)]
#[case::endless_chunks(
    &format!("{HEAD}transfer-encoding: chunked\r\n\r\n"), AfterReply::Repeat("1\r\n \r\n"), SHORT
)]
#[tokio::test]
async fn a_reply_without_an_end_denies_within_the_limits(
    #[case] reply: &str,
    #[case] after: AfterReply,
    #[case] limit: Duration,
) {
    let denied = check_raw(reply.into(), after, limit).await.unwrap_err();
    assert!(denied.is_outage(), "{denied:?}");
}

/// The client redacts its own key in a reply before it parses the reply.
#[rstest]
#[case::invalid_byte_after_the_key(b"", b"\xff")]
#[case::cut_off_character_before_the_key(b"\xc3", b"")]
#[case::surrogate_before_the_key(b"\xed\xa0\x80", b"")]
#[tokio::test]
async fn redaction_does_not_make_an_invalid_body_valid(
    #[case] before: &[u8],
    #[case] after: &[u8],
) {
    let start = br#"{"allowed":true,"code":"ALLOW","request_id":"r1","key":""#;
    let body = [start, before, KEY.as_bytes(), after, b"\"}"].concat();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let reply = [head.as_bytes(), &body].concat();
    assert!(check_raw(reply, AfterReply::Close, LONG).await.unwrap_err().is_outage());
}

/// The exact allow, compressed by gzip.
const GZIPPED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\xcc\xc9\xc9\x2f\x4f\x4d\x51\xb2\x2a\x29\x2a\x4d\xd5\x51\x4a\xce\x4f\x49\x55\xb2\x52\x72\xf4\xf1\xf1\x0f\x57\xd2\x51\x2a\x4a\x2d\x2c\x4d\x2d\x2e\x89\xcf\x04\x2a\x50\x2a\x32\x54\xaa\x05\x00\xda\xa0\x31\x79\x31\x00\x00\x00";

#[rstest]
#[case::without_a_label("")]
#[case::labelled("content-encoding: gzip\r\n")]
#[tokio::test]
async fn a_compressed_reply_is_not_decompressed(#[case] label: &str) {
    let length = GZIPPED.len();
    let head = format!("{HEAD}{label}content-length: {length}\r\n\r\n");
    let reply = [head.as_bytes(), GZIPPED].concat();
    assert!(check_raw(reply, AfterReply::Close, LONG).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn a_compressed_reply_is_not_asked_for() {
    let server = allowing_server().await;
    let _permit = Gate::new(&client(&server), device()).check().await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert!(!request.headers.contains_key("accept-encoding"), "{request:?}");
}

#[rstest]
#[tokio::test]
async fn a_redirect_to_a_server_that_allows_denies(#[values(301, 302, 303, 307, 308)] status: u16) {
    let allowing = allowing_server().await;
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
    assert!(allowing.received_requests().await.unwrap().is_empty());
}
