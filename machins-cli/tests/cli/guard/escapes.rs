//! No way out of a process group or session outlives the permission.

use std::io::Write;

use nix::sys::signal::Signal;
use rstest::rstest;

use super::{Setting, World, is_installed, is_root, send};
use crate::home::{copy_program, set_mode};

/// Ways out. Each prints `ready` when it has been taken.
const SETSID: &str = "setsid sh -c 'echo ready; exec sleep 600' & wait";
const TIMEOUT: &str = "timeout 600 sh -c 'echo ready; exec sleep 600' & wait";
const DOUBLE_FORK: &str = "( (sh -c 'echo ready; exec sleep 600' &) & ) ; exec sleep 600";
const DAEMON: &str =
    "(setsid sh -c 'echo ready; exec sleep 600 <&- >/dev/null 2>&1' &) ; exec sleep 600";
const JOB_CONTROL: &str =
    "exec bash -c 'set -m; sleep 600 & (sleep 600 & echo ready; wait) & wait'";
const PYTHON_SESSION: &str = "exec python3 -c '
import subprocess
child = subprocess.Popen([\"sleep\", \"600\"], start_new_session=True)
print(\"ready\", flush=True)
child.wait()'";
const PYTHON_GROUP: &str = "exec python3 -c '
import os, subprocess
subprocess.Popen([\"sleep\", \"600\"], preexec_fn=os.setpgrp)
print(\"ready\", flush=True)
os.wait()'";
const NODE_DETACHED: &str = "exec node -e '
const { spawn } = require(\"child_process\");
spawn(\"sleep\", [\"600\"], { detached: true, stdio: \"ignore\" }).unref();
spawn(\"sleep\", [\"600\"]);
console.log(\"ready\")'";

#[rstest]
#[case::setsid("sh", SETSID)]
#[case::timeout("sh", TIMEOUT)]
#[case::double_fork("sh", DOUBLE_FORK)]
#[case::daemon("sh", DAEMON)]
#[case::job_control("bash", JOB_CONTROL)]
#[case::python_start_new_session("python3", PYTHON_SESSION)]
#[case::python_process_group("python3", PYTHON_GROUP)]
#[case::node_detached("node", NODE_DETACHED)]
fn nothing_escapes_a_denial(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
    #[case] interpreter: &str,
    #[case] script: &str,
) {
    if !is_installed(interpreter) {
        return;
    }
    let world = World::new();
    let mut guarded = world.guard_in(setting, &["--every", "0.2"], script);
    assert_eq!(guarded.line(), "ready");
    world.revoke();
    let guard = guarded.id();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("DEVICE_REVOKED"), "{stderr}");
    assert_eq!(world.living(guard), [0; 0]);
}

#[rstest]
fn leftovers_end_with_the_command(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
) {
    let world = World::new();
    let stubborn = "setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 600; done' &
        setsid sleep 600 & read line; exit 5";
    let flags = ["--kill-after", "0.3", "--", "sh", "-c", stubborn];
    let mut command = world.command_in(setting, &flags);
    let (reader, mut writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    let mut guarded = super::Guarded::start(command);
    assert_eq!(guarded.line(), "ready");
    writer.write_all(b"end\n").unwrap();
    let guard = guarded.id();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(5), "{stderr}");
    assert_eq!(world.living(guard), [0; 0]);
}

#[test]
fn kill_comes_as_soon_as_kill_after_says() {
    let world = World::new();
    let script = "trap '' TERM; echo ready; while :; do sleep 600; done";
    for (kill_after, least, most) in [("0", 0, 8), ("1.5", 1, 9)] {
        let flags = ["--every", "0.1", "--kill-after", kill_after];
        let mut guarded = world.guard(&flags, script);
        assert_eq!(guarded.line(), "ready");
        world.revoke();
        let start = std::time::Instant::now();
        assert_eq!(guarded.ended().0.code(), Some(3));
        let taken = start.elapsed().as_secs();
        assert!((least..most).contains(&taken), "{taken} s");
        world.home.run(&["unrevoke", "agent-01"]).exits(0);
    }
}

/// A set-user-ID program, such as sudo's, which an ordinary user may not signal.
#[test]
fn what_may_not_be_signalled_is_named_and_waited_for() {
    if !is_root() {
        eprintln!("not tested: needs root to make a set-user-ID program");
        return;
    }
    let world = World::new();
    let setuid = world.home.path().join("setpriv");
    copy_program("/usr/bin/setpriv", &setuid);
    set_mode(&setuid, 0o4755);
    let script = format!(
        "{} --reuid 0 --regid 0 --clear-groups sh -c 'echo $$; exec sleep 600' & wait",
        setuid.display()
    );
    let flags = ["--every", "0.1", "--kill-after", "0.3"];
    let mut guarded = world.guard_in(Setting::OrdinaryUser, &flags, &script);
    let protected: i32 = guarded.line().parse().unwrap();
    let told = guarded.stderr_until("still running");
    world.revoke();
    let told = told.recv_timeout(super::PATIENCE).expect("it is told");
    assert_eq!(
        told,
        format!("still running {protected}: it belongs to another user; waiting for it to end")
    );
    // All others end, and the guard goes on for this one.
    let guard = guarded.id();
    super::wait_until("the others end", || world.living(guard) == [protected]);
    assert!(guarded.guard.try_wait().unwrap().is_none(), "the guard has ended");
    assert!(super::is_alive(protected));
    send(protected, Signal::SIGKILL);
    assert_eq!(guarded.status().code(), Some(3));
}
