//! A running command: its signals, its terminal, its end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use process_containment::{Command, Error, Event, Outcome, Recipients, Survivor, SurvivorReason};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

#[cfg(unix)]
use super::unix::{CONTINUE, SUSPEND, Signals, Terminal, WANTS_TERMINAL, suspend, suspend_group};
#[cfg(windows)]
use super::windows::{
    CONTINUE, SUSPEND, Signals, Terminal, WANTS_TERMINAL, suspend, suspend_group,
};
use crate::output::to_stderr;

/// How often the keeper is looked after, and told that this process is well while the job ends.
const BEAT: Duration = Duration::from_millis(500);
/// How long a command that waits for a terminal that it can't have is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// A job that others may use while it runs.
pub(crate) type Handle = Arc<process_containment::Job>;

/// A command and everything it starts, on the terminal of this process.
pub(crate) struct Job {
    handle: Handle,
    events: UnboundedReceiver<Event>,
    signals: Signals,
    terminal: Terminal,
    /// The command was stopped because it used the terminal, and could not be lent it.
    wants_terminal: bool,
}

impl Job {
    /// Starts the command, and lends it the terminal if this process has that to itself. To be called
    /// on the main thread, with [`Signals::of_a_job`].
    pub(crate) fn spawn(command: Command, signals: Signals) -> Result<Self, Error> {
        // The command may be stopped by what this process holds back.
        let job = Arc::new(command.unblock_signal(SUSPEND).spawn()?);
        Self::watch(&job, signals).map_err(|source| {
            job.kill();
            job.wait();
            Error::Setup { step: "watching over the command", source }
        })
    }

    fn watch(job: &Handle, signals: Signals) -> io::Result<Self> {
        let (sender, events) = unbounded_channel();
        let waited_for = Arc::clone(job);
        // The loss of the keeper is noticed by whoever waits, so somebody always does.
        thread::Builder::new().name("job events".to_owned()).spawn(move || {
            loop {
                let Some(event) = waited_for.next_event(BEAT) else { continue };
                if sender.send(event).is_err() || matches!(event, Event::Ended(_)) {
                    return;
                }
            }
        })?;
        let terminal = Terminal::open(job.pid());
        let job =
            Self { handle: Arc::clone(job), events, signals, terminal, wants_terminal: false };
        if !Terminal::is_shared() {
            job.lend_terminal();
        }
        Ok(job)
    }

    /// What others may do with the job while it runs.
    pub(crate) fn handle(&self) -> Handle {
        Arc::clone(&self.handle)
    }

    /// How the job is held, for people.
    pub(crate) fn description(&self) -> String {
        let keeper = self.handle.keeper_pid().map(|pid| format!(", keeper {pid}"));
        format!(
            "containment {}, command {}{}",
            self.handle.containment(),
            self.handle.pid(),
            keeper.unwrap_or_default()
        )
    }

    /// Waits until nothing of the job is left, and passes signals on to it. When `stop` is cancelled,
    /// or after it was stopped `may_resume` forbids that it goes on, the job is ended: TERM, and KILL
    /// after `kill_after`.
    pub(crate) async fn run<E>(
        mut self,
        stop: &CancellationToken,
        kill_after: Duration,
        may_resume: impl AsyncFn() -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let mut forbidden = None;
        let mut ending = false;
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !ending => {
                    ending = true;
                    self.handle.terminate(kill_after);
                }
                event = self.events.recv() => match event {
                    Some(Event::Stopped { signal }) => self.stopped(signal),
                    Some(Event::StillRunning(survivor)) => report(survivor),
                    Some(Event::Ended(outcome)) => {
                        self.terminal.take_back();
                        return forbidden.map_or(Ok(outcome), Err);
                    }
                    // `Exited`: the rest is being ended, and needs the terminal no more.
                    Some(_) => self.terminal.take_back(),
                    // The thread has ended before the job did.
                    None => {
                        self.handle.kill();
                        return forbidden.map_or_else(|| Ok(self.handle.wait()), Err);
                    }
                },
                signal = self.signals.next() => if signal == SUSPEND {
                    if let Err(error) = self.suspend(stop, &may_resume).await {
                        forbidden = Some(error);
                        ending = true;
                        self.handle.terminate(kill_after);
                    }
                } else {
                    // A job that has ended needs no signals.
                    let _ = self.handle.signal(signal, Recipients::Group);
                },
                _ = beats.tick(), if ending => self.handle.beat(),
            }
        }
    }

    fn lend_terminal(&self) -> bool {
        let lent = self.terminal.lend();
        if lent {
            // The command was stopped if it used the terminal before.
            let _ = self.handle.signal(CONTINUE, Recipients::Group);
        }
        lent
    }

    /// Acts on a stop of the command: Ctrl-Z, or a use of the terminal from the background.
    fn stopped(&mut self, signal: i32) {
        let wants_terminal = WANTS_TERMINAL.contains(&signal);
        if wants_terminal && self.lend_terminal() {
            return;
        }
        // Stopped by `kill -STOP`, or without a terminal: it stays stopped, and validation goes on.
        if !(wants_terminal || signal == SUSPEND) || !self.terminal.exists() {
            return;
        }
        self.wants_terminal = wants_terminal;
        if self.signals.include_suspensions() {
            // Comes back as a signal to this process.
            suspend_group();
        } else {
            let _ = self.handle.signal(CONTINUE, Recipients::Group);
        }
    }

    /// Stops the whole job and then this process, until the shell lets it go on (`fg`). Then the job
    /// goes on if it may.
    async fn suspend<E>(
        &mut self,
        stop: &CancellationToken,
        may_resume: impl AsyncFn() -> Result<(), E>,
    ) -> Result<(), E> {
        // While it is stopped the keeper expects no word.
        let _ = self.handle.stop();
        self.terminal.reclaim();
        suspend();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            permitted = may_resume() => permitted?,
        }
        if !self.terminal.lend() && std::mem::take(&mut self.wants_terminal) {
            sleep(PAUSE).await;
        }
        let _ = self.handle.resume();
        Ok(())
    }
}

/// Waits for a signal until a job takes the signals over. Ctrl-Z stops this process meanwhile.
pub(crate) async fn interrupted(signals: &RefCell<Option<Signals>>) -> i32 {
    let next = |context: &mut Context<'_>| match &mut *signals.borrow_mut() {
        Some(signals) => signals.poll_next(context),
        None => Poll::Pending,
    };
    loop {
        match poll_fn(next).await {
            SUSPEND => suspend(),
            signal => return signal,
        }
    }
}

/// Says which process can't be ended. Also with `--quiet` and `--json`: that it still runs is not for
/// this program to hide.
fn report(survivor: Survivor) {
    let why = match survivor.reason {
        SurvivorReason::NotPermitted => "it belongs to another user",
        _ => "it does not respond to KILL",
    };
    to_stderr(&format!("still running {}: {why}; waiting for it to end\n", survivor.pid));
}

impl Drop for Job {
    fn drop(&mut self) {
        self.terminal.take_back();
    }
}
