//! What keeps a command from being held keeps it from being started, and is not blamed on it.

use super::{Guarded, Setting, World, is_root};
use crate::home::Ran;

/// What the command would print.
const STARTED: &str = "the command has started";

#[track_caller]
fn is_refused(world: &World, mut command: std::process::Command, expected: &str) {
    let ran = Ran::from(command.output().unwrap()).exits(3);
    assert!(!ran.stdout.contains(STARTED), "{ran:?}");
    assert!(ran.stderr.contains(expected), "{ran:?}");
    assert!(!ran.stderr.contains("echo"), "the command is blamed: {ran:?}");
    assert!(!ran.stderr.contains("bug"), "{ran:?}");
    drop(world.server.requests());
}

#[test]
fn without_proc_nothing_starts() {
    if !is_root() {
        eprintln!("not tested: needs root to take away /proc");
        return;
    }
    let world = World::new();
    for prelude in [
        r#"exec unshare --mount sh -c 'umount -l /proc; exec "$@"' sh "$@""#,
        // One that is another PID namespace's.
        r#"exec unshare --pid --fork "$@""#,
    ] {
        is_refused(&world, world.guard_after(prelude, &["--", "echo", STARTED]), "/proc");
    }
}

#[test]
fn few_descriptors_are_never_the_commands_fault() {
    let world = World::new();
    let mut started = 0;
    // With fewer the program does not load.
    for limit in (4..64).step_by(2) {
        let prelude = format!(r#"ulimit -n {limit}; exec "$@""#);
        let ran =
            Ran::from(world.guard_after(&prelude, &["--", "echo", STARTED]).output().unwrap());
        match ran.code {
            Some(0) => started += 1,
            Some(3) => {
                assert!(!ran.stdout.contains(STARTED), "{limit}: {ran:?}");
                assert!(ran.stderr.contains("open"), "{limit}: {ran:?}");
            }
            _ => panic!("{limit}: {ran:?}"),
        }
        assert!(!ran.stderr.contains("echo") && !ran.stderr.contains("bug"), "{limit}: {ran:?}");
    }
    assert!(started > 5, "{started}");
}

#[test]
fn a_containment_that_can_not_be_had_starts_nothing() {
    if !is_root() {
        eprintln!("not tested: needs root to take away the cgroups");
        return;
    }
    let world = World::new();
    let arguments = ["--containment", "cgroup", "--", "echo", STARTED];
    for setting in [Setting::WithoutCgroup, Setting::OrdinaryUser] {
        is_refused(&world, world.command_in(setting, &arguments), "containment cgroup");
    }
}

#[test]
fn an_unknown_containment_is_wrong_usage() {
    let world = World::new();
    let ran = world.home.run(&["guard", "--containment", "cage", "--", "true"]).exits(2);
    assert!(ran.stderr.contains("auto, pidns, cgroup, tree, group"), "{ran:?}");
    assert!(world.server.requests().is_empty());
}

#[test]
fn verbose_says_what_holds_the_command() {
    let world = World::new();
    let held_by = |flags: &[&str]| {
        let (status, stderr) = world.guard(&[&["-v"], flags].concat(), "exit 0").ended();
        let line = stderr.lines().find(|line| line.starts_with("guard: containment "));
        (status.code(), line.map(|line| line.split([' ', ',']).nth(2).unwrap().to_owned()))
    };
    for demanded in ["auto", "group", "tree"] {
        let (code, held_by) = held_by(&["--containment", demanded]);
        assert_eq!(code, Some(0));
        assert!(["tree", "cgroup", "group"].contains(&held_by.unwrap().as_str()));
    }
    match held_by(&["--containment", "pidns"]) {
        (Some(0), Some(name)) => assert_eq!(name, "pidns"),
        (code, held_by) => {
            assert_eq!((code, held_by), (Some(3), None));
            eprintln!("not tested: PID namespaces are not allowed here");
        }
    }
}

/// As in a container: guard is the first process of its PID namespace.
#[test]
fn guard_can_be_process_one() {
    if !is_root() {
        eprintln!("not tested: needs root to make a PID namespace");
        return;
    }
    let world = World::new();
    let script = "setsid sh -c 'echo ready; exec sleep 600' & (sleep 600 &); wait";
    let prelude = r#"exec unshare --pid --fork --mount-proc --kill-child "$@""#;
    let arguments = ["--every", "0.2", "--", "sh", "-c", script];
    let mut guarded = Guarded::start(world.guard_after(prelude, &arguments));
    assert_eq!(guarded.line(), "ready");
    world.revoke();
    assert_eq!(guarded.ended().0.code(), Some(3));
}
