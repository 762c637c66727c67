//! TERM, then KILL; what survives is named; what stops goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rstest::rstest;

use crate::harness::{
    Caller, Setting, Spawned, copy_program, is_alive, is_root, public_directory, send, state,
    wait_until,
};

#[rstest]
#[case::success("exit 0", 0)]
#[case::failure("exit 7", 7 << 8)]
#[case::killed("kill -KILL $$", 9)]
#[case::real_time_signal("exec bash -c 'kill -40 $$'", 40)]
fn the_status_is_the_commands_own(#[case] script: &str, #[case] status: i32) {
    let mut caller = Caller::start(Setting::Plain, &[], script);
    assert_eq!(caller.ends(), format!("Exited Some({status})"));
}

#[test]
fn leftovers_are_asked_first_and_then_killed() {
    let script = "(trap 'echo asked; exit' TERM; echo ready; while :; do sleep 600 & wait; done) &
        (trap '' TERM; echo ready; while :; do sleep 600; done) & read -r x <&3; exit 5";
    let directory = public_directory();
    let pipe = directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("exec 3<>{}; {script}", pipe.display());
    let mut caller = Caller::start(Setting::Plain, &["--leftover-grace", "300"], &script);
    caller.prints("ready");
    caller.prints("ready");
    let start = Instant::now();
    fs::write(&pipe, "go\n").unwrap();
    caller.prints("asked");
    assert_eq!(caller.ends(), "Exited Some(1280)");
    assert!(start.elapsed() >= Duration::from_millis(300), "KILL came too early");
}

#[test]
fn term_reaches_all_and_kill_waits_for_the_grace() {
    let script = "(trap 'echo asked' TERM; echo ready; while :; do sleep 600 & wait; done) &
        trap 'echo asked' TERM; echo ready; while :; do sleep 600 & wait; done";
    let mut caller = Caller::start(Setting::Plain, &[], script);
    caller.prints("ready");
    caller.prints("ready");
    let start = Instant::now();
    caller.order("terminate 700");
    caller.prints("asked");
    caller.prints("asked");
    caller.ends();
    assert!(start.elapsed() >= Duration::from_millis(700), "KILL came too early");
}

#[rstest]
fn what_appears_after_term_is_killed_at_once(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
) {
    // Its last words come when the process that it starts on TERM has ended. It is ready when the first
    // has been executed: before that the copy of the shell would take TERM for the shell's.
    let script =
        "exec 2>/dev/null; trap 'sh -c \"echo started; exec sleep 600\"; echo ended $?' TERM
        sh -c 'echo ready; exec sleep 600' & wait; echo left; exit 3";
    let mut caller = Caller::start(setting, &[], script);
    caller.prints("ready");
    caller.order("terminate 3600000");
    let mut line = caller.next_output();
    if line == "started" {
        line = caller.next_output();
    }
    assert!(line.starts_with("ended") && line.ends_with("137"), "{line}");
    caller.prints("left");
    assert_eq!(caller.ends(), "Requested Some(768)");
}

#[test]
fn a_grace_can_be_cut_short() {
    let script = "trap '' TERM; echo ready; while :; do sleep 600; done";
    let mut caller = Caller::start(Setting::Plain, &[], script);
    caller.prints("ready");
    caller.order("terminate 3600000");
    caller.order("kill");
    assert_eq!(caller.ends(), "Requested Some(9)");
}

/// A process that runs as root, which the ordinary user may not send signals to.
#[test]
fn what_may_not_be_signalled_is_named_and_waited_for() {
    if !is_root() {
        eprintln!("not tested: needs root");
        return;
    }
    let directory = public_directory();
    let setuid = directory.path().join("setpriv");
    copy_program("/usr/bin/setpriv", &setuid);
    fs::set_permissions(&setuid, fs::Permissions::from_mode(0o4755)).unwrap();
    let script = format!(
        "{} --reuid 0 --regid 0 --clear-groups sh -c 'echo $$; exec sleep 600' & wait",
        setuid.display()
    );
    let mut caller = Caller::start(Setting::OrdinaryUser, &[], &script);
    let protected: i32 = caller.next_output().parse().unwrap();
    caller.order("terminate 100");
    assert_eq!(caller.reports("still-running"), format!("{protected} NotPermitted"));
    // All others are gone, and the job goes on for this one.
    wait_until("the command ends", || !is_alive(caller.pid));
    assert!(is_alive(protected));
    assert!(is_alive(caller.id()));
    assert!(is_alive(caller.keeper));
    send(protected, Signal::SIGKILL);
    assert!(caller.ends().starts_with("Requested"));
}

