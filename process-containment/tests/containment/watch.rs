//! The keeper watches the caller, and the caller the keeper.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rstest::rstest;

use crate::harness::{Caller, Setting, is_alive, send, state, wait_until};

const JOB: &str = "setsid sh -c 'echo ready; exec sleep 600' & echo ready; exec sleep 600";

#[rstest]
fn a_stopped_caller_is_silent(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
) {
    let mut caller = Caller::start(setting, &["--heartbeat", "1000", "--beat"], JOB);
    caller.prints("ready");
    caller.prints("ready");
    send(caller.id(), Signal::SIGSTOP);
    let id = caller.id();
    wait_until("the keeper ends", || !is_alive(caller.keeper));
    let left: Vec<_> = caller.living().into_iter().filter(|pid| *pid != id).collect();
    assert!(left.is_empty(), "{left:?}");
    send(id, Signal::SIGCONT);
    assert_eq!(caller.ends(), "HeartbeatMissed Some(9)");
}

#[test]
fn a_caller_that_beats_keeps_its_job() {
    let flags = ["--heartbeat", "600", "--beat"];
    let mut caller = Caller::start(Setting::Plain, &flags, "sleep 2; exit 4");
    assert_eq!(caller.ends(), "Exited Some(1024)");
}

#[test]
fn a_caller_that_does_not_beat_loses_its_job() {
    let start = Instant::now();
    let mut caller = Caller::start(Setting::Plain, &["--heartbeat", "600"], "exec sleep 600");
    assert_eq!(caller.ends(), "HeartbeatMissed Some(9)");
    assert!(start.elapsed() >= Duration::from_millis(600));
}

#[rstest]
#[case::keeper_first("kill -STOP $0 $1; sleep 3; kill -CONT $1 $0")]
#[case::caller_first("kill -STOP $0 $1; sleep 3; kill -CONT $0; sleep 0.15; kill -CONT $1")]
fn a_pause_of_everything_costs_no_job_its_life(#[case] pauses: &str) {
    let flags = ["--heartbeat", "900", "--beat"];
    let mut caller = Caller::start(Setting::Plain, &flags, JOB);
    caller.prints("ready");
    caller.prints("ready");
    // Far longer than the limit, as a paused container would: the keeper does not run either.
    let mut pause = std::process::Command::new("sh");
    pause.args(["-c", pauses, &caller.id().to_string(), &caller.keeper.to_string()]);
    assert!(pause.status().unwrap().success());
    let mut beats = std::process::Command::new("sleep");
    assert!(beats.arg("2").status().unwrap().success());
    assert!(is_alive(caller.pid), "the job ended");
    caller.order("kill");
    assert_eq!(caller.ends(), "Requested Some(9)");
}

#[test]
fn a_stopped_job_needs_no_beats() {
    let mut caller = Caller::start(Setting::Plain, &["--heartbeat", "800"], JOB);
    caller.order("stop");
    wait_until("it stops", || state(caller.pid) == Some('T'));
    let mut longer_than_the_limit = std::process::Command::new("sleep");
    assert!(longer_than_the_limit.arg("2").status().unwrap().success());
    assert!(is_alive(caller.pid), "the job ended");
    caller.order("resume");
    assert_eq!(caller.ends(), "HeartbeatMissed Some(9)");
}

#[rstest]
#[case::killed(Signal::SIGKILL)]
#[case::stopped(Signal::SIGSTOP)]
fn a_lost_keeper_is_noticed_within_a_second(#[case] signal: Signal) {
    let mut caller = Caller::start(Setting::WithoutCgroup, &[], JOB);
    caller.prints("ready");
    caller.prints("ready");
    let start = Instant::now();
    send(caller.keeper, signal);
    assert_eq!(caller.reports("exited"), "9");
    assert_eq!(caller.ends(), "KeeperLost Some(9)");
    // A second is the aim; a busy machine gets more before this fails.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[rstest]
fn signals_that_can_be_handled_do_not_end_a_keeper(
    #[values(
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGPIPE,
        Signal::SIGALRM,
        Signal::SIGCHLD
    )]
    signal: Signal,
) {
    let mut caller = Caller::start(Setting::Plain, &[], JOB);
    caller.prints("ready");
    caller.prints("ready");
    send(caller.keeper, signal);
    caller.order("signal 0 tree");
    caller.reports("obeyed");
    assert_ne!(state(caller.keeper), Some('T'));
    caller.order("kill");
    assert_eq!(caller.ends(), "Requested Some(9)");
}

#[rstest]
#[case::tree(Setting::WithoutCgroup)]
#[case::ordinary_user(Setting::OrdinaryUser)]
fn caller_and_keeper_killed_at_once_end_the_command(#[case] setting: Setting) {
    let caller = Caller::start(setting, &[], "echo ready; exec sleep 600");
    caller.prints("ready");
    caller.kill_together_with_keeper();
    wait_until("the command ends", || !is_alive(caller.pid));
}

#[test]
fn caller_and_keeper_killed_at_once_end_a_namespace() {
    let mut caller = Caller::start(Setting::PidNamespace, &[], JOB);
    caller.prints("ready");
    caller.prints("ready");
    caller.kill_together_with_keeper();
    caller.everything_ends_within(Duration::from_secs(3));
}

#[rstest]
fn a_stopped_keeper_goes_on_when_its_caller_is_killed(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
) {
    let mut caller = Caller::start(setting, &[], JOB);
    caller.prints("ready");
    caller.prints("ready");
    send(caller.keeper, Signal::SIGSTOP);
    send(caller.id(), Signal::SIGKILL);
    caller.everything_ends_within(Duration::from_secs(3));
}

#[rstest]
#[case::plain(Setting::Plain)]
#[case::namespace(Setting::PidNamespace)]
fn the_keeper_is_small_and_idle(#[case] setting: Setting) {
    let mut caller = Caller::start(setting, &["--heartbeat", "60000"], JOB);
    caller.prints("ready");
    caller.prints("ready");
    let status = fs::read_to_string(format!("/proc/{}/status", caller.keeper)).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // Memory of its own; the program's code is shared with the caller.
    assert!(field("RssAnon") < 3 * 1024, "{status}");
    assert_eq!(field("Threads"), 1);
    let stat = fs::read_to_string(format!("/proc/{}/stat", caller.keeper)).unwrap();
    let ticks = stat.rsplit_once(')').unwrap().1.split(' ').skip(12).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    assert!(ticks < 20, "{ticks} hundredths of a second of processor time");
    caller.order("kill");
    caller.ends();
}

#[test]
fn the_keeper_has_nothing_of_the_environment() {
    let mut caller = Caller::start(Setting::Plain, &[], "exec sleep 600");
    let environment = fs::read(format!("/proc/{}/environ", caller.keeper)).unwrap_or_default();
    let names: Vec<_> = environment
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
        .filter(|entry| !entry.starts_with("LD_"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    caller.order("kill");
    caller.ends();
}
