//! `machins hook run` on recorded events: everything but an ALLOW blocks.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use machins_mock::{MockServer, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use super::{RUNTIMES, Verdict, blocked, event, verdict};
use crate::home::{Home, Ran};
use crate::stub::{self, Reply};

const KEY: &str = "org_0123456789abcdef";

/// A home whose device is decided upon by the server at `url`.
fn asking(url: &str) -> Home {
    Home::new()
        .with("MACHINEID_BASE_URL", url)
        .with("MACHINEID_ORG_KEY", KEY)
        .with("MACHINEID_DEVICE_ID", "agent-01")
}

/// A server that gives this decision.
fn deciding(status: u16, decision: Value) -> String {
    stub::serve(move |_| Reply::json(status, &decision))
}

fn allowing() -> String {
    let count = std::sync::atomic::AtomicUsize::new(0);
    stub::serve(move |_| {
        let id = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let decision = json!({"allowed": true, "code": "ALLOW", "request_id": format!("r{id}")});
        Reply::json(200, &decision)
    })
}

fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn run(home: &Home, runtime: &str) -> Ran {
    home.run_with_stdin(&["hook", "run", runtime], event(runtime))
}

/// Runs a command line of `sh`, with the program as `$0` and the runtime as `$1`.
#[cfg(unix)]
fn shell(home: &Home, runtime: &str, line: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_machins");
    home.run_program("sh", &["-c", line, program, runtime], event(runtime))
}

#[rstest]
fn an_allowed_device_leaves_the_call_to_the_runtimes_rules(
    #[values("claude", "codex", "gemini", "cursor", "cursor-shell", "cursor-mcp")] name: &str,
) {
    let runtime = name.split('-').next().unwrap();
    let ran = asking(&allowing()).run_with_stdin(&["hook", "run", runtime], event(name));
    assert_eq!((verdict(runtime, &ran), ran.stderr.as_str()), (Verdict::Untouched, ""), "{ran:?}");
}

#[rstest]
fn every_other_decision_blocks_and_is_named(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
    #[values(
        "ORG_DISABLED",
        "SYSTEM_UNAVAILABLE",
        "PLAN_FROZEN",
        "ENTITLEMENT_EXPIRED",
        "DEVICE_REVOKED",
        "DEVICE_NOT_FOUND",
        "ORG_NOT_FOUND",
        "INVALID_ORG_KEY",
        "INVALID_DEVICE_ID",
        "A_NEW_CODE"
    )]
    code: &str,
) {
    let url = deciding(200, json!({"allowed": false, "code": code, "request_id": "req_7"}));
    let reason = blocked(runtime, &run(&asking(&url), runtime));
    for part in [code, "agent-01", "req_7", "operator"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    // Nothing to paste, and no key.
    for part in ["machins ", "register", "unrevoke", "checkout", "http", "org_"] {
        assert!(!reason.contains(part), "{part}: {reason}");
    }
}

#[rstest]
fn a_mock_of_the_service_is_obeyed(#[values("claude", "codex", "gemini", "cursor")] runtime: &str) {
    let server = MockServer::builder().start().unwrap();
    let home = Home::against(&server, &server.create_org(Plan::Free));
    let hook = ["hook", "run", runtime, "--device", "agent-01"];
    let ask = || home.run_with_stdin(&hook, event(runtime));
    assert!(blocked(runtime, &ask()).contains("DEVICE_NOT_FOUND"), "it does not register");
    home.run(&["register", "agent-01"]).exits(0);
    assert_eq!(verdict(runtime, &ask()), Verdict::Untouched);
    home.run(&["revoke", "agent-01"]).exits(0);
    assert!(blocked(runtime, &ask()).contains("DEVICE_REVOKED"));
    home.run(&["unrevoke", "agent-01"]).exits(0);
    assert_eq!(verdict(runtime, &ask()), Verdict::Untouched);
}

#[cfg(target_os = "linux")]
#[rstest]
fn a_panic_blocks(#[values("claude", "codex", "gemini", "cursor")] runtime: &str) {
    let home = asking(&allowing());
    let library = home.preload("no_random");
    let ran = home.with("LD_PRELOAD", library.to_str().unwrap());
    let ran = run(&ran, runtime);
    assert!(ran.stderr.contains("has stopped because of a bug"), "no panic: {ran:?}");
    blocked(runtime, &ran);
}

/// What is wrong with the service.
#[rstest]
fn without_a_decision_it_blocks(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
    #[values(
        closed(),
        "http://no-such-host.invalid".to_owned(),
        "ftp://127.0.0.1".to_owned(),
        "not a URL".to_owned(),
        deciding(200, json!({"allowed": true, "code": "ALLOW"})),
        deciding(200, json!({"allowed": "true", "code": "ALLOW", "request_id": "r"})),
        deciding(202, json!({"allowed": true, "code": "ALLOW", "request_id": "r"})),
        deciding(500, json!({"allowed": true, "code": "ALLOW", "request_id": "r"})),
        deciding(401, json!({"detail": "unauthorized"})),
        stub::serve(|_| Reply { status: 200, headers: Vec::new(), body: b"<html>ALLOW".to_vec() }),
    )]
    url: String,
) {
    let ran = asking(&url)
        .with("MACHINS_TEST", "")
        .run_with_stdin(&["hook", "run", runtime, "--timeout", "3"], event(runtime));
    let reason = blocked(runtime, &ran);
    assert!(reason.contains("no decision") && !reason.contains(KEY), "{reason}");
}

