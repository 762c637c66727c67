//! The server is kept and ended as `guard` keeps a command; and how the gate exits.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde_json::json;

use crate::world::{Running, World, request};

/// Answers nothing, and leaves a process in a session of its own.
const DETACHES: &str = "setsid sleep 600 & echo $! > \"$HOME/pid\"; cat >> \"$HOME/received\"";

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn start(world: &World, flags: &[&str], script: &str) -> Running {
    let words = World::gate(flags, &shell(script));
    Running::start(world.command(&words[0]).args(&words[1..]))
}

fn wait_for_file(world: &World, name: &str) -> String {
    loop {
        match fs::read_to_string(world.path(name)) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => std::thread::yield_now(),
        }
    }
}

fn is_alive(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended.
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn wait_for_end(pid: &str) {
    while is_alive(pid) {
        std::thread::yield_now();
    }
}

fn call(id: u32) -> String {
    request(id, "tools/call", &json!({"name": "echo"}))
}

#[test]
fn when_the_gate_is_killed_nothing_of_the_server_lives_on() {
    let world = World::new();
    let mut gate = start(&world, &[], DETACHES);
    let pid = wait_for_file(&world, "pid");
    assert!(is_alive(&pid));
    gate.process.kill().unwrap();
    wait_for_end(&pid);
}

#[test]
fn when_the_client_leaves_everything_ends() {
    let world = World::new();
    let mut gate = start(&world, &[], DETACHES);
    let pid = wait_for_file(&world, "pid");
    drop(gate.stdin.take());
    assert_eq!(gate.process.wait().unwrap().code(), Some(0));
    assert!(!is_alive(&pid));
}

#[test]
fn on_a_denial_it_can_end_everything_and_exit_3() {
    let world = World::new();
    let mut gate = start(&world, &["--on-denial", "stop"], DETACHES);
    let pid = wait_for_file(&world, "pid");
    gate.send(&request(1, "ping", &json!({})));
    wait_for_file(&world, "received");
    world.disable();
    gate.send(&call(2));
    // The answer to the call, and to what was open.
    assert!(gate.line().contains("ORG_DISABLED"));
    assert_eq!(gate.process.wait().unwrap().code(), Some(3));
    assert!(!is_alive(&pid));
    assert!(!fs::read_to_string(world.path("received")).unwrap().contains("tools/call"));
}

#[test]
fn a_signal_ends_everything() {
    let world = World::new();
    let mut gate = start(&world, &[], DETACHES);
    let pid = wait_for_file(&world, "pid");
    let kill = Command::new("kill").arg(gate.process.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(gate.process.wait().unwrap().code(), Some(128 + 15));
    assert!(!is_alive(&pid));
}

#[test]
fn a_client_that_dies_is_noticed_though_the_server_is_stuck() {
    let world = World::new();
    // Does not read, so that the gate does not either after a while.
    let mut gate = start(&world, &[], "echo $$ > \"$HOME/pid\"; exec sleep 600");
    let pid = wait_for_file(&world, "pid");
    let mut stdin = gate.stdin.take().unwrap();
    let flood = std::thread::spawn(move || {
        use std::io::Write;
        let line = request(1, "ping", &json!({"fill": "x".repeat(1_000_000)})) + "\n";
        // Blocks, and is then closed with the thread's process; here, by the end of the gate.
        while stdin.write_all(line.as_bytes()).is_ok() {}
    });
    // The client can no longer be written to: it is gone.
    drop(std::mem::replace(&mut gate.stdout, closed()));
    wait_for_end(&pid);
    flood.join().unwrap();
}

/// The output of a program that has ended.
fn closed() -> std::io::BufReader<std::process::ChildStdout> {
    let mut ended = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    let stdout = ended.stdout.take().unwrap();
    ended.wait().unwrap();
    std::io::BufReader::new(stdout)
}

#[test]
fn the_status_of_a_server_that_ends_is_the_gates() {
    let world = World::new();
    assert_eq!(start(&world, &[], "exit 7").process.wait().unwrap().code(), Some(7));
}

#[test]
fn a_server_that_dies_answers_what_is_open() {
    let world = World::new();
    let mut gate = start(&world, &[], "read line; kill -9 $$");
    gate.send(&call(1));
    let answer = gate.document();
    assert_eq!(answer["id"], 1);
    assert!(answer["error"]["message"].as_str().unwrap().contains("ended"), "{answer}");
    assert_eq!(gate.process.wait().unwrap().code(), Some(128 + 9));
}

#[rstest]
#[case::flood("yes garbage | head -c 20000000")]
#[case::long_line("head -c 100000000 /dev/zero | tr '\\0' x; echo")]
#[case::binary("head -c 100000 /dev/urandom; echo")]
fn garbage_on_stdout_is_survived(#[case] script: &str) {
    let world = World::new();
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let script = format!("{script}; read line; echo '{answer}'; cat > /dev/null");
    let mut gate = start(&world, &[], &script);
    gate.send(&call(1));
    assert_eq!(gate.line().trim(), answer);
    drop(gate.stdin.take());
    assert_eq!(gate.process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_message_of_100_mb_is_refused_and_the_session_goes_on() {
    let world = World::new();
    let mut gate = start(&world, &[], "read line; echo \"$line\" > \"$HOME/received\"; cat");
    gate.send(&request(1, "ping", &json!({"fill": "x".repeat(100_000_000)})));
    assert!(gate.line().contains("too long"));
    gate.send(&request(2, "ping", &json!({})));
    assert!(wait_for_file(&world, "received").contains("\"id\":2"));
}

#[rstest]
#[case::no_server(&["mcp", "gate"], 2)]
#[case::url_without_listen(&["mcp", "gate", "--url", "http://127.0.0.1:1/mcp"], 2)]
#[case::url_and_server(&["mcp", "gate", "--url", "http://a/", "--listen", "0", "--", "true"], 2)]
#[case::no_mapping(&["mcp", "gate", "--device-for", "tool", "--", "true"], 2)]
#[case::bad_url(&["mcp", "gate", "--device", "a", "--url", "ftp://a/", "--listen", "0"], 2)]
#[case::missing_server(&["mcp", "gate", "--device", "a", "--", "/no/such/program"], 127)]
fn wrong_usage_is_told(#[case] arguments: &[&str], #[case] code: i32) {
    let world = World::new();
    let mut command = world.command(env!("CARGO_BIN_EXE_machins"));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
}

#[test]
fn without_a_key_the_server_is_not_started() {
    let world = World::new();
    let words = World::gate(&[], &shell("touch \"$HOME/started\""));
    let mut command = world.command(&words[0]);
    let output = command.args(&words[1..]).env_remove("MACHINEID_ORG_KEY").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(!world.path("started").exists());
}

#[test]
fn nobody_has_to_read_its_stderr() {
    let world = World::new();
    let mut command = world.command(env!("CARGO_BIN_EXE_machins"));
    command.args(["mcp", "gate", "--device", "agent-01", "--"]);
    command.args(shell("yes garbage | head -c 5000000; cat"));
    let mut gate = Running::start(command.stderr(Stdio::piped()));
    let ping = request(1, "ping", &json!({}));
    gate.send(&ping);
    assert_eq!(gate.line().trim(), ping);
    let mut stderr = gate.process.stderr.take().unwrap();
    assert_ne!(stderr.read(&mut [0; 64]).unwrap(), 0);
}
