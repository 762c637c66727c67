//! `guard`: nothing that it started outlives its permission.

#[cfg(feature = "console")]
mod console;
mod decisions;
mod environment;
#[cfg(target_os = "linux")]
mod escapes;
#[cfg(target_os = "linux")]
mod job_control;
mod output;
mod signals;
#[cfg(target_os = "linux")]
mod start;
mod status;
#[cfg(target_os = "linux")]
mod watch;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use machins_mock::blocking::MockServer;
use machins_mock::{Org, Plan};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::home::{Home, copy_program, set_mode};

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An environment variable by which the processes of a test are found wherever they are.
const MARK: &str = "GUARD_TEST";

/// Where a guard runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// As the user who runs the tests.
    Plain,
    /// Where no cgroup file system is mounted. Needs root, and is `Plain` without.
    WithoutCgroup,
    /// As the user `nobody`. Needs root, and is `Plain` without: then that user is an ordinary one.
    OrdinaryUser,
}

impl Setting {
    /// What the command line of the guard begins with.
    fn wrapper(self) -> &'static [&'static str] {
        match self {
            Self::WithoutCgroup if is_root() => &[
                "unshare",
                "--mount",
                "sh",
                "-c",
                r#"mount -t tmpfs none /sys/fs/cgroup; exec "$@""#,
                "sh",
            ],
            Self::OrdinaryUser if is_root() => {
                &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
            }
            _ => &[],
        }
    }
}

fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether a program is installed. A test that needs one that is not says so and passes.
fn is_installed(program: &str) -> bool {
    let mut search = Command::new("sh");
    search.args(["-c", "command -v $0", program]).stdout(Stdio::null());
    let found = search.status().unwrap().success();
    if !found {
        eprintln!("not tested: {program} is not installed");
    }
    found
}

/// `machins` where every user can execute it.
fn public_program() -> &'static Path {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o755);
        let path = directory.path().join("machins");
        copy_program(env!("CARGO_BIN_EXE_machins"), &path);
        (directory, path)
    });
    path
}

struct World {
    server: MockServer,
    org: Org,
    home: Home,
    mark: String,
}

impl World {
    fn new() -> Self {
        let server = MockServer::start();
        let org = server.create_org(Plan::Free);
        let mark = server.url();
        let home =
            Home::against(&server, &org).with("MACHINEID_DEVICE_ID", "agent-01").with(MARK, &mark);
        set_mode(home.path(), 0o755);
        Self { server, org, home, mark }
    }

    /// A guard on a shell script that says `ready` when it is.
    fn guard(&self, flags: &[&str], script: &str) -> Guarded {
        let command = self.home.machins(&[&["guard"], flags, &["--", "sh", "-c", script]].concat());
        Guarded::start(command)
    }

    /// A guard somewhere else on a shell script.
    fn guard_in(&self, setting: Setting, flags: &[&str], script: &str) -> Guarded {
        Guarded::start(self.command_in(setting, &[flags, &["--", "sh", "-c", script]].concat()))
    }

    /// The command line of a guard with these arguments.
    fn command_in(&self, setting: Setting, arguments: &[&str]) -> Command {
        self.program_in(setting, &[&["guard"], arguments].concat())
    }

    fn program_in(&self, setting: Setting, arguments: &[&str]) -> Command {
        let program = public_program().to_str().unwrap();
        let line = [setting.wrapper(), &[program], arguments].concat();
        let mut command = self.home.command(line[0]);
        command.args(&line[1..]);
        command
    }

    /// A guard under a shell that first does something to the process, with `exec "$@"` at its end.
    fn guard_after(&self, prelude: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.command("sh");
        command.args(["-c", prelude, "sh"]).arg(public_program()).arg("guard").args(arguments);
        command
    }

    /// The processes of this world that live, but for the guard itself and its keeper.
    #[cfg(target_os = "linux")]
    fn living(&self, guard: i32) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.mark);
        let is_marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        };
        let mut living: Vec<i32> =
            processes().filter(|pid| is_marked(pid) && is_alive(*pid)).collect();
        living.retain(|pid| *pid != guard);
        living
    }

    /// Waits until nothing of this world lives but perhaps the guard.
    #[cfg(target_os = "linux")]
    #[track_caller]
    fn everything_ends(&self, guard: i32) {
        self.everything_ends_within(guard, PATIENCE);
    }

    #[cfg(target_os = "linux")]
    #[track_caller]
    fn everything_ends_within(&self, guard: i32, limit: Duration) {
        let start = Instant::now();
        loop {
            let left = self.living(guard);
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < limit, "still alive: {}", describe(&left));
            thread::sleep(Duration::from_millis(10));
        }
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

    fn id(&self) -> i32 {
        self.guard.id().cast_signed()
    }

    fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// The process that holds the command.
    #[cfg(target_os = "linux")]
    fn keeper(&self) -> i32 {
        keeper(self.id()).expect("a keeper")
    }

    /// The first line of stderr that begins so, when it comes.
    fn stderr_until(&mut self, beginning: &'static str) -> mpsc::Receiver<String> {
        let (sender, receiver) = mpsc::channel();
        let stderr = BufReader::new(self.guard.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if line.starts_with(beginning) {
                    let _ = sender.send(line);
                }
            }
        });
        receiver
    }

    /// How it ended, whoever still holds its output.
    #[track_caller]
    fn status(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.guard.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the guard has not ended");
            thread::sleep(Duration::from_millis(10));
        }
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

/// A test that fails halfway leaves nothing behind: the keeper ends the rest.
impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[cfg(target_os = "linux")]
fn processes() -> impl Iterator<Item = i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The letter for a process's state in `/proc`.
#[cfg(target_os = "linux")]
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// A zombie is not.
#[cfg(target_os = "linux")]
fn is_alive(pid: i32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

#[cfg(target_os = "linux")]
fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

#[cfg(target_os = "linux")]
fn describe(pids: &[i32]) -> String {
    let name = |pid: &i32| format!("{pid} {:?} {}", state(*pid), command_line(*pid));
    pids.iter().map(name).collect::<Vec<_>>().join("; ")
}

/// The living process that holds the command of a guard, if there is one now.
#[cfg(target_os = "linux")]
fn keeper(guard: i32) -> Option<i32> {
    let argument = format!("process-containment:keeper {guard} ");
    processes().find(|pid| command_line(*pid).ends_with(&argument) && is_alive(*pid))
}

#[cfg(target_os = "linux")]
#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}