#[test]
fn a_hung_service_blocks_within_ten_seconds() {
    let url = stub::hang();
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            let home = asking(&url);
            scope.spawn(move || {
                let start = Instant::now();
                let reason = blocked(runtime, &run(&home, runtime));
                assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
                assert!(reason.contains("SYSTEM_UNAVAILABLE"), "{reason}");
            });
        }
    });
}

#[test]
fn a_longer_time_limit_is_not_believed() {
    let start = Instant::now();
    let hook = ["hook", "run", "codex", "--timeout", "600"];
    let ran = asking(&stub::hang()).run_with_stdin(&hook, event("codex"));
    blocked("codex", &ran);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[rstest]
#[case::empty("", "not readable")]
#[case::text("hello", "not readable")]
#[case::list("[]", "not readable")]
#[case::null("null", "not readable")]
#[case::no_event(r#"{"tool_name":"Bash","tool_input":{}}"#, "not readable")]
#[case::no_tool(r#"{"hook_event_name":"EVENT","tool_input":{}}"#, "")]
#[case::no_input(r#"{"hook_event_name":"EVENT","tool_name":"Bash"}"#, "")]
#[case::number(r#"{"hook_event_name":1,"tool_name":"Bash","tool_input":{}}"#, "not readable")]
#[case::twice(
    r#"{"hook_event_name":"EVENT","tool_name":"Bash","tool_name":"Read","tool_input":{}}"#,
    "not readable"
)]
#[case::other_event(
    r#"{"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{}}"#,
    "PostToolUse"
)]
#[case::cut(r#"{"hook_event_name":"EVENT","tool_name":"Ba"#, "not readable")]
#[case::two(r#"{"hook_event_name":"EVENT","tool_name":"Bash","tool_input":{}}{}"#, "not readable")]
#[case::not_utf8("{\"hook_event_name\":\"EVENT\",\"tool_name\":\"\u{0}", "not readable")]
fn what_is_no_event_blocks(#[case] text: &str, #[case] says: &str) {
    let url = allowing();
    for (runtime, name) in
        RUNTIMES.into_iter().zip(["PreToolUse", "PreToolUse", "BeforeTool", "preToolUse"])
    {
        let text = text.replace("EVENT", name);
        let ran = asking(&url).run_with_stdin(&["hook", "run", runtime], &text);
        assert!(blocked(runtime, &ran).contains(says), "{ran:?}");
    }
}

#[test]
fn the_event_of_another_runtime_blocks() {
    let url = allowing();
    for (runtime, other) in [("claude", "gemini"), ("gemini", "claude"), ("cursor", "codex")] {
        let ran = asking(&url).run_with_stdin(&["hook", "run", runtime], event(other));
        blocked(runtime, &ran);
    }
}

#[rstest]
fn an_event_of_many_megabytes_blocks(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
) {
    let long = event(runtime).replace("touch marker", &"x".repeat(33 << 20));
    let ran = asking(&allowing()).run_with_stdin(&["hook", "run", runtime], &long);
    assert!(blocked(runtime, &ran).contains("longer than"), "{ran:?}");
}

#[test]
fn a_long_event_is_read() {
    let long = event("claude").replace("touch marker", &"x".repeat(8 << 20));
    let ran = asking(&allowing()).run_with_stdin(&["hook", "run", "claude"], &long);
    assert_eq!(verdict("claude", &ran), Verdict::Untouched);
}

