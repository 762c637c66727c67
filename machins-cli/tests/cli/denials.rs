//! Replies that look like a yes: `validate` and `guard` exit 3 for each.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use machins_mock::{MockServer, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::Home;
use crate::hook::{RUNTIMES, blocked, event};
use crate::stub::{self, Reply};

const EXACT: &str = r#"{"allowed":true,"code":"ALLOW","request_id":"r1"}"#;
const JSON: &str = "content-type: application/json\r\n";

/// What follows the bytes of a reply.
#[derive(Clone, Copy)]
enum AfterReply {
    Close,
    Hang,
}

/// A server whose devices are all registered, and which answers anything else with these bytes.
/// Gives its URL.
fn answering(reply: Vec<u8>, after: AfterReply) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut hanging = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read_request(&mut stream);
            let registered = whole(200, JSON, r#"{"status":"ok"}"#);
            let is_registration = request.starts_with("POST /api/v1/devices/register ");
            // A client that has had enough closes.
            let _ = stream.write_all(if is_registration { &registered } else { &reply });
            if matches!(after, AfterReply::Hang) && !is_registration {
                hanging.push(stream);
            }
        }
    });
    url
}

/// Reads a request whose body is one JSON object without braces in it.
fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    while !bytes.ends_with(b"}") {
        match stream.read(&mut piece) {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn whole(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The codes of `validate` and `guard` for this reply, and what they printed.
fn exits(reply: Vec<u8>, after: AfterReply) -> ([Option<i32>; 2], String) {
    let home = Home::new()
        .with("MACHINEID_BASE_URL", &answering(reply, after))
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
        .with("MACHINEID_DEVICE_ID", "agent-01");
    let limit = match after {
        AfterReply::Close => "30",
        AfterReply::Hang => "0.5",
    };
    let validate = home.run(&["--timeout", limit, "validate"]);
    let guard = home.run(&["--timeout", limit, "guard", "--", "echo", "started"]);
    ([validate.code, guard.code], validate.stdout + &guard.stdout)
}

#[test]
fn only_the_exact_allow_exits_0() {
    let (codes, shown) = exits(whole(200, JSON, EXACT), AfterReply::Close);
    assert_eq!((codes, shown.contains("started")), ([Some(0); 2], true), "{shown}");

    let body = |body: &str| (whole(200, JSON, body), AfterReply::Close);
    let status = |status| (whole(status, JSON, EXACT), AfterReply::Close);
    let labelled = |headers: &str| (whole(200, headers, EXACT), AfterReply::Close);
    let with = |field: &str| EXACT.replacen('{', &format!("{{{field},"), 1);
    let raw = |text: String, after| (text.into_bytes(), after);
    let cut = || format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 99\r\n\r\n{EXACT}");
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let cases = [
        ("empty body", body("")),
        ("HTML", body("<!doctype html><title>ALLOW</title>")),
        ("cut JSON", body(&EXACT[..EXACT.len() - 1])),
        ("only true", body("true")),
        ("list", body(r#"["ALLOW",true]"#)),
        ("allowed as text", body(r#"{"allowed":"true","code":"ALLOW","request_id":"r1"}"#)),
        ("allowed as number", body(r#"{"allowed":1,"code":"ALLOW","request_id":"r1"}"#)),
        ("allowed as null", body(r#"{"allowed":null,"code":"ALLOW","request_id":"r1"}"#)),
        ("allowed as list", body(r#"{"allowed":[true],"code":"ALLOW","request_id":"r1"}"#)),
        ("not allowed", body(r#"{"allowed":false,"code":"ALLOW","request_id":"r1"}"#)),
        ("no code", body(r#"{"allowed":true}"#)),
        ("no allowed", body(r#"{"code":"ALLOW"}"#)),
        ("another code", body(r#"{"allowed":true,"code":"DEVICE_REVOKED"}"#)),
        ("code in lower case", body(r#"{"allowed":true,"code":"allow"}"#)),
        ("allowed twice", body(r#"{"allowed":false,"code":"ALLOW","allowed":true}"#)),
        ("code twice", body(r#"{"allowed":true,"code":"ORG_DISABLED","code":"ALLOW"}"#)),
        ("no request id", body(r#"{"allowed":true,"code":"ALLOW"}"#)),
        ("status revoked", body(&with(r#""status":"revoked""#))),
        ("error", body(&with(r#""error":"device_revoked""#))),
        ("other device", body(&with(r#""device_id":"agent-02""#))),
        ("other handler", body(&with(r#""handler":"devices.revoke""#))),
        ("status 202", status(202)),
        ("status 206", status(206)),
        ("from a cache", labelled("age: 800000000\r\n")),
        ("other charset", labelled("content-type: application/json; charset=utf-16\r\n")),
        ("nested", body(r#"{"data":{"allowed":true,"code":"ALLOW"}}"#)),
        ("two documents", body(&format!("{EXACT}{EXACT}"))),
        ("nine megabytes", body(&format!("{EXACT}{}", " ".repeat(9 << 20)))),
        ("status 300", status(300)),
        ("status 400", status(400)),
        ("status 401", status(401)),
        ("status 403", status(403)),
        ("status 404", status(404)),
        ("status 500", status(500)),
        ("status 503", status(503)),
        ("redirect", (whole(302, "location: /elsewhere\r\n", EXACT), AfterReply::Close)),
        ("type HTML", labelled("content-type: text/html\r\n")),
        ("false encoding", labelled(gzip)),
        ("closed", raw(String::new(), AfterReply::Close)),
        ("no reply", raw(String::new(), AfterReply::Hang)),
        ("cut reply", raw(cut(), AfterReply::Close)),
        ("hanging reply", raw(cut(), AfterReply::Hang)),
        ("unknown version", raw(format!("HTTP/9.9 200 OK\r\n\r\n{EXACT}"), AfterReply::Close)),
        ("no HTTP", raw(EXACT.to_owned(), AfterReply::Close)),
    ];
    // All at once: many of them wait.
    let allowed: Vec<String> = thread::scope(|scope| {
        let running = cases.map(|(name, (reply, after))| {
            scope.spawn(move || {
                let (codes, shown) = exits(reply, after);
                let is_denied =
                    codes == [Some(3); 2] && !shown.contains("started") && !shown.contains("ALLOW");
                (!is_denied).then(|| format!("{name}: {codes:?} {shown}"))
            })
        });
        running.into_iter().filter_map(|case| case.join().unwrap()).collect()
    });
    assert!(allowed.is_empty(), "{allowed:#?}");
}

/// What `validate`, `guard` and `register` print, to people and to programs, with and without `-v`, if
/// a device is registered with the first reply and validated with the second.
fn printed(registration: (u16, Value), decision: (u16, Value)) -> String {
    let url = stub::serve(move |request| {
        let is_registration = request.head.starts_with("POST /api/v1/devices/register ");
        let (status, body) = if is_registration { &registration } else { &decision };
        Reply::json(*status, body)
    });
    let home = Home::new()
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
        .with("MACHINEID_DEVICE_ID", "agent-01");
    let mut printed = String::new();
    for command in [&["validate"][..], &["guard", "--", "echo", "started"], &["register"]] {
        for flags in [
            &["--timeout", "0.5"][..],
            &["--timeout", "0.5", "--json"],
            &["--timeout", "0.5", "-v"],
        ] {
            let ran = home.run(&[flags, command].concat());
            assert!(ran.code != Some(0) || command == ["register"], "{ran:?}");
            printed += &(ran.stdout + &ran.stderr);
        }
    }
    printed
}

/// A party that is denied does what it reads.
#[track_caller]
fn says_not_how_to_undo_it(printed: &str) {
    // These are in the paths and in the service's own words.
    let text = printed.replace("/devices/register", "").replace("is_registered", "");
    for word in ["machins ", "unrevoke", "restore", "checkout", "upgrade", "remove", "register "] {
        assert!(!text.contains(word), "{word:?} in {printed}");
    }
}

#[rstest]
#[case::org_disabled("ORG_DISABLED", 403)]
#[case::unavailable("SYSTEM_UNAVAILABLE", 503)]
#[case::plan_frozen("PLAN_FROZEN", 403)]
#[case::entitlement_expired("ENTITLEMENT_EXPIRED", 402)]
#[case::device_revoked("DEVICE_REVOKED", 403)]
#[case::device_not_found("DEVICE_NOT_FOUND", 404)]
#[case::org_not_found("ORG_NOT_FOUND", 404)]
#[case::invalid_org_key("INVALID_ORG_KEY", 401)]
#[case::invalid_device_id("INVALID_DEVICE_ID", 400)]
#[case::unknown("NOT_TODAY", 403)]
fn no_decision_is_told_how_to_undo_it(#[case] code: &str, #[case] status: u16) {
    let decision = json!({"allowed": false, "code": code, "request_id": "r1"});
    let printed = printed((200, json!({"status": "ok"})), (status, decision));
    says_not_how_to_undo_it(&printed);
    let names_who_decides =
        printed.contains("operator of this org decides") && printed.contains("the org's operator");
    let nobody_decides = ["SYSTEM_UNAVAILABLE", "INVALID_DEVICE_ID"].contains(&code);
    assert!(names_who_decides || nobody_decides, "{printed}");
}

#[rstest]
#[case::full(json!({"status": "blocked", "error": "device_limit_reached", "limit": 3, "devicesUsed": 3}))]
#[case::revoked(json!({"status": "revoked"}))]
#[case::frozen(json!({"status": "error", "error": "plan_frozen"}))]
#[case::other(json!({"status": "later"}))]
fn no_registration_is_told_how_to_undo_it(#[case] reply: Value) {
    let decision = json!({"allowed": false, "code": "DEVICE_NOT_FOUND", "request_id": "r1"});
    let printed = printed((200, reply), (404, decision));
    says_not_how_to_undo_it(&printed);
    assert!(printed.contains("the operator of this org decides; ask them"), "{printed}");
    assert!(printed.contains("the org's operator decides"), "{printed}");
}

/// What has an id has a status, too.
#[rstest]
#[case::frozen(OrgUpdate::new().frozen(true), 403)]
#[case::disabled(OrgUpdate::new().execution_enabled(false), 200)]
#[case::expired(OrgUpdate::new().entitlement_active(false), 200)]
fn a_denial_has_the_status_of_its_reply(#[case] state: OrgUpdate, #[case] status: u16) {
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org);
    home.run(&["register", "agent-01"]).exits(0);
    org.update(state).unwrap();
    let guard = ["guard", "--json", "--device", "agent-01", "--", "true"];
    let denied = home.run(&guard).exits(3).error();
    assert!(denied["request_id"].is_string(), "{denied}");
    assert_eq!(denied["status"], status, "{denied}");
    let validated = home.run(&["validate", "--json", "agent-01"]).exits(3).error();
    assert_eq!(validated["status"], 200, "{validated}");
}

#[test]
fn a_device_that_is_not_registered_has_the_status_of_the_reply() {
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org);
    home.run(&["register", "agent-01"]).exits(0);
    home.run(&["revoke", "agent-01"]).exits(0);
    let registered = home.run(&["register", "--json", "agent-01"]).exits(1).error();
    assert_eq!(registered["status"], 403, "{registered}");
    let guard = ["guard", "--json", "--device", "agent-01", "--", "true"];
    assert_eq!(home.run(&guard).exits(3).error()["status"], 403);
}

/// A shell sets the variable only for the calls of its completion script, but it may be left over in
/// an environment.
#[rstest]
fn a_completion_variable_opens_no_gate(
    #[values("bash", "zsh", "fish", "elvish", "refresh:devices", "1", "x")] shell: &str,
) {
    let home = Home::new().with("MACHINS_COMPLETE", shell).with("MACHINS_COMPLETE_LINE", "machins");
    home.run(&["validate", "nobody"]).exits(4);
    home.run(&["guard", "--device", "agent-01", "--", "touch", "ran"]).exits(4);
    #[cfg(feature = "mcp")]
    home.run(&["mcp", "gate", "--device", "agent-01", "--", "touch", "ran"]).exits(4);
    assert!(!home.path().join("ran").exists());
    for runtime in RUNTIMES {
        for input in ["{bad", event(runtime)] {
            blocked(runtime, &home.run_with_stdin(&["hook", "run", runtime], input));
        }
    }
    let url = answering(whole(200, JSON, &EXACT.replace("ALLOW", "NO")), AfterReply::Close);
    let denied = home
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
        .with("MACHINEID_DEVICE_ID", "agent-01");
    denied.run(&["validate"]).exits(3);
    denied.run(&["guard", "--", "touch", "ran"]).exits(3);
    assert!(!denied.path().join("ran").exists());
}

#[rstest]
#[case::guard("guard --bad -- git hook run")]
#[case::mock_exec("mock exec --bad -- hook x run claude")]
fn the_words_of_a_command_make_no_hook_of_guard(#[case] line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let ran = Home::new().run(&words).exits(2);
    assert!(ran.stderr.contains("unexpected argument '--bad'"), "{ran:?}");
    assert!(ran.stderr.contains("Usage:"), "{ran:?}");
}
