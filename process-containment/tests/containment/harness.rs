//! Callers of the crate, started, driven and looked at from outside.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// Longer than anything here should take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a caller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// As the user who runs the tests.
    Plain,
    /// Where no cgroup file system is mounted. Needs root, and is `Plain` without.
    WithoutCgroup,
    /// As the user `nobody`. Needs root, and is `Plain` without: then that user is an ordinary one.
    OrdinaryUser,
    /// In a PID namespace. `None` where that is not allowed.
    PidNamespace,
}

/// An environment variable by which a test's processes are found wherever they are.
const MARK: &str = "PROCESS_CONTAINMENT_TEST";

pub(crate) struct Caller {
    child: Child,
    orders: Option<ChildStdin>,
    events: Receiver<String>,
    output: Receiver<String>,
    mark: String,
    /// The command and the keeper.
    pub(crate) pid: i32,
    pub(crate) keeper: i32,
    pub(crate) containment: String,
}

/// The program of the tests, where every user can execute it.
fn fixture() -> &'static Path {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = public_directory();
        let path = directory.path().join("fixture");
        copy_program(env!("CARGO_BIN_EXE_process-containment-fixture"), &path);
        (directory, path)
    });
    path
}

/// A directory that every user can enter.
pub(crate) fn public_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether a program is installed. A test that needs one that is not says so and passes.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut search = Command::new("sh");
    search.args(["-c", "command -v $0", program]).stdout(Stdio::null());
    let found = search.status().unwrap().success();
    if !found {
        eprintln!("not tested: {program} is not installed");
    }
    found
}

impl Setting {
    /// The caller's command line, up to its own arguments.
    fn command(self) -> Command {
        let wrapper: &[&str] = match self {
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
        };
        let program = fixture().to_str().unwrap();
        let mut line = wrapper.iter().copied().chain([program]);
        let mut command = Command::new(line.next().unwrap());
        command.args(line);
        if self == Self::PidNamespace {
            command.args(["--containment", "pidns"]);
        }
        command
    }
}

/// What became of an attempt to start a caller.
pub(crate) enum Spawned {
    Started(Box<Caller>),
    /// The line that says why not.
    Failed(String),
}

impl Caller {
    /// A caller that has started `script` under containment.
    pub(crate) fn start(setting: Setting, flags: &[&str], script: &str) -> Self {
        Self::start_program(setting, flags, &["sh", "-c", script])
    }

    pub(crate) fn start_program(setting: Setting, flags: &[&str], program: &[&str]) -> Self {
        let mut command = setting.command();
        command.args(flags).arg("--").args(program);
        match Self::spawn(command) {
            Spawned::Started(caller) => *caller,
            Spawned::Failed(why) => panic!("{why}"),
        }
    }

    /// What a caller said that could not start its command.
    pub(crate) fn fails(setting: Setting, flags: &[&str], program: &[&str]) -> String {
        let mut command = setting.command();
        command.args(flags).arg("--").args(program);
        match Self::spawn(command) {
            Spawned::Started(_) => panic!("it was started"),
            Spawned::Failed(why) => why,
        }
    }

