//! guard and its keeper watch each other.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use super::{Guarded, Setting, World, is_alive, keeper, send, wait_until};
use crate::home::full_size;

const JOB: &str = "setsid sh -c 'trap \"\" TERM; echo ready; exec sleep 600' & wait";

/// The keeper waits 2.7 seconds for the next permit with these.
const QUICK: [&str; 4] = ["--every", "0.2", "--timeout", "0.5"];

#[rstest]
fn killing_the_guard_ends_its_command(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
) {
    let world = World::new();
    let mut guarded = world.guard_in(setting, &["--every", "0.1"], JOB);
    assert_eq!(guarded.line(), "ready");
    world.wait_until(|| world.validations() > 1);
    guarded.signal(Signal::SIGKILL);
    world.everything_ends(guarded.id());
    assert_eq!(guarded.ended().0.signal(), Some(9));
}

#[test]
fn a_stopped_guard_ends_its_command() {
    let ends_in = |setting| {
        let world = World::new();
        let mut guarded = world.guard_in(setting, &QUICK, JOB);
        assert_eq!(guarded.line(), "ready");
        guarded.signal(Signal::SIGSTOP);
        world.everything_ends(guarded.id());
        guarded.signal(Signal::SIGCONT);
        let (status, stderr) = guarded.ended();
        assert_eq!(status.code(), Some(3), "{setting:?}: {stderr}");
        assert!(stderr.contains("this process was stopped"), "{setting:?}: {stderr}");
    };
    // All at once: they wait.
    thread::scope(|scope| {
        for setting in [Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser] {
            scope.spawn(move || ends_in(setting));
        }
    });
}

#[test]
fn a_guard_that_its_own_command_stops_ends_it() {
    let world = World::new();
    let script = "guard=$(cut -d' ' -f4 /proc/$PPID/stat); kill -STOP $guard; exec sleep 600";
    let guarded = world.guard(&QUICK, script);
    let guard = guarded.id();
    wait_until("it is stopped", || super::state(guard) == Some('T'));
    world.everything_ends(guard);
    guarded.signal(Signal::SIGCONT);
    assert_eq!(guarded.ended().0.code(), Some(3));
}

#[rstest]
#[case::killed(Signal::SIGKILL)]
#[case::stopped(Signal::SIGSTOP)]
fn a_lost_keeper_ends_the_command(#[case] signal: Signal) {
    let world = World::new();
    let mut guarded = world.guard_in(Setting::WithoutCgroup, &[], JOB);
    assert_eq!(guarded.line(), "ready");
    send(guarded.keeper(), signal);
    world.everything_ends(guarded.id());
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("that holds the command was killed or stopped"), "{stderr}");
}

/// As SECURITY.md says: the command itself.
#[test]
fn guard_and_keeper_killed_at_once_end_the_command() {
    let world = World::new();
    let script = "echo $$; exec sleep 600";
    let mut guarded = world.guard_in(Setting::WithoutCgroup, &[], script);
    let command: i32 = guarded.line().parse().unwrap();
    let keeper = guarded.keeper();
    guarded.signal(Signal::SIGSTOP);
    send(keeper, Signal::SIGKILL);
    guarded.signal(Signal::SIGKILL);
    wait_until("the command ends", || !is_alive(command));
}

#[test]
fn a_pause_of_everything_costs_no_job_its_life() {
    let world = World::new();
    let script = "echo ready; read line; exit 7";
    let arguments = [&QUICK[..], &["--", "sh", "-c", script]].concat();
    let mut command = world.command_in(Setting::Plain, &arguments);
    let (reader, mut writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    let mut guarded = Guarded::start(command);
    assert_eq!(guarded.line(), "ready");
    // Longer than the keeper waits for a permit, as a paused container would be.
    let mut pause = Command::new("sh");
    let pauses = "kill -STOP $0 $1; sleep 4; kill -CONT $0 $1";
    pause.args(["-c", pauses, &guarded.id().to_string(), &guarded.keeper().to_string()]);
    assert!(pause.status().unwrap().success());
    let seen = world.validations();
    world.wait_until(|| world.validations() >= seen + 8);
    std::io::Write::write_all(&mut writer, b"end\n").unwrap();
    let (status, stderr) = guarded.ended();
    assert_eq!(status.code(), Some(7), "{stderr}");
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Guard,
    Keeper,
}

/// At how many moments each case is tried. With `FULL_SIZE` that is 504 in all.
fn rounds() -> u64 {
    if full_size() { 126 } else { 4 }
}

#[rstest]
fn nothing_outlives_a_kill_or_stop_at_any_moment(
    #[values(Victim::Guard, Victim::Keeper)] victim: Victim,
    #[values(Signal::SIGKILL, Signal::SIGSTOP)] signal: Signal,
) {
    // From before the registration to long after the start of the command, in no order.
    let moments: Vec<_> = (0..rounds())
        .map(|round| Duration::from_micros((round * 79_193 + 20_000) % 300_000))
        .collect();
    // Most of the time is waiting.
    for moments in moments.chunks(4) {
        thread::scope(|scope| {
            for moment in moments {
                scope.spawn(|| nothing_outlives(victim, signal, *moment));
            }
        });
    }
}

fn nothing_outlives(victim: Victim, signal: Signal, moment: Duration) {
    let job = "i=0
        while [ $i -lt 50 ]; do setsid sleep 600 & (setsid sleep 600 &); sleep 0.05; i=$((i+1)); done
        exec sleep 600";
    let world = World::new();
    let guarded = world.guard(&["--every", "0.1", "--timeout", "0.4"], job);
    let guard = guarded.id();
    thread::sleep(moment);
    let limit = match victim {
        Victim::Guard => {
            let _ = kill(Pid::from_raw(guard), signal);
            // The time for which the keeper waits for a permit comes on top of three seconds.
            Duration::from_secs(if signal == Signal::SIGSTOP { 6 } else { 3 })
        }
        Victim::Keeper => {
            // Not started yet.
            let Some(keeper) = keeper(guard) else { return };
            let _ = kill(Pid::from_raw(keeper), signal);
            Duration::from_secs(3)
        }
    };
    world.everything_ends_within(guard, limit);
    // One that was just starting may not have been seen. So whoever is left does its work first: killed
    // both in the same instant, they could not.
    if let Victim::Keeper = victim {
        assert_eq!(guarded.status().code(), Some(3), "{moment:?}");
    } else {
        drop(guarded);
        wait_until("the keeper ends", || keeper(guard).is_none());
    }
    assert_eq!(world.living(guard), [0; 0], "{moment:?}");
}
