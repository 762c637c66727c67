//! `guard`: nothing that it started outlives its permission.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use machins_mock::blocking::MockServer;
use machins_mock::{Fault, Org, OrgUpdate, Plan};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::home::Home;

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    server: MockServer,
    org: Org,
    home: Home,
}

impl World {
    fn new() -> Self {
        let server = MockServer::start();
        let org = server.create_org(Plan::Free);
        let home = Home::against(&server, &org).with("MACHINEID_DEVICE_ID", "agent-01");
        Self { server, org, home }
    }

    /// A guard on a shell script that says `ready` when it is.
    fn guard(&self, flags: &[&str], script: &str) -> Guarded {
        let command = self.home.machins(&[&["guard"], flags, &["--", "sh", "-c", script]].concat());
        Guarded::start(command)
    }

    fn revoke(&self) {
        self.home.run(&["revoke", "agent-01"]).exits(0);
    }

    #[track_caller]
    fn wait_until(&self, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.server.requests());
            thread::yield_now();
        }
    }

    fn validations(&self) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|request| request.path.ends_with("/validate")).count()
    }
}

struct Guarded {
    guard: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Guarded {
    fn start(mut command: Command) -> Self {
        let mut guard = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = guard.stdout.take().map(BufReader::new);
        Self { guard, stdout }
    }

    /// The next line that the command printed.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.guard.id().cast_signed()), signal).unwrap();
    }

    /// How it ended. Every holder of its stdout has ended as well: not one process is left.
    #[track_caller]
    fn ended(self) -> (ExitStatus, String) {
        self.ended_within(PATIENCE)
    }

    #[track_caller]
    fn ended_within(mut self, patience: Duration) -> (ExitStatus, String) {
        let (sender, receiver) = mpsc::channel();
        let mut stdout = self.stdout.take().unwrap();
        let mut stderr = self.guard.stderr.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text.clear();
            stderr.read_to_string(&mut text).unwrap();
            let _ = sender.send(text);
        });
        let stderr =
            receiver.recv_timeout(patience).expect("the guard and all that it started has ended");
        (self.guard.wait().unwrap(), stderr)
    }
}

/// A test that fails halfway leaves nothing behind: the watchdog ends the rest.
impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

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
    world.home.run(&["remove", "agent-01"]).exits(0);
    denied("device_limit_reached");
    let _outage = world.server.fault_scoped(Fault::drop_before()).unwrap();
    denied("SYSTEM_UNAVAILABLE");
}

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
fn background_processes_end_with_the_command() {
    let world = World::new();
    let (status, _) = world.guard(&[], "sleep 600 & exit 5").ended();
    assert_eq!(status.code(), Some(5));
}

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
fn killing_the_guard_ends_its_command() {
    let world = World::new();
    let script = "sleep 600 & trap '' TERM; echo ready; wait";
    let mut guarded = world.guard(&["--every", "0.1"], script);
    assert_eq!(guarded.line(), "ready");
    world.wait_until(|| world.validations() > 1);
    guarded.signal(Signal::SIGKILL);
    assert_eq!(guarded.ended().0.signal(), Some(9));
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

#[test]
fn a_server_that_accepts_and_never_answers_starts_nothing() {
    let world = World::new();
    let url = crate::stub::hang();
    let flags = ["--machineid-url", &url, "--timeout", "0.5"];
    let mut guarded = world.guard(&flags, "echo started");
    assert_eq!(guarded.line(), "");
    assert_eq!(guarded.ended().0.code(), Some(3));
}

/// The wall clock, which a user or the network may set, has no say in any of it.
#[cfg(target_os = "linux")]
#[test]
fn clock_jumps_change_nothing() {
    let world = World::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/clock_jumps.c");
    let library = world.home.path().join("clock_jumps.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", library.to_str().unwrap(), source, "-ldl"])
        .status();
    assert!(compiled.unwrap().success(), "the C compiler that the project needs");
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
fn the_command_has_stdin_and_stdout_to_itself() {
    let world = World::new();
    let mut command = world.home.machins(&["--json", "guard", "--", "tr", "a-z", "A-Z"]);
    let input = world.home.path().join("input");
    fs::write(&input, "hello\n").unwrap();
    let output = command.stdin(fs::File::open(&input).unwrap()).output().unwrap();
    assert_eq!(output.stdout, b"HELLO\n");
    assert_eq!(output.stderr, b"");
}
