//! What is different on Windows. The other tests of the program are for Unix.
#![cfg(windows)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use machins_mock::blocking::MockServer;
use machins_mock::{OrgUpdate, Plan};
use serde_json::Value;
use tempfile::TempDir;

/// How long another process may hold a file.
const HELD: Duration = Duration::from_millis(300);
/// How long to wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn config(&self) -> PathBuf {
        self.path().join(".machins").join("config.json")
    }

    fn machins(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
        command.args(arguments).env("USERPROFILE", self.path()).current_dir(self.path());
        for name in ["HOME", "MACHINS_CONFIG", "MACHINEID_ORG_KEY", "MACHINS_API_KEY", "SHELL"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.machins(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_demo_has_the_expected_outcome() {
    let text = Home::new().succeeds(&["demo"]);
    assert!(text.contains("steps had the expected outcome"), "{text}");
}

#[test]
fn the_config_is_in_the_home_that_userprofile_names() {
    let home = Home::new();
    home.succeeds(&["config", "set", "machineid.device_id", "agent-01"]);
    assert!(fs::read_to_string(home.config()).unwrap().contains("agent-01"));
    let path = home.succeeds(&["config", "path"]);
    assert_eq!(Path::new(path.trim()), home.config());
}

#[test]
fn a_config_that_another_program_has_open_is_replaced() {
    let home = Home::new();
    home.succeeds(&["config", "set", "machineid.device_id", "before"]);
    // As Python opens files: nobody may rename or remove it.
    let held = OpenOptions::new().read(true).share_mode(3).open(home.config()).unwrap();
    let files = || fs::read_dir(home.path().join(".machins")).unwrap().count();
    let before = files();
    let setting = ["config", "set", "machineid.device_id", "after"];
    let mut setting = home.machins(&setting).spawn().unwrap();
    // The new file is written, and has yet to get its name.
    wait_until("no new file was written", || files() > before);
    thread::sleep(HELD);
    assert!(setting.try_wait().unwrap().is_none(), "it did not wait for the other program");
    drop::<File>(held);
    assert!(setting.wait().unwrap().success());
    assert!(fs::read_to_string(home.config()).unwrap().contains("after"));
}

#[test]
fn a_config_with_windows_line_ends_is_read_and_kept() {
    let home = Home::new();
    fs::create_dir(home.path().join(".machins")).unwrap();
    let text = "\u{feff}{\r\n  \"machineid\": {\r\n    \"device_id\": \"agent-01\"\r\n  }\r\n}\r\n";
    fs::write(home.config(), text).unwrap();
    assert_eq!(home.succeeds(&["config", "get", "machineid.device_id"]).trim(), "agent-01");
    home.succeeds(&["config", "set", "base_url", "http://127.0.0.1:1"]);
    assert_eq!(home.succeeds(&["config", "get", "machineid.device_id"]).trim(), "agent-01");
}

#[test]
fn nul_stands_for_no_config() {
    let output = Home::new().machins(&["devices"]).env("MACHINS_CONFIG", "NUL").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("MACHINEID_ORG_KEY"), "{text}");
}

#[test]
fn exit_codes_above_255_are_passed_on() {
    let home = Home::new();
    let output = home.run(&["mock", "exec", "--", "cmd", "/C", "exit 3221"]);
    assert_eq!(output.status.code(), Some(3221), "{output:?}");
}

#[test]
fn advice_is_in_the_syntax_of_powershell() {
    let home = Home::new();
    let mut server = home.machins(&["mock", "serve", "--port", "0", "--until-stdin-closes"]);
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let set = lines.into_iter().find(|line| line.contains("MACHINEID_BASE_URL")).unwrap();
    assert!(set.starts_with("$env:MACHINEID_BASE_URL = 'http://127.0.0.1:"), "{set}");
    drop(server.stdin.take());
    server.wait().unwrap();
}

#[test]
fn completions_are_for_powershell_too() {
    let script = Home::new().succeeds(&["completions", "powershell"]);
    assert!(script.contains("Register-ArgumentCompleter"), "{script}");
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Guards a shell that starts a server. Returns the guard and the address of the server, which answers for
/// as long as it lives.
fn guarded(home: &Home, server: &MockServer, key: &str, every: &str) -> (Child, SocketAddr) {
    let mut guard = home.machins(&["guard", "--device", "agent-01", "--every", every, "--"]);
    let guard = guard
        .args(["cmd", "/C", env!("CARGO_BIN_EXE_machins"), "mock", "serve"])
        .args(["--port", "0", "--ready-file", "ready.json"])
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINEID_ORG_KEY", key)
        .spawn()
        .unwrap();
    let ready = home.path().join("ready.json");
    wait_until("the command has not begun", || ready.exists());
    let ready: Value = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    assert!(lives(address));
    (guard, address)
}

fn lives(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_denial_ends_the_command_and_all_that_it_started() {
    let home = Home::new();
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let (mut guard, address) = guarded(&home, &server, org.key(), "0.2");
    org.update(OrgUpdate::new().frozen(true)).unwrap();
    assert_eq!(guard.wait().unwrap().code(), Some(3));
    assert!(!lives(address));
}

#[test]
fn a_guard_that_is_killed_takes_its_command_along() {
    let home = Home::new();
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let (mut guard, address) = guarded(&home, &server, org.key(), "30");
    guard.kill().unwrap();
    guard.wait().unwrap();
    wait_until("the command goes on without its guard", || !lives(address));
}