/// The directory of a job's cgroup, or `None` where none can be had.
fn cgroup(caller: &Caller) -> Option<String> {
    if caller.containment != "cgroup" {
        eprintln!("not tested: no cgroup can be had");
        return None;
    }
    let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", caller.pid)).unwrap();
    let name = cgroups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    assert!(name.contains("/process-containment."), "{name}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).unwrap();
    Some(format!("{}{name}", mount.split(' ').nth(1).unwrap()))
}

#[test]
fn a_cgroup_ends_what_is_not_in_the_tree_and_is_removed() {
    let mut caller = Caller::start(Setting::Plain, &[], "echo ready; exec sleep 600");
    caller.prints("ready");
    let Some(directory) = cgroup(&caller) else { return };
    fs::create_dir(format!("{directory}/below")).unwrap();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(format!("{directory}/below/cgroup.procs"), stranger.id().to_string()).unwrap();
    caller.order("kill");
    caller.ends();
    assert!(!stranger.wait().unwrap().success());
    assert!(!fs::exists(&directory).unwrap(), "the cgroup is still there");
}

#[test]
fn keepers_with_the_same_number_have_a_cgroup_each() {
    let mut here = Caller::start(Setting::Plain, &[], "exit 0");
    here.ends();
    if here.containment != "cgroup" || !is_root() {
        eprintln!("not tested: needs root, and a cgroup");
        return;
    }
    // Each the first processes of a PID namespace of their own.
    let namespaced = || {
        let prelude = r#"exec unshare --pid --fork --mount-proc "$@""#;
        match Caller::after(prelude, &[], &["sh", "-c", "echo ready; exec sleep 600"]) {
            Spawned::Started(caller) => caller,
            Spawned::Failed(why) => panic!("{why}"),
        }
    };
    let callers = [namespaced(), namespaced()];
    assert_eq!(callers[0].keeper, callers[1].keeper);
    for mut caller in callers {
        assert_eq!(caller.containment, "cgroup");
        caller.prints("ready");
        caller.order("kill");
        caller.reports("ended");
        // Not its keeper, whose number is somebody else's here.
        wait_until("all has ended", || caller.living().is_empty());
    }
}

#[test]
fn a_job_that_leaves_its_cgroup_is_held_by_the_tree() {
    let mut caller = Caller::start(
        Setting::Plain,
        &[],
        "(while grep -q process-containment /proc/self/cgroup; do :; done
          echo out; exec sleep 600) & echo $!; wait",
    );
    let child = caller.next_output();
    let Some(directory) = cgroup(&caller) else { return };
    let parent = Path::new(&directory).parent().unwrap();
    fs::write(parent.join("cgroup.procs"), &child).unwrap();
    caller.prints("out");
    caller.order("kill");
    caller.ends();
}

#[test]
fn what_a_keeper_and_its_caller_left_is_removed_by_the_next() {
    let caller = Caller::start(Setting::Plain, &[], "echo ready; exec sleep 600");
    caller.prints("ready");
    let Some(directory) = cgroup(&caller) else { return };
    caller.kill_together_with_keeper();
    wait_until("the command ends", || !is_alive(caller.pid));
    let keeper = caller.keeper;
    drop(caller);
    wait_until("the keeper is gone", || state(keeper).is_none());
    // It is there yet, unless the keeper of another test was the next.
    let mut next = Caller::start(Setting::Plain, &[], "exit 0");
    next.ends();
    assert!(!fs::exists(&directory).unwrap(), "the cgroup is still there");
}

#[rstest]
fn a_stopped_job_stands_still_and_goes_on(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
) {
    let script = "setsid sh -c 'echo ready; exec sleep 600' & echo $$; exec sleep 600";
    // Stopped, the caller need not beat.
    let mut caller = Caller::start(setting, &["--heartbeat", "60000"], script);
    caller.next_output();
    caller.next_output();
    let job = |caller: &Caller| {
        let caller_itself = caller.id();
        caller.living().into_iter().filter(move |pid| *pid != caller_itself)
    };
    caller.order("stop");
    wait_until("all stop", || job(&caller).all(|pid| state(pid) == Some('T')));
    // One that somebody lets go on is stopped again.
    send(caller.pid, Signal::SIGCONT);
    wait_until("it stops again", || state(caller.pid) == Some('T'));
    caller.order("resume");
    wait_until("all go on", || job(&caller).all(|pid| state(pid) == Some('S')));
    caller.order("stop");
    caller.order("terminate 3600000");
    caller.ends();
}

#[rstest]
#[case::command("command", "", &["outer"])]
#[case::tree("tree", "wait $inner;", &["inner", "outer"])]
fn signals_reach_their_recipients(
    #[case] recipients: &str,
    #[case] first: &str,
    #[case] expected: &[&str],
) {
    let script = format!(
        "setsid sh -c 'trap \"echo inner; exit\" USR1; echo ready; sleep 600 & wait' & inner=$!
        trap '{first} echo outer; exit' USR1; echo ready; sleep 600 & wait"
    );
    let mut caller = Caller::start(Setting::Plain, &[], &script);
    caller.prints("ready");
    caller.prints("ready");
    caller.order(&format!("signal 10 {recipients}"));
    let mut lines: Vec<_> = expected.iter().map(|_| caller.next_output()).collect();
    lines.sort();
    assert_eq!(lines, expected);
    caller.ends();
}

#[test]
fn a_group_signal_reaches_the_group() {
    let script = "sh -c 'trap \"echo inner; exit\" USR1; echo ready; sleep 600 & wait' & inner=$!
        trap 'wait $inner; echo outer; exit' USR1; echo ready; sleep 600 & wait";
    let mut caller = Caller::start(Setting::Plain, &[], script);
    caller.prints("ready");
    caller.prints("ready");
    // `sleep`, in the same group, is ended by it too.
    caller.order("signal 10 group");
    let mut lines = [caller.next_output(), caller.next_output()];
    lines.sort();
    assert_eq!(lines, ["inner", "outer"]);
    caller.ends();
}

#[test]
fn unknown_signals_are_refused() {
    let mut caller = Caller::start(Setting::Plain, &[], "exec sleep 600");
    caller.order("signal 4711 tree");
    assert_eq!(caller.reports("obeyed"), "Err(UnknownSignal(4711))");
    caller.order("kill");
    caller.ends();
}

#[rstest]
#[case::tstp(Signal::SIGTSTP)]
#[case::ttin(Signal::SIGTTIN)]
#[case::stop(Signal::SIGSTOP)]
fn a_stop_by_somebody_else_is_reported(#[case] signal: Signal) {
    let mut caller = Caller::start(Setting::Plain, &[], "echo ready; exec sleep 600");
    caller.prints("ready");
    send(caller.pid, signal);
    assert_eq!(caller.reports("stopped"), (signal as i32).to_string());
    caller.order("kill");
    caller.ends();
}
