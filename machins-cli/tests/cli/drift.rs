//! `mock record` and `conformance`, in front of a second mock server that was altered on purpose.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use machins_mock::{MockServer, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, Ran};
use crate::stub::{self, Reply, Request};

/// One thing that is changed in the replies to a request.
#[derive(Clone, Debug)]
struct Alteration {
    /// The end of the request's path and query.
    request: &'static str,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Status(u16),
    /// What is at this JSON pointer is this.
    Value(&'static str, Value),
    /// This field is missing from the object at this JSON pointer.
    Missing(&'static str, &'static str),
}

/// The service: a mock server with something in each list, behind a proxy that alters its replies.
struct Service {
    server: MockServer,
    url: String,
    alterations: Arc<Mutex<Vec<Alteration>>>,
}

impl Service {
    fn start() -> Self {
        let server = MockServer::builder().start().unwrap();
        let fixtures = json!({
            "orgs": [{"org_key": "org_live", "plan": "pro", "devices": ["agent-01"], "revoked": ["agent-02"]}],
            "agents": [
                {"slug": "ada", "api_key": "at_live", "credits": 500},
                {"slug": "bob", "api_key": "at_bob", "credits": 500},
            ],
            "listings": [
                {"agent": "ada", "slug": "of-ada", "title": "A", "listing_type": "task", "price": 5},
                {"agent": "bob", "slug": "of-bob", "title": "B", "listing_type": "data", "price": 5},
            ],
            "trades": [
                {"listing": "of-ada", "buyer": "bob", "status": "completed"},
                {"listing": "of-bob", "buyer": "ada", "status": "escrow_held"},
            ],
            "subscriptions": [{"agent": "ada", "event_type": "new_agent", "webhook_url": "http://127.0.0.1:9/"}],
        });
        server.load_fixtures(&fixtures.to_string()).unwrap();
        let alterations = Arc::new(Mutex::new(Vec::new()));
        let (behind, altered) = (server.url(), Arc::clone(&alterations));
        let url = stub::serve(move |request| alter(&behind, &altered.lock().unwrap(), &request));
        Self { server, url, alterations }
    }

    fn home(&self) -> Home {
        Home::new()
            .with("MACHINEID_BASE_URL", &self.url)
            .with("MACHINS_BASE_URL", &format!("{}/api/v1", self.url))
            .with("MACHINEID_ORG_KEY", "org_live")
            .with("MACHINS_API_KEY", "at_live")
    }

    fn alter(&self, request: &'static str, change: Change) {
        self.alterations.lock().unwrap().push(Alteration { request, change });
    }
}

fn alter(behind: &str, alterations: &[Alteration], request: &Request) -> Reply {
    let mut reply = stub::forward(behind, request);
    let path = request.head.split(' ').nth(1).unwrap();
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
    let received = reply.status;
    let meant = alterations.iter().filter(|alteration| path.ends_with(alteration.request));
    // A refused key is not what is meant.
    for alteration in meant.filter(|_| received != 401) {
        match alteration.change.clone() {
            Change::Status(status) => reply.status = status,
            Change::Value(pointer, value) => match body.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => body[&pointer[1..]] = value,
            },
            Change::Missing(pointer, field) => {
                body.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            }
        }
    }
    Reply::json(reply.status, &body)
}

/// What differs, as `method path field kind`.
fn differences(report: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .flat_map(|check| {
            let call = format!("{} {}", text(&check["method"]), text(&check["path"]));
            let found = check["differences"].as_array().unwrap().iter();
            found.map(move |found| {
                format!("{call} {} {}", text(&found["field"]), text(&found["kind"]))
            })
        })
        .collect()
}

#[test]
fn a_service_that_does_not_differ_passes() {
    let service = Service::start();
    let before = serde_json::to_value(service.server.snapshot()).unwrap();
    let ran = service.home().run(&["conformance", "--live", "--json"]).exits(0);
    let report = ran.document();
    assert_eq!((&report["differs"], &report["failed"]), (&json!(0), &json!(0)), "{report:#}");
    assert!(report["checked"].as_u64().unwrap() >= 22, "{report:#}");
    // Only the owner's token is missing, and each list has an entry.
    assert_eq!(report["skipped"], 1, "{report:#}");
    let notes =
        report["checks"].as_array().unwrap().iter().filter(|check| !check["note"].is_null());
    assert_eq!(notes.count(), 1, "{report:#}");
    let after = serde_json::to_value(service.server.snapshot()).unwrap();
    assert_eq!(without_clock(after), without_clock(before), "something was changed");
}

fn without_clock(mut world: Value) -> Value {
    world.as_object_mut().unwrap().remove("clock");
    world
}

