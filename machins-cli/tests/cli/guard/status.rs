//! The exit status of guard, and what starts at all.

use std::fs;

use machins_mock::{Fault, OrgUpdate};
use rstest::rstest;

use super::World;

#[rstest]
#[case::success("exit 0", 0)]
#[case::failure("exit 7", 7)]
#[case::highest("exit 255", 255)]
#[case::killed("kill -KILL $$", 137)]
fn guard_exits_with_the_status_of_its_command(#[case] script: &str, #[case] code: i32) {
    let world = World::new();
    let (status, _) = world.guard(&[], script).ended();
    assert_eq!(status.code(), Some(code));
}

#[test]
fn a_command_that_cannot_run_exits_like_in_a_shell() {
    let world = World::new();
    world.home.run(&["guard", "--", "machins-has-no-such-command"]).exits(127);
    let script = world.home.path().join("script");
    fs::write(&script, "not executable").unwrap();
    let ran = world.home.run(&["--json", "guard", "--", script.to_str().unwrap()]).exits(126);
    assert_eq!(ran.error()["kind"], "command");
}

#[test]
fn nothing_starts_without_permission() {
    let world = World::new();
    let script = "echo started";
    let denied = |code: &str| {
        let (status, stderr) = {
            let mut guarded = world.guard(&[], script);
            assert_eq!(guarded.line(), "");
            guarded.ended()
        };
        assert_eq!(status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(code), "{stderr}");
    };
    world.org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    denied("ORG_DISABLED");
    world.org.update(OrgUpdate::new().execution_enabled(true)).unwrap();
    world.home.run(&["register", "agent-01"]).exits(0);
    world.revoke();
    denied("DEVICE_REVOKED");
    for device in ["b1", "b2", "b3"] {
        world.home.run(&["register", device]).exits(0);
    }
    world.home.run(&["remove", "agent-01", "--yes"]).exits(0);
    denied("device_limit_reached");
    let _outage = world.server.fault_scoped(Fault::drop_before()).unwrap();
    denied("SYSTEM_UNAVAILABLE");
}

#[test]
fn a_server_that_accepts_and_never_answers_starts_nothing() {
    let world = World::new();
    let url = crate::stub::hang();
    let flags = ["--machineid-url", &url, "--timeout", "0.5"];
    let mut guarded = world.guard(&flags, "echo started");
    assert_eq!(guarded.line(), "");
    assert_eq!(guarded.ended().0.code(), Some(3));
}

#[test]
fn the_command_has_stdin_and_stdout_to_itself() {
    let world = World::new();
    let mut command = world.home.machins(&["--json", "guard", "--", "tr", "a-z", "A-Z"]);
    let input = world.home.path().join("input");
    fs::write(&input, "hello\n").unwrap();
    let output = command.stdin(fs::File::open(&input).unwrap()).output().unwrap();
    assert_eq!(output.stdout, b"HELLO\n");
    assert_eq!(output.stderr, b"");
}
