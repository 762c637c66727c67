//! `mock serve` and `mock exec`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::home::{Home, Ran};

/// A mock server of its own process, stopped when dropped.
struct Served {
    process: Child,
    document: Value,
}

impl Served {
    fn start(home: &Home, flags: &[&str]) -> Self {
        let arguments = [&["--json", "mock", "serve", "--addr", "127.0.0.1:0"], flags].concat();
        let mut process =
            home.machins(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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
    home.run(&["mock", "exec", "--", program, "validate", "agent-01"]).exits(4);
    home.run(&["mock", "exec", "--", "machins-has-no-such-command"]).exits(127);
    let shell = "echo $MACHINS_BASE_URL $MACHINEID_BASE_URL; exit 6";
    let ran = home.run(&["mock", "exec", "--", "sh", "-c", shell]).exits(6);
    let (machins, machineid) = ran.stdout.trim().split_once(' ').unwrap();
    assert_eq!(machins, format!("{machineid}/api/v1"));
}