#[rstest]
fn stdin_that_never_closes_blocks(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
    #[values("", "{", "whole")] begin: &str,
) {
    let text = if begin == "whole" { event(runtime) } else { begin };
    let home = asking(&allowing());
    let mut child = home
        .machins(&["hook", "run", runtime, "--timeout", "0.3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap().into();
    drop(stdin);
    assert!(blocked(runtime, &ran).contains("no answer within"), "{ran:?}");
}

#[rstest]
fn a_missing_setting_blocks(#[values("claude", "codex", "gemini", "cursor")] runtime: &str) {
    let url = allowing();
    let base = || Home::new().with("MACHINEID_BASE_URL", &url);
    let device = ("MACHINEID_DEVICE_ID", "agent-01");
    for (home, says) in [
        (base().with(device.0, device.1), "no org key"),
        (base().with("MACHINEID_ORG_KEY", KEY), "no device given"),
        (asking(&url).with("MACHINEID_ORG_KEY", "a key"), "key"),
        (asking(&url).with("MACHINEID_DEVICE_ID", "\u{1b}"), "device"),
    ] {
        let reason = blocked(runtime, &run(&home, runtime));
        assert!(reason.contains(says) && !reason.contains("machins "), "{says}: {reason}");
    }
}

#[rstest]
fn an_unusable_config_file_blocks(#[values("claude", "codex", "gemini", "cursor")] runtime: &str) {
    let url = allowing();
    let home = asking(&url);
    home.write_config("{\"machineid\": ");
    assert!(blocked(runtime, &run(&home, runtime)).contains("corrupt"));
    let home = asking(&url).with("MACHINS_CONFIG", "/");
    assert!(blocked(runtime, &run(&home, runtime)).contains("could not be read"));
    let hook = ["hook", "run", runtime, "--profile", "missing"];
    let ran = asking(&url).run_with_stdin(&hook, event(runtime));
    assert!(blocked(runtime, &ran).contains("no profile"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_config_file_that_never_ends_blocks() {
    let home = asking(&allowing());
    home.run_program("mkfifo", &["pipe"], "").exits(0);
    let home = home.with("MACHINS_CONFIG", "pipe");
    let hook = ["hook", "run", "codex", "--timeout", "0.3"];
    blocked("codex", &home.run_with_stdin(&hook, event("codex")));
}

#[cfg(unix)]
#[rstest]
fn a_variable_that_is_not_utf8_blocks(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
    #[values("MACHINEID_ORG_KEY", "MACHINEID_DEVICE_ID", "MACHINEID_BASE_URL")] name: &str,
) {
    let line = format!("{name}=$(printf 'a\\377'); export {name}; exec \"$0\" hook run $1");
    blocked(runtime, &shell(&asking(&allowing()), runtime, &line));
}

#[rstest]
#[case::unknown_flag(&["--no-such-flag"])]
#[case::no_value(&["--device"])]
#[case::timeout_as_word(&["--timeout", "soon"])]
#[case::two_runtimes(&["claude", "codex"])]
#[case::empty_profile(&["--profile", ""])]
fn wrong_flags_block(#[case] flags: &[&str]) {
    let url = allowing();
    for runtime in RUNTIMES {
        let hook = [&["hook", "run", runtime], flags].concat();
        let ran = asking(&url).run_with_stdin(&hook, event(runtime));
        assert!(blocked(runtime, &ran).contains("the command of this hook is wrong"), "{ran:?}");
    }
}

#[rstest]
#[case::no_runtime(&["hook", "run"])]
#[case::unknown_runtime(&["hook", "run", "emacs"])]
#[case::flag_before(&["--timeout", "x", "hook", "run"])]
#[case::flag_between(&["hook", "--what", "run"])]
#[case::not_a_group(&["hook"])]
#[case::misspelled(&["hok", "run", "claude"])]
fn a_hook_for_no_runtime_blocks_in_all(#[case] arguments: &[&str]) {
    let long = event("claude").replace("touch marker", &"x".repeat(1 << 20));
    let ran = asking(&allowing()).run_with_stdin(arguments, &long);
    for runtime in RUNTIMES {
        blocked(runtime, &ran);
    }
}

#[cfg(unix)]
#[rstest]
#[case::closed(">&-")]
#[case::full("> /dev/full")]
#[case::discarded("> /dev/null")]
#[case::broken("| :; kill -0 $$")]
#[case::open_for_reading("1< \"$0\"")]
fn a_broken_stdout_blocks(#[case] redirect: &str) {
    if redirect.contains("/dev/full") && !fs::exists("/dev/full").unwrap() {
        return;
    }
    let home = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    for runtime in RUNTIMES {
        if redirect.starts_with('|') {
            // The reader has gone before there is anything to read.
            let mut child = home
                .machins(&["hook", "run", runtime])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            drop(child.stdout.take());
            child.stdin.take().unwrap().write_all(event(runtime).as_bytes()).unwrap();
            blocked(runtime, &child.wait_with_output().unwrap().into());
            continue;
        }
        let ran = shell(&home, runtime, &format!("\"$0\" hook run $1 {redirect}"));
        assert!(blocked(runtime, &ran).contains("DEVICE_REVOKED"), "{ran:?}");
    }
}

/// A pipe that is full, with nobody who reads it.
#[cfg(unix)]
#[rstest]
fn a_runtime_that_reads_nothing_is_not_waited_for(#[values("stdout", "stderr")] stuck: &str) {
    let home = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    let (_reader, full) = std::io::pipe().unwrap();
    let set = |flags| nix::fcntl::fcntl(&full, nix::fcntl::FcntlArg::F_SETFL(flags)).unwrap();
    set(nix::fcntl::OFlag::O_NONBLOCK);
    while (&full).write(&[b' '; 4096]).is_ok() {}
    set(nix::fcntl::OFlag::empty());
    for runtime in RUNTIMES {
        let mut hook = home.machins(&["hook", "run", runtime]);
        hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let pipe = full.try_clone().unwrap();
        if stuck == "stdout" {
            hook.stdout(pipe)
        } else {
            hook.stderr(pipe)
        };
        let mut child = hook.spawn().unwrap();
        child.stdin.take().unwrap().write_all(event(runtime).as_bytes()).unwrap();
        let ran = child.wait_with_output().unwrap();
        let answers = stuck == "stderr" && ran.status.success() && !ran.stdout.is_empty();
        assert!(answers || ran.status.code() == Some(2), "{runtime}: {ran:?}");
    }
}

/// What a killed `mock exec` has left is put back by other commands.
#[cfg(unix)]
#[test]
fn a_config_that_is_held_does_not_delay_the_answer() {
    let home = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    home.write_config("{}");
    let config = home.config();
    std::fs::copy(&config, config.with_file_name("config.json.before-mock-exec")).unwrap();
    let lock = config.with_file_name("config.json.lock");
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(blocked("codex", &run(&home, "codex")).contains("DEVICE_REVOKED"));
    // Nor are they waiting for the other end of a pipe.
    home.run(&["validate", "agent-01"]).exits(3);
}

#[cfg(unix)]
#[test]
fn a_closed_stderr_blocks() {
    let home = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    for runtime in RUNTIMES {
        let ran = shell(&home, runtime, "\"$0\" hook run $1 2>&-");
        blocked(runtime, &ran);
    }
}

#[test]
fn the_log_does_not_change_the_answer() {
    let home = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    for runtime in RUNTIMES {
        for flag in ["-vv", "--json", "--quiet"] {
            let hook = ["hook", "run", runtime, flag];
            let ran = home.run_with_stdin(&hook, event(runtime));
            assert!(blocked(runtime, &ran).contains("DEVICE_REVOKED"), "{ran:?}");
            assert!(!ran.stderr.contains(KEY), "{ran:?}");
        }
    }
}

#[test]
fn each_decision_is_written_to_the_decision_log() {
    let allowed = asking(&allowing());
    let denied = asking(&deciding(200, json!({"allowed": false, "code": "DEVICE_REVOKED"})));
    for (home, code) in [(&allowed, "ALLOW"), (&denied, "DEVICE_REVOKED")] {
        for runtime in RUNTIMES {
            let hook = ["hook", "run", runtime, "--decision-log", "decisions.jsonl"];
            home.run_with_stdin(&hook, event(runtime));
        }
        let log = fs::read_to_string(home.path().join("decisions.jsonl")).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        for (line, runtime) in lines.zip(RUNTIMES) {
            assert_eq!((&line["code"], &line["device"]), (&json!(code), &json!("agent-01")));
            assert_eq!(line["asked_by"], format!("hook {runtime}"));
            let tool = match runtime {
                "gemini" => "run_shell_command",
                "cursor" => "Shell",
                _ => "Bash",
            };
            assert_eq!((&line["tool"], &line["arguments"]), (&json!(tool), &Value::Null));
        }
        assert_eq!(log.lines().count(), RUNTIMES.len());
        home.run(&["log", "verify", "decisions.jsonl"]).exits(0);
        let shown = home.run(&["log", "show", "decisions.jsonl"]).exits(0).stdout;
        assert!(shown.contains("  TOOL  ") && shown.contains("  run_shell_command"), "{shown}");
    }
}

#[test]
fn an_allow_that_must_be_logged_and_cannot_be_blocks() {
    let home = asking(&allowing());
    for runtime in RUNTIMES {
        let log = ["--decision-log", "missing/decisions.jsonl", "--decision-log-required"];
        let hook = [&["hook", "run", runtime], &log[..]].concat();
        blocked(runtime, &home.run_with_stdin(&hook, event(runtime)));
    }
}
