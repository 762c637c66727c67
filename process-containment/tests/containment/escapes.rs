//! No way out of a process group or session is a way out of the job.

use std::fs;
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rstest::rstest;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Caller, Setting, is_installed, public_directory, send};

/// Ways out. Each prints `ready` when it has been taken.
const SETSID: &str = "setsid sh -c 'echo ready; exec sleep 600' & wait";
const TIMEOUT: &str = "timeout 600 sh -c 'echo ready; exec sleep 600' & wait";
const DOUBLE_FORK: &str = "( (sh -c 'echo ready; exec sleep 600' &) & ) ; exec sleep 600";
const DAEMON: &str =
    "(setsid sh -c 'echo ready; exec sleep 600 <&- >/dev/null 2>&1' &) ; exec sleep 600";
const NOHUP: &str = "nohup sh -c 'echo ready; exec sleep 600' 2>&1 & wait";
const IGNORES_ALL: &str = "trap '' TERM HUP INT QUIT USR1; echo ready; while :; do sleep 600; done";
const STOPPED: &str = "sh -c 'echo ready; kill -STOP $$; exec sleep 600' & wait";
const DEEP: &str =
    "nest() { [ $1 = 0 ] && { echo ready; exec sleep 600; }; (nest $(($1 - 1))); :; }
nest 60";
const JOB_CONTROL: &str =
    "exec bash -c 'set -m; sleep 600 & (sleep 600 & echo ready; wait) & wait'";
const SUBREAPER: &str = "exec python3 -c '
import ctypes, os, subprocess
ctypes.CDLL(None).prctl(36, 1)
subprocess.run([\"sh\", \"-c\", \"(setsid sleep 600 &)\"])
print(\"ready\", flush=True)
os.wait()'";
const PYTHON_SESSION: &str = "exec python3 -c '
import subprocess
child = subprocess.Popen([\"sleep\", \"600\"], start_new_session=True)
print(\"ready\", flush=True)
child.wait()'";
const PYTHON_GROUP: &str = "exec python3 -c '
import subprocess
child = subprocess.Popen([\"sleep\", \"600\"], process_group=0)
print(\"ready\", flush=True)
child.wait()'";
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
#[case::nohup("sh", NOHUP)]
#[case::ignores_all_signals("sh", IGNORES_ALL)]
#[case::stopped("sh", STOPPED)]
#[case::sixty_levels_deep("sh", DEEP)]
#[case::job_control("bash", JOB_CONTROL)]
#[case::subreaper_of_its_own("python3", SUBREAPER)]
#[case::python_start_new_session("python3", PYTHON_SESSION)]
#[case::python_process_group("python3", PYTHON_GROUP)]
#[case::node_detached("node", NODE_DETACHED)]
fn nothing_escapes(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
    #[case] interpreter: &str,
    #[case] script: &str,
) {
    if !is_installed(interpreter) {
        return;
    }
    let mut caller = Caller::start(setting, &[], script);
    caller.prints("ready");
    caller.order("kill");
    assert!(caller.ends().starts_with("Requested"));
}

/// All of the above that need nothing but a shell, at once.
fn everything() -> String {
    [SETSID, TIMEOUT, DOUBLE_FORK, DAEMON, NOHUP, IGNORES_ALL, STOPPED]
        .map(|way| format!("({way}) &\n"))
        .concat()
        + "wait"
}

/// How a job comes to its end.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Terminate,
    CommandKilled,
    CallerKilled,
    KeeperKilled,
    KeeperStopped,
    KeeperBlinded,
}

#[rstest]
fn every_end_is_the_end_of_all(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
    #[values(
        End::Kill,
        End::Terminate,
        End::CommandKilled,
        End::CallerKilled,
        End::KeeperKilled,
        End::KeeperStopped,
        End::KeeperBlinded
    )]
    end: End,
) {
    if matches!((setting, end), (Setting::OrdinaryUser, End::KeeperBlinded)) {
        // The tests run as another user, who may not do it.
        return;
    }
    let mut caller = Caller::start(setting, &["--leftover-grace", "100"], &everything());
    for _ in 0..7 {
        caller.prints("ready");
    }
    let cause = match end {
        End::Kill => {
            caller.order("kill");
            "Requested"
        }
        End::Terminate => {
            caller.order("terminate 100");
            "Requested"
        }
        End::CommandKilled => {
            send(caller.pid, Signal::SIGKILL);
            "Exited Some(9)"
        }
        End::CallerKilled => {
            send(caller.id(), Signal::SIGKILL);
            caller.everything_ends_within(Duration::from_secs(3));
            return;
        }
        End::KeeperKilled => {
            send(caller.keeper, Signal::SIGKILL);
            "KeeperLost"
        }
        End::KeeperStopped => {
            send(caller.keeper, Signal::SIGSTOP);
            "KeeperLost"
        }
        End::KeeperBlinded => {
            forbid_files(caller.keeper);
            caller.order("kill");
            "KeeperLost"
        }
    };
    let ended = caller.ends();
    assert!(ended.starts_with(cause), "{ended}");
}

/// Lets a process open no file any more, as the job could.
fn forbid_files(pid: i32) {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    prlimit(Pid::from_raw(pid), Resource::Nofile, none).unwrap();
}

/// Jobs that start processes all the time keep the machine busy: one at a time.
static FORKING: Mutex<()> = Mutex::new(());

#[rstest]
fn a_hundred_respawning_sessions_end_in_a_second(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
) {
    if !is_installed("python3") {
        return;
    }
    let _alone = FORKING.lock();
    // A hundred sessions; each member forks its successor and ends, over and over.
    let script = "exec python3 -c '
import os, time
for _ in range(100):
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork() != 0:
                os._exit(0)
            time.sleep(0.1)
print(\"ready\", flush=True)
while True:
    try: os.wait()
    except ChildProcessError: time.sleep(600)'";
    let mut caller = Caller::start(setting, &[], script);
    caller.prints("ready");
    let start = Instant::now();
    caller.order("kill");
    caller.ends();
    // A second is the aim; a busy machine gets more before this fails.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A program whose processes start others faster than anything written in a script.
fn fast_forker() -> &'static str {
    static PROGRAM: LazyLock<(tempfile::TempDir, String)> = LazyLock::new(|| {
        let directory = public_directory();
        let program = directory.path().join("forks").to_str().unwrap().to_owned();
        let source = "
            #include <unistd.h>
            int main(void) {
                for (int chains = 0; chains < 2; chains++)
                    if (fork() == 0) for (setsid();;) if (fork() != 0) _exit(0);
                write(1, \"ready\\n\", 6);
                for (;;) pause();
            }";
        let source_file = directory.path().join("forks.c");
        fs::write(&source_file, source).unwrap();
        let compiled = Command::new("cc").arg("-o").arg(&program).arg(&source_file).status();
        assert!(compiled.unwrap().success(), "the C compiler that the project needs");
        (directory, program)
    });
    &PROGRAM.1
}

#[rstest]
fn one_that_forks_as_fast_as_it_can_ends(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser)] setting: Setting,
    #[values(End::Kill, End::Terminate, End::KeeperKilled)] end: End,
) {
    let _alone = FORKING.lock();
    let mut caller = Caller::start_program(setting, &[], &[fast_forker()]);
    caller.prints("ready");
    match end {
        End::KeeperKilled => send(caller.keeper, Signal::SIGKILL),
        End::Terminate => caller.order("terminate 100"),
        _ => caller.order("kill"),
    }
    caller.ends();
}
