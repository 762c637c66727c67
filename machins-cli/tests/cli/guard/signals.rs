//! Signals to guard and to its command.

use std::time::Duration;

use machins_mock::Fault;
use nix::sys::signal::Signal;
use rstest::rstest;

use super::{Guarded, World};

#[rstest]
#[case::term(Signal::SIGTERM, "TERM")]
#[case::int(Signal::SIGINT, "INT")]
#[case::hup(Signal::SIGHUP, "HUP")]
#[case::usr1(Signal::SIGUSR1, "USR1")]
#[case::usr2(Signal::SIGUSR2, "USR2")]
#[case::quit(Signal::SIGQUIT, "QUIT")]
fn signals_are_passed_on(#[case] signal: Signal, #[case] name: &str) {
    let script =
        format!("trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done");
    let world = World::new();
    let mut guarded = world.guard(&[], &script);
    assert_eq!(guarded.line(), "ready");
    guarded.signal(signal);
    assert_eq!(guarded.line(), "got");
    assert_eq!(guarded.ended().0.code(), Some(9));
}

#[test]
fn term_ends_the_guard_and_its_command() {
    let world = World::new();
    let mut guarded = world.guard(&[], "sleep 600 & echo ready; wait");
    assert_eq!(guarded.line(), "ready");
    guarded.signal(Signal::SIGTERM);
    assert_eq!(guarded.ended().0.code(), Some(143));
}

#[test]
fn a_signal_before_the_start_ends_the_guard() {
    let world = World::new();
    let delay = Fault::delay(Duration::from_mins(1));
    let _hung = world.server.fault_scoped(delay).unwrap();
    let guarded = world.guard(&[], "echo started");
    // The request shows that the guard is at work; its signals are handled by then.
    world.wait_until(|| !world.server.requests().is_empty());
    guarded.signal(Signal::SIGINT);
    assert_eq!(guarded.ended().0.code(), Some(130));
}

/// As under `nohup`, whose command the end of the terminal must not end.
#[test]
fn signals_that_were_ignored_stay_ignored() {
    let world = World::new();
    let script = "kill -HUP $$; echo alive; read line; kill -HUP $$; kill -USR2 $$; exit 4";
    let prelude = r#"trap '' HUP USR2; exec "$@""#;
    let mut command = world.guard_after(prelude, &["--every", "0.1", "--", "sh", "-c", script]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    let mut guarded = Guarded::start(command);
    assert_eq!(guarded.line(), "alive");
    guarded.signal(Signal::SIGHUP);
    guarded.signal(Signal::SIGUSR2);
    let seen = world.validations();
    world.wait_until(|| world.validations() >= seen + 3);
    std::io::Write::write_all(&mut writer, b"go on\n").unwrap();
    assert_eq!(guarded.ended().0.code(), Some(4));
}

#[test]
fn others_are_passed_on_though_some_are_ignored() {
    let world = World::new();
    let script = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let prelude = r#"trap '' HUP; exec "$@""#;
    let mut guarded = Guarded::start(world.guard_after(prelude, &["--", "sh", "-c", script]));
    assert_eq!(guarded.line(), "ready");
    guarded.signal(Signal::SIGTERM);
    assert_eq!(guarded.line(), "got");
    assert_eq!(guarded.ended().0.code(), Some(9));
}