#[rstest]
#[case::number_as_text("/usage", Change::Value("/limit", json!("25")), "GET /api/v1/usage limit type")]
#[case::status_of_success("/devices/list", Change::Status(202), "GET /api/v1/devices/list  status")]
#[case::field_missing_in_a_list(
    "/devices/list",
    Change::Missing("/devices/1", "createdAt"),
    "GET /api/v1/devices/list devices[].createdAt missing"
)]
#[case::other_decision(
    "/validate",
    Change::Value("/allowed", json!(true)),
    "POST /api/v1/devices/validate allowed value"
)]
#[case::amount_as_number(
    "/wallets/me",
    Change::Value("/balance", json!(500.0)),
    "GET /api/v1/wallets/me balance type"
)]
#[case::amount_without_decimals(
    "/wallets/me",
    Change::Value("/balance", json!("500")),
    "GET /api/v1/wallets/me balance value"
)]
#[case::field_more(
    "/stats",
    Change::Value("/total_bots", json!(1)),
    "GET /api/v1/public/stats total_bots unknown"
)]
#[case::null(
    "/marketplace?limit=5",
    Change::Value("/items/0/title", Value::Null),
    "GET /api/v1/marketplace?limit=5 items[].title type"
)]
#[case::other_word(
    "/trades?limit=5",
    Change::Value("/items/0/status", json!("held")),
    "GET /api/v1/trades?limit=5 items[].status value"
)]
#[case::refusal_with_another_status(
    "trades/00000000-0000-4000-8000-000000000000",
    Change::Status(400),
    "GET /api/v1/trades/{id}  status"
)]
#[case::refusal_in_another_form(
    "/marketplace?limit=0",
    Change::Value("/detail", json!(["bad"])),
    "GET /api/v1/marketplace?limit=0 detail type"
)]
#[case::list_instead_of_page(
    "/inbox?limit=5",
    Change::Value("", json!([])),
    "GET /api/v1/inbox?limit=5  type"
)]
fn each_alteration_is_named(
    #[case] request: &'static str,
    #[case] change: Change,
    #[case] named: &str,
) {
    let service = Service::start();
    service.alter(request, change);
    let ran = service.home().run(&["conformance", "--live", "--json"]).exits(1);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(differences(&report), BTreeSet::from([named.to_owned()]), "{report:#}");
    assert!(ran.error()["message"].as_str().unwrap().starts_with("1 of "), "{ran:#?}");
    let table = service.home().run(&["conformance", "--live"]).exits(1).stdout;
    let field = named.split(' ').nth(2).unwrap();
    assert!(table.contains("differs") && table.contains(field), "{table}");
}

#[test]
fn conformance_says_what_it_needs() {
    let service = Service::start();
    assert!(service.home().run(&["conformance"]).exits(2).stderr.contains("--live"));
    Home::new().run(&["conformance", "--live"]).exits(4);
    let org_only =
        Home::new().with("MACHINEID_BASE_URL", &service.url).with("MACHINEID_ORG_KEY", "org_live");
    let report = org_only.run(&["conformance", "--live", "--json"]).exits(0).document();
    assert_eq!(report["checked"], 4, "{report:#}");
    let gone = service.home().with("MACHINEID_BASE_URL", "http://127.0.0.1:9");
    let ran = gone.run(&["conformance", "--live", "--json", "--timeout", "20"]).exits(1);
    assert!(ran.stdout.contains("\"failed\":1"), "{ran:#?}");
}

/// A recorder of its own process.
struct Recorder {
    process: Child,
    ready: Value,
}

impl Recorder {
    fn start(home: &Home, upstream: &str, flags: &[&str]) -> Self {
        let record =
            ["--json", "mock", "record", "--port", "0", "--until-stdin-closes", "--upstream"];
        let mut process = home
            .machins(&[&record, &[upstream][..], flags].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::with_capacity(1, process.stdout.as_mut().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        Self { process, ready }
    }

    fn home(&self) -> Home {
        let url = self.ready["url"].as_str().unwrap();
        Home::new()
            .with("MACHINS_MOCK_URL", url)
            .with("MACHINEID_BASE_URL", url)
            .with("MACHINS_BASE_URL", self.ready["machins_base_url"].as_str().unwrap())
            .with("MACHINEID_ORG_KEY", "org_live")
            .with("MACHINS_API_KEY", "at_live")
    }

    /// Its report, and what it logged.
    fn stop(mut self) -> (Value, String) {
        drop(self.process.stdin.take());
        let (mut report, mut log) = (String::new(), String::new());
        self.process.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0), "{log}");
        (serde_json::from_str(&report).unwrap(), log)
    }
}

