//! `mock serve` and `mock exec`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, Ran};

/// A mock server of its own process, stopped when dropped.
struct Served {
    process: Child,
    document: Value,
}

impl Served {
    fn start(home: &Home, flags: &[&str]) -> Self {
        let address: &[&str] = if flags.contains(&"--addr") { &[] } else { &["--port", "0"] };
        let address = if flags.contains(&"--port") { &[] } else { address };
        let arguments = [&["--json", "mock", "serve"], address, flags].concat();
        let mut process = home
            .machins(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { process, document: serde_json::from_str(&line).unwrap() }
    }

    fn text(&self, name: &str) -> &str {
        self.document[name].as_str().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn serve_prints_its_addresses() {
    let home = Home::new();
    let served = Served::start(&home, &["--seed", "7"]);
    let url = served.text("url");
    assert_eq!(served.text("machineid_base_url"), url);
    assert_eq!(served.text("machins_base_url"), format!("{url}/api/v1"));
    assert_eq!(served.document["pid"], served.process.id());
    let create = ["--machineid-url", url, "org", "create", "--json"];
    let key = home.run(&create).exits(0).document()["orgApiKey"].clone();
    let other = Served::start(&home, &["--seed", "7"]);
    let create = ["--machineid-url", other.text("url"), "org", "create", "--json"];
    assert_eq!(home.run(&create).exits(0).document()["orgApiKey"], key, "one seed, one key");
}

#[test]
fn serve_can_start_with_demo_data() {
    let home = Home::new();
    let served = Served::start(&home, &["--demo-data"]);
    let home = home
        .with("MACHINEID_BASE_URL", served.text("machineid_base_url"))
        .with("MACHINEID_ORG_KEY", served.text("org_key"));
    home.run(&["validate", "agent-01"]).exits(0);
    home.run(&["validate", "agent-03"]).exits(3);
}

#[test]
fn an_address_in_use_is_an_error() {
    let home = Home::new();
    let served = Served::start(&home, &[]);
    let addr = served.text("url").trim_start_matches("http://");
    let ran = home.run(&["--json", "mock", "serve", "--addr", addr]).exits(1);
    assert!(ran.error()["message"].to_string().contains(addr));
}

#[cfg(unix)]
#[test]
fn a_signal_stops_serve_after_saving_its_state() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let home = Home::new();
    let mut key = Value::Null;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut served = Served::start(&home, &["--state", "world.json"]);
        let url = served.text("url").to_owned();
        match &key {
            Value::Null => {
                let create = ["--machineid-url", &url, "org", "create", "--json"];
                key = home.run(&create).exits(0).document()["orgApiKey"].clone();
            }
            key => {
                let mut usage = home.machins(&["--machineid-url", &url, "usage"]);
                usage.env("MACHINEID_ORG_KEY", key.as_str().unwrap());
                Ran::from(usage.output().unwrap()).exits(0);
            }
        }
        kill(Pid::from_raw(served.process.id().cast_signed()), signal).unwrap();
        assert_eq!(served.process.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        served.process.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(home.path().join("world.json").is_file());
    }
}

#[test]
fn an_unreadable_state_is_not_blamed_on_the_address() {
    let home = Home::new();
    std::fs::write(home.path().join("world.json"), "{").unwrap();
    let ran = home.run(&["mock", "serve", "--addr", "127.0.0.1:0", "--state", "world.json"]);
    let error = ran.exits(1).stderr;
    assert!(error.contains("could not start") && error.contains("world.json"), "{error}");
}

#[test]
fn serving_other_machines_warns() {
    let home = Home::new();
    let mut process = home
        .machins(&["mock", "serve", "--addr", "0.0.0.0:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(line.starts_with("warning: "), "{line}");
}

#[cfg(unix)]
#[test]
fn exec_runs_a_command_with_a_mock_and_returns_its_status() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_machins");
    home.run(&["mock", "exec", "--", program, "org", "create"]).exits(0);
    home.run(&["mock", "exec", "--", program, "validate", "agent-02"]).exits(3);
    home.run(&["mock", "exec", "--", "machins-has-no-such-command"]).exits(127);
    let shell = "echo $MACHINS_BASE_URL $MACHINEID_BASE_URL; exit 6";
    let ran = home.run(&["mock", "exec", "--", "sh", "-c", shell]).exits(6);
    let (machins, machineid) = ran.stdout.trim().split_once(' ').unwrap();
    assert_eq!(machins, format!("{machineid}/api/v1"));
}

#[rstest]
#[case::port(&["--addr", "0"])]
#[case::colon_and_port(&["--addr", ":0"])]
#[case::name(&["--addr", "localhost:0"])]
#[case::port_flag(&["--port", "0"])]
fn serve_takes_addresses_of_every_form(#[case] flags: &[&str]) {
    let home = Home::new();
    let served = Served::start(&home, flags);
    assert!(served.text("url").starts_with("http://127.0.0.1:"));
    home.run(&["mock", "health", "--url", served.text("url")]).exits(0);
}

/// What serve writes to stderr after one request.
fn logged(flags: &[&str]) -> String {
    logged_after(flags, |home, url| {
        home.run(&["mock", "clock", "--url", url]).exits(0);
    })
}

fn logged_after(flags: &[&str], ask: impl FnOnce(&Home, &str)) -> String {
    let home = Home::new();
    let mut served = Served::start(&home, &[flags, &["--until-stdin-closes"]].concat());
    ask(&home, served.text("url"));
    drop(served.process.stdin.take());
    assert_eq!(served.process.wait().unwrap().code(), Some(0));
    let mut log = String::new();
    served.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

#[test]
fn serve_logs_a_line_a_request() {
    let text = logged(&[]);
    assert!(text.starts_with("GET /_mock/clock 200 ") && text.lines().count() == 1, "{text}");
    let json: Value = serde_json::from_str(&logged(&["--log", "json"])).unwrap();
    assert_eq!((&json["path"], &json["status"]), (&"/_mock/clock".into(), &200.into()));
    assert_eq!(logged(&["--log", "off"]), "");
}

#[rstest]
#[case::text("text")]
#[case::json("json")]
fn what_a_request_says_does_not_steer_the_terminal(#[case] format: &str) {
    let log = logged_after(&["--log", format], |home, url| {
        let body = r#"{"deviceId":"ev\u202eil\u0007\u001b[2J"}"#;
        let call = ["api", "POST", "/api/v1/devices/validate", "--body", body];
        home.run(&[&["--machineid-url", url], &call[..]].concat());
    });
    assert!(log.contains("devices/validate") && log.contains("ev"), "{log}");
    assert!(!log.contains(['\u{202e}', '\u{7}', '\u{1b}']), "{log:?}");
}

#[test]
fn a_ready_file_exists_while_the_server_is_ready() {
    let home = Home::new();
    let mut served = Served::start(&home, &["--ready-file", "ready.json", "--until-stdin-closes"]);
    let ready = home.path().join("ready.json");
    let document: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    assert_eq!(document, served.document);
    drop(served.process.stdin.take());
    served.process.wait().unwrap();
    assert!(!ready.exists());
}

#[test]
fn serve_starts_with_what_it_is_told() {
    let home = Home::new();
    let fixtures = r#"{"agents": [{"slug": "cleo", "api_key": "at_cleo"}]}"#;
    std::fs::write(home.path().join("market.json"), fixtures).unwrap();
    let time = "2026-01-01T00:00:00Z";
    let flags = ["--fixtures", "market.json", "--clock", time, "--frozen", "--strict"];
    let served = Served::start(&home, &flags);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    let clock = home.run(&["mock", "clock", "--json"]).exits(0).document();
    assert_eq!(clock["now"], "2026-01-01T00:00:00.000Z");
    assert_eq!(clock["frozen"], true);
    let home = home
        .with("MACHINS_API_KEY", "at_cleo")
        .with("MACHINS_BASE_URL", served.text("machins_base_url"));
    home.run(&["wallet"]).exits(0);
    home.run(&["api", "GET", "/marketplace?limt=5"]).exits(1);
}

#[test]
fn fixtures_that_are_wrong_name_the_place() {
    let home = Home::new();
    std::fs::write(home.path().join("market.json"), r#"{"agents": [{"slgu": "x"}]}"#).unwrap();
    let error = home.run(&["mock", "serve", "--port", "0", "--fixtures", "market.json"]).exits(2);
    assert!(error.stderr.contains("market.json") && error.stderr.contains("slgu"), "{error:#?}");
}

#[test]
fn the_control_commands_do_what_the_control_api_does() {
    let home = Home::new();
    let served = Served::start(&home, &["--frozen"]);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    let ran = |line: &str| {
        let words: Vec<&str> = ["--json", "mock"].into_iter().chain(line.split(' ')).collect();
        home.run(&words).exits(0).document()
    };
    let before = ran("clock set 2026-05-01T00:00:00Z --frozen");
    assert_eq!(before["now"], "2026-05-01T00:00:00.000Z");
    assert_eq!(ran("clock advance 60")["now"], "2026-05-01T00:01:00.000Z");
    assert_eq!(ran("clock unfreeze")["frozen"], false);
    let fault = ran(r#"fault add {"kind":"delay","millis":1}"#)["id"].to_string();
    ran(&format!("fault remove {fault}"));
    assert_eq!(ran("fault")["faults"], serde_json::json!([]));
    let world = ran("world create w1");
    assert_eq!(world["url"], format!("{}/_world/w1", served.text("url")));
    ran(&format!("reset --url {}", world["url"].as_str().unwrap()));
    ran("world remove w1");
    assert_eq!(ran("webhooks")["webhooks"], serde_json::json!([]));
    ran("requests clear");
    assert_eq!(ran("requests")["total"], 0);
}

#[test]
fn the_lists_of_a_mock_server_have_rows() {
    let home = Home::new();
    let served = Served::start(&home, &[]);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    home.run(&["api", "GET", "/public/stats", "--base-url", served.text("machins_base_url")]);
    for name in ["w1", "w2"] {
        home.run(&["mock", "world", "create", name]).exits(0);
    }
    let fault = r#"{"kind":"status","status":503,"match":{"path":"/api/v1/public/stats"}}"#;
    home.run(&["mock", "fault", "add", fault]).exits(0);
    let rows = |command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        let rows = home.run(&words).exits(0).stdout;
        rows.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows("mock world -o id --limit 1"), ["w1"]);
    let world = home.run(&["mock", "world", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!((&world["worlds"][0]["name"], &world["worlds"][1]), (&json!("w1"), &Value::Null));
    assert_eq!(rows("mock webhooks -o csv"), ["id,event,agent,url,attempt,status,error,sent_at"]);
    let faults = rows("mock fault -o tsv");
    assert_eq!(faults[0], "id\tkind\ton\tmatch\tafter\ttimes\tprobability\thits");
    assert!(faults[1].starts_with("1\tstatus\trequest\t{\"path\":"), "{faults:?}");
    let requests = rows("mock requests -o csv --path /api/v1/public/stats");
    assert_eq!(requests[0], "id,method,path,status,agent,device,fault,received_at");
    assert!(requests[1].starts_with("1,GET,/api/v1/public/stats,200,,,,"), "{requests:?}");
    home.run(&["mock", "clock", "-o", "csv"]).exits(2);
    home.run(&["mock", "requests", "clear", "-o", "id"]).exits(2);
}

#[test]
fn a_wait_in_vain_shows_what_came_instead() {
    let home = Home::new();
    let served = Served::start(&home, &[]);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    home.run(&["api", "GET", "/stats", "--base-url", served.text("machins_base_url")]);
    let wait = ["mock", "requests", "wait", "--path", "/never", "--within", "0", "--json"];
    let ran = home.run(&wait).exits(1);
    assert_eq!(ran.document()["code"], "TIMEOUT");
    assert_eq!(ran.error()["status"], 408);
    home.run(&["mock", "requests", "wait", "--path", "/api/v1/stats"]).exits(0);
}

#[rstest]
#[case::create(&["world", "create", "`touch evaluated`"])]
#[case::fault(&["fault", "add", "{}"])]
#[case::remove(&["world", "remove", "$(touch evaluated)"])]
fn a_refusal_leaves_nothing_for_a_shell_to_evaluate(#[case] command: &[&str]) {
    let home = Home::new();
    let served = Served::start(&home, &[]);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    let ran = home.run(&[&["mock"], command].concat()).exits(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("error: "), "{ran:#?}");
    // The reply itself is for those who ask for JSON.
    let ran = home.run(&[&["--json", "mock"], command].concat()).exits(1);
    assert!(ran.document()["code"].is_string(), "{ran:#?}");
}

/// The packages for Python and Node have a command `machins-mock` that is `machins mock`.
#[test]
fn the_mock_server_has_a_version() {
    let ran = Home::new().run(&["mock", "--version"]).exits(0);
    assert_eq!(ran.stdout, format!("machins-mock {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wait_in_vain_shows_people_what_came_on_stderr() {
    let home = Home::new();
    let served = Served::start(&home, &[]);
    let home = home.with("MACHINS_MOCK_URL", served.text("url"));
    home.run(&["api", "GET", "/stats", "--base-url", served.text("machins_base_url")]);
    let ran = home.run(&["mock", "requests", "wait", "--path", "/never", "--within", "0"]).exits(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("\"path\": \"/api/v1/stats\""), "{ran:#?}");
}

#[test]
fn without_a_mock_server_the_way_to_one_is_told() {
    let ran = Home::new().run(&["mock", "reset"]).exits(2);
    assert!(ran.stderr.contains("MACHINS_MOCK_URL"), "{ran:#?}");
}
