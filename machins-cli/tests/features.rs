//! A command that a build lacks says which feature has it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
    command.args(arguments).env("HOME", home.path()).current_dir(home.path());
    command.output().unwrap()
}

#[rstest]
#[case::demo(&["demo"], "mock", cfg!(feature = "mock"))]
#[case::mock_serve(&["mock", "serve"], "mock", cfg!(feature = "mock"))]
#[case::mock_exec(&["mock", "exec", "--", "true"], "mock", cfg!(feature = "mock"))]
#[case::hook_verify(&["hook", "verify", "cursor"], "mock", cfg!(feature = "mock"))]
#[case::mcp_gate(&["mcp", "gate", "--", "true"], "mcp", cfg!(feature = "mcp"))]
#[case::relay(&["relay", "--to", "-"], "relay", cfg!(feature = "relay"))]
fn a_command_that_is_not_built_names_its_feature(
    #[case] command: &[&str],
    #[case] feature: &str,
    #[case] is_built: bool,
) {
    if is_built {
        assert_eq!(run(&[command[0], "--help"]).status.code(), Some(0));
        return;
    }
    let output = run(command);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains(&format!("without the feature {feature}")), "{text}");
    assert!(text.contains("--features full"), "{text}");
    let output = run(&[&["--json"], command].concat());
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &error["error"]["kind"]), (Some(2), &"usage".into()));
}

#[test]
fn a_filter_that_is_not_built_names_its_feature() {
    let output = run(&["profile", "list", "--jq", ".items[].id"]);
    let text = String::from_utf8(output.stderr).unwrap();
    if cfg!(feature = "jq") {
        assert_eq!(output.status.code(), Some(0), "{text}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{text}");
    let says = "this build of machins lacks the feature jq; build it with --features full";
    assert!(text.contains(says), "{text}");
}

#[test]
fn a_store_that_is_not_built_is_not_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
    command.args(["buy", "3eb37a3c", "--once", "order", "--base-url", "http://127.0.0.1:1/api/v1"]);
    command.env("MACHINS_STORE", "nats://127.0.0.1:1").env("MACHINS_API_KEY", "at_key");
    let output = command.env("HOME", home.path()).current_dir(home.path()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let says = "built without the feature relay";
    assert_eq!(text.contains(says), cfg!(not(feature = "relay")), "{text}");
    assert_ne!(output.status.code(), Some(0), "{text}");
}