#[test]
fn a_recorder_journals_and_reports_what_differs() {
    let service = Service::start();
    service.alter("/usage", Change::Value("/limit", json!("25")));
    service.alter("/wallets/me", Change::Status(203));
    let home = Home::new();
    let upstream = format!("{}/api/v1/", service.url);
    let recorder = Recorder::start(&home, &upstream, &["--journal", "seen.jsonl"]);
    assert_eq!(recorder.ready["upstream"], service.url);
    let program = recorder.home();
    program.run(&["devices"]).exits(0);
    program.run(&["api", "GET", "/api/v1/usage"]).exits(0);
    program.run(&["api", "GET", "/api/v1/usage"]).exits(0);
    program.run(&["api", "GET", "/wallets/me"]);
    let requests = program.run(&["mock", "requests", "--json"]).exits(0).document();
    assert_eq!(requests["requests"][0]["headers"]["x-org-key"], "org_…");
    let (report, log) = recorder.stop();
    assert_eq!(report["recorded"], 4);
    let differences = json!([
        {
            "route": "GET /api/v1/usage", "field": "limit", "kind": "type", "seq": 2, "count": 2,
            "expected": "a whole number of at least 0", "found": "the text \"25\"",
        },
        {
            "route": "GET /api/v1/wallets/me", "field": "", "kind": "status", "seq": 4, "count": 1,
            "expected": "one of 200, 401", "found": "203",
        },
    ]);
    assert_eq!(report["differences"], differences);
    assert!(log.contains("  differs: limit: expected a whole number"), "{log}");
    let journal = std::fs::read_to_string(home.path().join("seen.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 4);
    for secret in ["org_live", "at_live"] {
        assert!(!journal.contains(secret) && !log.contains(secret), "{journal}{log}");
    }
}

#[test]
fn a_recorder_of_a_faithful_service_has_nothing_to_say() {
    let service = Service::start();
    let recorder = Recorder::start(&Home::new(), &service.url, &[]);
    let home = recorder.home();
    for line in ["devices", "validate agent-01", "wallet", "trades", "inbox", "browse", "stats"] {
        home.run(&line.split(' ').collect::<Vec<_>>()).exits(0);
    }
    home.run(&["validate", "agent-02"]).exits(3);
    home.run(&["show", "00000000-0000-4000-8000-000000000000"]).exits(1);
    let (report, _) = recorder.stop();
    assert_eq!(report["differences"], json!([]));
    assert!(report["recorded"].as_u64().unwrap() >= 9);
}

#[test]
fn a_recorder_takes_only_a_service_that_it_may_send_keys_to() {
    let refuse = |flags: &[&str]| {
        let ran: Ran = Home::new().run(&[&["mock", "record", "--port", "0"], flags].concat());
        ran.exits(2).stderr
    };
    assert!(refuse(&["--upstream", "http://machins.example"]).contains("https"));
    assert!(refuse(&[]).contains("--upstream"));
    let folder = ["--upstream", "https://machins.example", "--journal", "/"];
    assert!(refuse(&folder).contains("--journal"));
}

#[test]
fn an_org_made_through_a_recorder_is_the_services() {
    let service = Service::start();
    let recorder = Recorder::start(&Home::new(), &service.url, &[]);
    let made = recorder.home().run(&["org", "create", "--json"]).exits(0).document();
    let key = made["orgApiKey"].as_str().unwrap();
    assert_eq!(service.server.org(key).unwrap().state().unwrap().plan, Plan::Free);
}

/// A server that always replies the same: its address, and the heads of the requests that it received.
fn listener(status: u16, body: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (seen, body) = (Arc::clone(&heads), body.as_bytes().to_vec());
    let url = stub::serve(move |request| {
        seen.lock().unwrap().push(request.head.to_lowercase());
        let headers = b"content-type: application/json\r\n".to_vec();
        Reply { status, headers, body: body.clone() }
    });
    (url, heads)
}

#[rstest]
#[case::machineid("machineid", "x-org-key: org_live", &["at_live", "eyj_live"])]
#[case::machins("machins", "x-api-key: at_live", &["org_live"])]
fn a_recorder_sends_a_service_its_own_keys_alone(
    #[case] service: &str,
    #[case] own: &str,
    #[case] others: &[&str],
) {
    let (url, heads) = listener(200, "{}");
    let recorder = Recorder::start(&Home::new(), &url, &["--service", service]);
    let names = ["machineid", "machins"].map(|name| format!("{name}_base_url"));
    let given: Vec<_> = names.iter().filter(|name| recorder.ready[name].is_string()).collect();
    assert_eq!(given, [&format!("{service}_base_url")]);
    let host = recorder.ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let keys = "x-org-key: org_live\r\nx-api-key: at_live\r\nauthorization: Bearer eyJ_live\r\n";
    let request =
        format!("GET /api/v1/usage HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{keys}\r\n");
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    recorder.stop();
    let head = heads.lock().unwrap().concat();
    assert!(head.contains(own), "{head}");
    assert!(others.iter().all(|other| !head.contains(other)), "{head}");
}

#[rstest]
#[case::machineid("https://machineid.io", &["MACHINEID_BASE_URL"])]
#[case::machins("https://machins.co/api/v1", &["MACHINS_BASE_URL"])]
#[case::flag("https://machins.co", &["MACHINEID_BASE_URL"])]
#[case::own_mock("http://127.0.0.1:9", &["MACHINEID_BASE_URL", "MACHINS_BASE_URL"])]
fn a_recorder_names_the_variable_of_its_service(#[case] upstream: &str, #[case] expected: &[&str]) {
    let mut flags = vec!["mock", "record", "--port", "0", "--until-stdin-closes", "--upstream"];
    flags.push(upstream);
    if upstream == "https://machins.co" {
        flags.extend(["--service", "machineid"]);
    }
    let ran = Home::new().run(&flags).exits(0);
    let names = ["MACHINEID_BASE_URL", "MACHINS_BASE_URL"];
    let named: Vec<_> =
        names.into_iter().filter(|name| ran.stdout.contains(&format!("export {name}="))).collect();
    assert_eq!(named, expected);
}

#[test]
fn a_recorder_of_an_unknown_host_is_told_the_service() {
    let ran = Home::new()
        .run(&["mock", "record", "--port", "0", "--upstream", "https://machins.example"])
        .exits(2);
    assert!(ran.stderr.contains("--service"), "{ran:#?}");
}

#[test]
fn a_recorder_takes_replies_of_a_limited_size() {
    let body = format!("\"{}\"", "x".repeat(9 * 1024 * 1024));
    let (url, _) = listener(200, &body);
    let recorder = Recorder::start(&Home::new(), &url, &[]);
    let ran = recorder.home().run(&["api", "GET", "/api/v1/usage"]).exits(1);
    assert!(ran.stderr.contains("8 MiB"), "{ran:#?}");
    recorder.stop();
}

#[cfg(unix)]
#[test]
fn a_journal_of_requests_is_its_owners_alone() {
    use crate::home::{mode, set_mode};

    let (url, _) = listener(200, "{}");
    let home = Home::new();
    let path = home.path().join("seen.jsonl");
    std::fs::write(&path, "").unwrap();
    set_mode(&path, 0o644);
    Recorder::start(&home, &url, &["--journal", "seen.jsonl"]).stop();
    assert_eq!(mode(&path), 0o600);
    Recorder::start(&home, &url, &["--journal", "new.jsonl"]).stop();
    assert_eq!(mode(&home.path().join("new.jsonl")), 0o600);
}

#[test]
fn what_a_service_replies_does_not_steer_the_terminal() {
    let (url, _) = listener(200, &json!({"ev\u{202e}il\u{7}org_live": 1}).to_string());
    let recorder = Recorder::start(&Home::new(), &url, &[]);
    recorder.home().run(&["api", "GET", "/api/v1/usage"]);
    let (report, log) = recorder.stop();
    assert!(log.contains("evil") && log.contains("org_…"), "{log}");
    assert!(!log.contains(['\u{202e}', '\u{7}']), "{log}");
    for text in [report.to_string(), log] {
        assert!(!text.contains("org_live"), "{text}");
    }
}

#[test]
fn keys_in_unknown_paths_are_reported_masked() {
    let (url, _) = listener(200, "{}");
    let home = Home::new();
    let recorder = Recorder::start(&home, &url, &["--journal", "seen.jsonl"]);
    let tail = "x".repeat(2000);
    recorder.home().run(&["api", "GET", &format!("/api/v1/no-such/org_live/{tail}")]);
    let (report, log) = recorder.stop();
    let route = report["differences"][0]["route"].as_str().unwrap();
    assert!(route.starts_with("GET /api/v1/no-such/org_…/xxx") && route.len() < 600, "{route}");
    let journal = std::fs::read_to_string(home.path().join("seen.jsonl")).unwrap();
    assert!(!journal.contains("org_live") && !log.contains("org_live"), "{journal}{log}");
}

#[test]
fn a_recorder_keeps_a_limited_number_of_differences() {
    let fields: serde_json::Map<_, _> = (0..1500).map(|n| (format!("f{n}"), json!(1))).collect();
    let (url, _) = listener(200, &Value::Object(fields).to_string());
    let recorder = Recorder::start(&Home::new(), &url, &["--log", "off"]);
    recorder.home().run(&["api", "GET", "/api/v1/usage"]);
    let (report, log) = recorder.stop();
    assert_eq!(report["differences"].as_array().unwrap().len(), 1000);
    assert!(report["left_out"].as_u64().unwrap() > 500, "{}", report["left_out"]);
    assert_eq!(log, "");
}