    /// A caller under a shell that first does something to the process, with `exec "$@"` at its end.
    pub(crate) fn after(prelude: &str, flags: &[&str], program: &[&str]) -> Spawned {
        let mut command = Command::new("sh");
        command.args(["-c", prelude, "sh"]).arg(fixture()).args(flags).arg("--").args(program);
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Spawned {
        let mark = new_mark();
        let mut child = command
            .env(MARK, &mark)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let events = lines(child.stdout.take().unwrap());
        let output = lines(child.stderr.take().unwrap());
        let orders = child.stdin.take();
        let mut caller = Self {
            child,
            orders,
            events,
            output,
            mark,
            pid: 0,
            keeper: 0,
            containment: String::new(),
        };
        let first = caller.events.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("nothing was started: {:?}", caller.output.try_iter().collect::<Vec<_>>())
        });
        let words: Vec<&str> = first.split(' ').collect();
        let ["started", containment, pid, keeper] = words[..] else {
            return Spawned::Failed(first);
        };
        containment.clone_into(&mut caller.containment);
        caller.pid = pid.parse().unwrap();
        caller.keeper = keeper.parse().unwrap();
        Spawned::Started(Box::new(caller))
    }

    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
    }

    /// Waits for a line of the command's output.
    #[track_caller]
    pub(crate) fn prints(&self, expected: &str) {
        let line = self.next_output();
        assert_eq!(line, expected);
    }

    #[track_caller]
    pub(crate) fn next_output(&self) -> String {
        self.output.recv_timeout(PATIENCE).expect("a line of output")
    }

    /// Waits for an event that begins so, and returns the rest of its line.
    #[track_caller]
    pub(crate) fn reports(&self, kind: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.events.recv_timeout(left).unwrap_or_else(|_| panic!("no {kind}"));
            if let Some(rest) = line.strip_prefix(kind) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Waits until the caller says that all has ended, and checks that it is so at that moment.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> String {
        let ended = self.reports("ended");
        self.assert_nothing_lives();
        self.child.wait().unwrap();
        // Processes that come and go too fast to be seen hold the output open.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return ended,
                Err(RecvTimeoutError::Timeout) => panic!("a process still holds the output"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn assert_nothing_lives(&self) {
        let caller = self.child.id().cast_signed();
        let left: Vec<i32> = self.living().into_iter().filter(|pid| *pid != caller).collect();
        assert!(left.is_empty(), "still alive: {}", describe(&left));
        assert!(!is_alive(self.keeper), "the keeper is still alive");
    }

    /// Waits until neither caller, keeper nor anything of the job lives.
    #[track_caller]
    pub(crate) fn everything_ends_within(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let _ = self.child.try_wait();
            let mut left = self.living();
            left.extend(Some(self.keeper).filter(|pid| is_alive(*pid)));
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still alive: {}", describe(&left));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// All processes that carry this test's mark: the caller and the job, but not the keeper.
    pub(crate) fn living(&self) -> Vec<i32> {
        living(&self.mark)
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Kills both so that neither sees the other's end.
    pub(crate) fn kill_together_with_keeper(&self) {
        send(self.id(), Signal::SIGSTOP);
        send(self.keeper, Signal::SIGKILL);
        send(self.id(), Signal::SIGKILL);
    }
}

/// A test that fails halfway leaves nothing behind.
impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn processes() -> impl Iterator<Item = i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn living(mark: &str) -> Vec<i32> {
    let mark = format!("{MARK}={mark}");
    let is_marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    processes().filter(|pid| is_marked(pid) && is_alive(*pid)).collect()
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// A zombie is not.
pub(crate) fn is_alive(pid: i32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// The letter for a process's state in `/proc`.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn describe(pids: &[i32]) -> String {
    let name = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        format!("{pid} {:?} {}", state(*pid), String::from_utf8_lossy(&line).replace('\0', " "))
    };
    pids.iter().map(name).collect::<Vec<_>>().join("; ")
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A file in `directory` that every user can read and execute.
/// Copies a program that is to be executed. By a process of its own: as long as a process that another
/// thread has just started holds the copy open for writing, the system does not execute it.
pub(crate) fn copy_program(program: impl AsRef<Path>, to: &Path) {
    let mut copy = Command::new("cp");
    assert!(copy.arg(program.as_ref()).arg(to).status().unwrap().success());
}

/// Writes a script that is to be executed. By a process of its own, as [`copy_program`] does.
pub(crate) fn write_script(directory: &Path, name: &str, text: &str) -> OsString {
    let path = directory.join(name);
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(&path).arg(text);
    assert!(write.status().unwrap().success());
    path.into()
}

/// A caller that is only just starting, so that nothing is known of it.
pub(crate) struct Attempt {
    child: Child,
    mark: String,
}

impl Attempt {
    pub(crate) fn start(setting: Setting, flags: &[&str], script: &str) -> Self {
        let mark = new_mark();
        let child = setting
            .command()
            .args(flags)
            .args(["--", "sh", "-c", script])
            .env(MARK, &mark)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, mark }
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The keeper, if there is one now.
    pub(crate) fn keeper(&self) -> Option<i32> {
        keepers(self.id()).first().copied()
    }

    /// Waits until nothing of the job lives, and no keeper either.
    #[track_caller]
    pub(crate) fn everything_ends_within(&mut self, limit: Duration, moment: Duration) {
        let caller = self.id();
        all_end(limit, moment, || self.job().into_iter().chain(keepers(caller)).collect());
    }

    /// Waits until nothing of the job lives. A keeper may still wait to be told what to start, but not
    /// when the caller has ended too.
    #[track_caller]
    pub(crate) fn job_ends_within(&mut self, limit: Duration, moment: Duration) {
        all_end(limit, moment, || self.job());
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.everything_ends_within(limit, moment);
    }

    fn job(&mut self) -> Vec<i32> {
        let _ = self.child.try_wait();
        let mut left = living(&self.mark);
        left.retain(|pid| *pid != self.id());
        left
    }
}

#[track_caller]
fn all_end(limit: Duration, moment: Duration, mut left: impl FnMut() -> Vec<i32>) {
    let deadline = Instant::now() + limit;
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "at {moment:?}, still alive: {}", describe(&left));
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The keepers that belong to a caller. They have no mark, but name the process that started them as an
/// argument: the caller, or in a PID namespace a helper that names the caller.
fn keepers(caller: i32) -> Vec<i32> {
    let helpers = in_role("namespace").filter(|(_, starter)| *starter == caller);
    let helpers: Vec<i32> = helpers.map(|(helper, _)| helper).collect();
    let keepers = in_role("keeper").filter(|(_, starter)| *starter == caller);
    let in_namespaces = in_role("namespace-keeper").filter(|(keeper, _)| {
        parent(*keeper).is_some_and(|parent| parent == caller || helpers.contains(&parent))
    });
    keepers.chain(in_namespaces).map(|(keeper, _)| keeper).collect()
}

/// The living processes in a role of the crate, and who started each.
fn in_role(role: &str) -> impl Iterator<Item = (i32, i32)> {
    let role = format!("process-containment:{role}");
    processes().filter_map(move |pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let mut words = line.split('\0').skip(1);
        let is_in_role = words.next() == Some(&role) && is_alive(pid);
        let starter = words.next()?.parse().ok()?;
        is_in_role.then_some((pid, starter))
    })
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
