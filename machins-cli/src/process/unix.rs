//! A command in a process group of its own.

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

/// How often to look whether a group has emptied: nothing tells when somebody else's child ends.
const LOOK: Duration = Duration::from_millis(10);
/// How long the kernel may take to clear away what was killed.
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
    /// A job that has not started.
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

    /// Has the job ended even if this process is killed and can't end it any more.
    pub(crate) fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// Starts the command and waits until it ends. Dropped early, the command goes on: see
    /// [`Job::end`].
    pub(crate) async fn run(&self) -> io::Result<ExitStatus> {
        let mut children = signal(SignalKind::child())?;
        self.start()?;
        loop {
            if let Some(status) = self.look()? {
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
            // It may have reached for the terminal a moment too early and been stopped.
            let _ = killpg(group, Number::SIGCONT);
        }
        Ok(())
    }

    /// The command's status once it has ended. Also answers stops, and clears away orphans that
    /// came to this process.
    fn look(&self) -> io::Result<Option<ExitStatus>> {
        let mut slot = self.child.borrow_mut();
        let leader = slot.as_ref().map(|child| Pid::from_raw(child.id().cast_signed()));
        // The leader is asked for alone first: only so is its whole status known.
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

    /// Sends a signal on to the command's whole group. False when there is none.
    pub(crate) fn pass_on(&self, signal: i32) -> bool {
        let Some(group) = self.group.get() else {
            return false;
        };
        if let Ok(signal) = Number::try_from(signal) {
            let _ = killpg(group, signal);
        }
        true
    }

    /// Ends what is left of the command and all that it started: TERM, and KILL after `grace`.
    pub(crate) async fn end(&self, grace: Duration) {
        let Some(group) = self.group.get() else {
            return;
        };
        if killpg(group, Number::SIGTERM).is_ok() {
            // What is stopped can't act on TERM.
            let _ = killpg(group, Number::SIGCONT);
            if !self.empties(group, grace).await {
                let _ = killpg(group, Number::SIGKILL);
                self.empties(group, AFTER_KILL).await;
            }
        }
        // The number may soon be another group's.
        self.group.set(None);
        terminal::take_back(group);
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }

    async fn empties(&self, group: Pid, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            // A zombie of ours would count as a member.
            let _ = self.look();
            if killpg(group, None).is_err() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(LOOK).await;
        }
    }
}

/// A container's first process may never clear away the orphans that come to it, and a zombie
/// counts as a member of its group: where the system allows, orphans come here instead.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// The last resort when a bug or an error ends the guard first.
impl Drop for Job {
    fn drop(&mut self) {
        if let Some(group) = self.group.get() {
            let _ = killpg(group, Number::SIGKILL);
            terminal::take_back(group);
        }
    }
}

/// Job control: a command that Ctrl-Z stopped, or that waits for the terminal.
fn stopped(group: Pid, signal: Number) {
    let wants_terminal = matches!(signal, Number::SIGTTIN | Number::SIGTTOU);
    match signal {
        _ if wants_terminal && terminal::lend(group) => {}
        Number::SIGTSTP | Number::SIGTTIN | Number::SIGTTOU if terminal::exists() => {
            terminal::stop_with(group);
        }
        // Somebody's `kill -STOP`: the gate stays awake.
        _ => return,
    }
    let _ = killpg(group, Number::SIGCONT);
}

/// The signals that are passed on.
pub(crate) struct Signals([Signal; 6]);

impl Signals {
    /// Takes them over from here on.
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

    /// The number of the next one.
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
