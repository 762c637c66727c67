//! What a decision, or the want of one, does to the command.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use machins_mock::{Fault, OrgUpdate};
use rstest::rstest;

use super::{Guarded, World};

#[test]
fn a_revoke_ends_the_command() {
    let world = World::new();
    let mut guarded = world.guard(&["--every", "1"], "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.revoke();
    let (status, stderr) = guarded.ended_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("DEVICE_REVOKED"), "{stderr}");
}

#[test]
fn grandchildren_that_ignore_term_end_too() {
    let world = World::new();
    let script = "(trap '' TERM; echo $$; while :; do sleep 1; done) & sleep 600 & wait";
    let mut guarded = world.guard(&["--every", "0.2"], script);
    guarded.line();
    world.revoke();
    let start = Instant::now();
    let (status, _) = guarded.ended();
    assert_eq!(status.code(), Some(3));
    assert!(start.elapsed() >= Duration::from_secs(9), "KILL came before its time");
}

#[test]
fn an_outage_ends_the_command_at_once() {
    let world = World::new();
    let mut guarded = world.guard(&["--every", "0.2"], "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.org.update(OrgUpdate::new().available(false)).unwrap();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3));
    assert!(stderr.contains("SYSTEM_UNAVAILABLE"), "{stderr}");
}

#[test]
fn within_the_grace_an_outage_passes_and_a_revoke_ends() {
    let world = World::new();
    let flags = ["--every", "0.1", "--outage-grace", "60"];
    let mut guarded = world.guard(&flags, "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.org.update(OrgUpdate::new().available(false)).unwrap();
    let seen = world.validations();
    world.wait_until(|| world.validations() >= seen + 3);
    assert!(guarded.guard.try_wait().unwrap().is_none(), "the grace is not over");
    world.org.update(OrgUpdate::new().available(true)).unwrap();
    world.revoke();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3));
    assert!(stderr.contains("DEVICE_REVOKED"), "{stderr}");
}

#[test]
fn a_grace_ends() {
    let world = World::new();
    let flags = ["--every", "0.1", "--outage-grace", "0.5"];
    let mut guarded = world.guard(&flags, "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.org.update(OrgUpdate::new().available(false)).unwrap();
    assert_eq!(guarded.ended().0.code(), Some(3));
}

#[rstest]
#[case::no_reply(Fault::delay(Duration::from_mins(1)))]
#[case::half_a_reply(Fault::slow_body(Duration::from_mins(1)))]
fn a_hung_server_ends_the_command_within_interval_and_timeout(#[case] hung: Fault) {
    let world = World::new();
    let flags = ["--every", "0.5", "--timeout", "0.5"];
    let mut guarded = world.guard(&flags, "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.server.add_fault(hung).unwrap();
    let start = Instant::now();
    let (status, _) = guarded.ended_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(3));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The wall clock, which a user or the network may set, has no say in any of it.
#[cfg(target_os = "linux")]
#[test]
fn clock_jumps_change_nothing() {
    let world = World::new();
    let library = world.home.preload("clock_jumps");
    let date = Command::new("date").arg("+%s").env("LD_PRELOAD", &library).output().unwrap();
    let date: u64 = String::from_utf8(date.stdout).unwrap().trim().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(date.abs_diff(now) > 80_000, "the clock does not jump");

    for ends in ["revoked", "hung"] {
        let mut command = world.home.machins(&["guard", "--every", "0.2", "--timeout", "1"]);
        command.args(["--", "sh", "-c", "echo ready; exec sleep 600"]);
        command.env("LD_PRELOAD", &library);
        let mut guarded = Guarded::start(command);
        assert_eq!(guarded.line(), "ready");
        let seen = world.validations();
        world.wait_until(|| world.validations() >= seen + 3);
        assert!(guarded.guard.try_wait().unwrap().is_none(), "it is allowed");
        let _hung = (ends == "hung")
            .then(|| world.server.fault_scoped(Fault::delay(Duration::from_mins(1))).unwrap());
        if ends == "revoked" {
            world.revoke();
        }
        let (status, stderr) = guarded.ended_within(Duration::from_secs(10));
        assert_eq!(status.code(), Some(3), "{ends}: {stderr}");
        if ends == "revoked" {
            world.home.run(&["unrevoke", "agent-01"]).exits(0);
        }
    }
}

#[test]
fn a_hung_service_ends_the_command_soon_without_a_timeout() {
    let world = World::new();
    let mut guarded = world.guard(&["--every", "0.2"], "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    world.server.add_fault(Fault::delay(Duration::from_mins(2))).unwrap();
    let start = Instant::now();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3), "{stderr}");
    // Ten seconds and the interval; a busy machine gets more before this fails.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn an_outage_grace_says_when_it_begins_and_that_it_passed() {
    let world = World::new();
    let flags = ["--every", "0.1", "--outage-grace", "60"];
    let mut guarded = world.guard(&flags, "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    let outage = world.server.fault_scoped(Fault::status(503)).unwrap();
    let seen = world.validations();
    world.wait_until(|| world.validations() >= seen + 3);
    drop(outage);
    let seen = world.validations();
    world.wait_until(|| world.validations() >= seen + 3);
    world.revoke();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3));
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[1].starts_with("guard: no decision, asking again for 60 s"), "{stderr}");
    assert_eq!(lines[2], "guard: there are decisions again: allowed", "{stderr}");
    assert_eq!(lines[3], "guard: denied (DEVICE_REVOKED)", "{stderr}");
}

#[test]
fn an_outage_grace_says_that_it_is_over_after_a_last_question() {
    let world = World::new();
    let flags = ["--every", "0.1", "--outage-grace", "1"];
    let mut guarded = world.guard(&flags, "echo ready; exec sleep 600");
    assert_eq!(guarded.line(), "ready");
    // Nobody is asked to wait for less than the grace: what is asked in between and at the end is known.
    let outage = Fault::status(503).retry_after(50);
    world.server.add_fault(outage).unwrap();
    let start = Instant::now();
    let (status, stderr) = guarded.ended();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(3));
    let asked = world.server.requests();
    let refused = asked.iter().filter(|request| request.status == Some(503)).count();
    assert_eq!(refused, 2, "one that begins the grace, one that ends it");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[1].starts_with("guard: no decision, asking again for 1 s"), "{stderr}");
    assert!(lines[2].starts_with("guard: still no decision at the end of the outage"), "{stderr}");
}
