//! Runs a command in a process group of its own.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal as Number, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::terminal;
use super::watchdog::Watchdog;

/// How often to check whether a group is empty: the end of another process's child is not reported.
const POLL: Duration = Duration::from_millis(10);
/// How long to wait for the kernel to remove killed processes.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// One run of a command.
pub(crate) struct Job {
    command: RefCell<Command>,
    child: RefCell<Option<Child>>,
    group: Cell<Option<Pid>>,
    watched: bool,
    watchdog: RefCell<Option<Watchdog>>,
}

impl Job {
    /// Creates a job that has not started.
    pub(crate) fn new(mut command: Command) -> Self {
        command.process_group(0);
        Self {
            command: RefCell::new(command),
            child: RefCell::new(None),
            group: Cell::new(None),
            watched: false,
            watchdog: RefCell::new(None),
        }
    }

    /// Lets a watchdog end the job if this process is killed.
    pub(crate) fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// Starts the command and waits until it ends. If the future is dropped, the command goes on:
    /// see [`Job::end`].
    pub(crate) async fn run(&self) -> io::Result<ExitStatus> {
        let mut children = signal(SignalKind::child())?;
        self.start()?;
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            children.recv().await;
        }
    }

    fn start(&self) -> io::Result<()> {
        adopt_orphans();
        let mut watchdog = self.watched.then(Watchdog::start).transpose()?;
        let child = self.command.borrow_mut().spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        self.group.set(Some(group));
        self.child.replace(Some(child));
        if let Some(watchdog) = &mut watchdog {
            watchdog.watch(group)?;
        }
        self.watchdog.replace(watchdog);
        if !terminal::is_shared() && terminal::lend(group) {
            // The command was stopped if it used the terminal before it was lent.
            let _ = killpg(group, Number::SIGCONT);
        }
        Ok(())
    }

    /// The command's status once it has ended. Also handles stopped processes, and reaps orphans
    /// that were re-parented to this process.
    fn poll(&self) -> io::Result<Option<ExitStatus>> {
        let mut slot = self.child.borrow_mut();
        let leader = slot.as_ref().map(|child| Pid::from_raw(child.id().cast_signed()));
        // The leader first and alone: `waitpid` below does not give its whole status.
        let mut ended = slot.as_mut().map(Child::try_wait).transpose()?.flatten();
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(WaitStatus::Exited(pid, code)) if Some(pid) == leader => {
                    ended = Some(ExitStatus::from_raw(code << 8));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if Some(pid) == leader => {
                    ended = Some(ExitStatus::from_raw(signal as i32));
                }
                Ok(WaitStatus::Stopped(pid, signal)) if Some(pid) == leader => stopped(pid, signal),
                Ok(_) | Err(_) => {}
            }
        }
        if ended.is_some() {
            *slot = None;
        }
        Ok(ended)
    }

    /// Passes a signal on to the command's process group. Returns false if no command is running.
    pub(crate) fn pass_on(&self, signal: i32) -> bool {
        let Some(group) = self.group.get() else {
            return false;
        };
        if let Ok(signal) = Number::try_from(signal) {
            let _ = killpg(group, signal);
        }
        true
    }

    /// Ends what is left of the command's process group: TERM, and KILL after `grace`.
    pub(crate) async fn end(&self, grace: Duration) {
        let Some(group) = self.group.get() else {
            return;
        };
        if killpg(group, Number::SIGTERM).is_ok() {
            // A stopped process does not react to TERM.
            let _ = killpg(group, Number::SIGCONT);
            if !self.empties(group, grace).await {
                let _ = killpg(group, Number::SIGKILL);
                self.empties(group, AFTER_KILL).await;
            }
        }
        // The number may be reused for another group.
        self.group.set(None);
        terminal::take_back(group);
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }

    /// Waits until the group is empty. Returns false if it is not `within` this time.
    async fn empties(&self, group: Pid, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            // Reaps our own zombies, which would count as members.
            let _ = self.poll();
            if killpg(group, None).is_err() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL).await;
        }
    }
}

/// Makes this process the parent of orphans, where the system supports that. The first process of a
/// container may never reap them, and a zombie counts as a member of its group.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Kills the group if a bug or an error ends the guard first.
impl Drop for Job {
    fn drop(&mut self) {
        if let Some(group) = self.group.get() {
            let _ = killpg(group, Number::SIGKILL);
            terminal::take_back(group);
        }
    }
}

/// Handles a command that Ctrl-Z stopped, or that waits for the terminal.
fn stopped(group: Pid, signal: Number) {
    let wants_terminal = matches!(signal, Number::SIGTTIN | Number::SIGTTOU);
    match signal {
        _ if wants_terminal && terminal::lend(group) => {}
        Number::SIGTSTP | Number::SIGTTIN | Number::SIGTTOU if terminal::exists() => {
            terminal::stop_with(group);
        }
        // Stopped by `kill -STOP`: it stays stopped, and validation goes on.
        _ => return,
    }
    let _ = killpg(group, Number::SIGCONT);
}

/// The signals that are passed on.
pub(crate) struct Signals([Signal; 6]);

impl Signals {
    /// Starts to handle the signals.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
            signal(SignalKind::user_defined1())?,
            signal(SignalKind::user_defined2())?,
        ]))
    }

    /// Waits for the next signal, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        let [terminate, interrupt, hangup, quit, user1, user2] = &mut self.0;
        let signal = tokio::select! {
            _ = terminate.recv() => Number::SIGTERM,
            _ = interrupt.recv() => Number::SIGINT,
            _ = hangup.recv() => Number::SIGHUP,
            _ = quit.recv() => Number::SIGQUIT,
            _ = user1.recv() => Number::SIGUSR1,
            _ = user2.recv() => Number::SIGUSR2,
        };
        signal as i32
    }
}
