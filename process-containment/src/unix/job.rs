//! The caller's handle on a job.

use std::collections::{HashSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::channel::send_all;
use super::connection::{Connection, Heard};
use super::message::{FromKeeper, ToKeeper};
use super::start::{self, Started};
use crate::command::Command;
use crate::containment::Containment;
use crate::error::Error;
use crate::event::{Cause, Event, Outcome, Recipients, Survivor, SurvivorReason};

/// How long a dropped job is waited for.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often to repeat KILL on what a lost keeper left.
const REPEAT: Duration = Duration::from_millis(2);
/// How often to do so when it has not helped at once.
const REPEAT_SLOWLY: Duration = Duration::from_millis(100);
/// How long the system may take to end what was killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running command and everything it starts.
///
/// All methods take `&self`, so that one thread can wait while others act. Somebody has to wait, with
/// [`wait`](Self::wait) or [`next_event`](Self::next_event): that is also how the loss of the keeper is
/// noticed. Dropping the job kills it and waits for up to two seconds until it has ended.
///
/// ```rust,standalone_crate
/// use std::io::{self, Read};
/// use std::time::Duration;
///
/// use process_containment::{Cause, Command, Event};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     process_containment::init();
///
///     let job = Command::new("sleep").arg("600").spawn()?;
///     assert_eq!(job.try_wait(), None);
///     job.kill();
///     while let Some(event) = job.next_event(Duration::from_secs(30)) {
///         if let Event::Ended(outcome) = event {
///             assert_eq!(outcome.cause, Cause::Requested);
///             break;
///         }
///     }
///     assert!(job.try_wait().is_some());
///     assert!(job.status().is_some());
///     assert!(job.survivors().is_empty());
///
///     let (mut reader, writer) = io::pipe()?;
///     drop(Command::new("sleep").arg("600").stdout(writer).spawn()?);
///     // Nobody holds the other end of the pipe any more.
///     assert_eq!(reader.read(&mut [0])?, 0);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Job {
    containment: Containment,
    pid: u32,
    keeper_pid: u32,
    sender: Mutex<UnixStream>,
    listener: Mutex<Listener>,
    known: Mutex<Known>,
    /// Not to be read from: only to be waited for.
    readable: UnixStream,
}

/// What is known of a job without waiting.
#[derive(Debug, Default)]
struct Known {
    status: Option<ExitStatus>,
    survivors: Vec<Survivor>,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Listener {
    connection: Connection,
    events: VecDeque<Event>,
    /// When the keeper was lost.
    lost: Option<Instant>,
    reported: HashSet<Survivor>,
}

impl Job {
    pub(crate) fn spawn(command: Command) -> Result<Self, Error> {
        let Started { connection, sender, containment, pid } = start::start(command)?;
        let set_up = Error::setup("talking to the keeper");
        // A keeper that does not read for a second is lost, which is noticed elsewhere.
        let readable = sender
            .set_write_timeout(Some(Duration::from_secs(1)))
            .and_then(|()| sender.try_clone())
            .map_err(set_up)?;
        Ok(Self {
            containment,
            pid: pid.as_raw_nonzero().get().cast_unsigned(),
            keeper_pid: connection.keeper().as_raw_nonzero().get().cast_unsigned(),
            sender: Mutex::new(sender),
            listener: Mutex::new(Listener {
                connection,
                events: VecDeque::new(),
                lost: None,
                reported: HashSet::new(),
            }),
            known: Mutex::default(),
            readable,
        })
    }

    /// Returns the containment that is in force, never [`Containment::Auto`].
    #[must_use]
    pub fn containment(&self) -> Containment {
        self.containment
    }

    /// Returns the process number of the command, which is also that of the process group it leads.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the process number of the keeper, or `None` where there is none (Windows).
    #[must_use]
    pub fn keeper_pid(&self) -> Option<u32> {
        Some(self.keeper_pid)
    }

    /// Returns the status of the command itself, or `None` if it is not known to have ended.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.known().status
    }

    /// Returns the processes that could not be ended at once, in the order in which they were found; some
    /// may have ended since. Empty once the job has ended.
    #[must_use]
    pub fn survivors(&self) -> Vec<Survivor> {
        self.known().survivors.clone()
    }

    /// Waits until the whole job has ended: the command and everything it started.
    ///
    /// When the command ends by itself, what it leaves behind is sent TERM, and KILL after
    /// [`Command::leftover_grace`]. Processes that cannot be ended ([`survivors`](Self::survivors)) are
    /// waited for.
    pub fn wait(&self) -> Outcome {
        loop {
            if let Some(Event::Ended(outcome)) = self.next_event(Duration::MAX) {
                return outcome;
            }
        }
    }

    /// Returns how the job ended, or `None` if it has not. Does not wait.
    #[must_use]
    pub fn try_wait(&self) -> Option<Outcome> {
        let mut listener = match self.listener.try_lock() {
            Ok(listener) => listener,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is waiting, and keeps this up to date.
            Err(TryLockError::WouldBlock) => return self.known().outcome,
        };
        while let Some(event) = self.next(&mut listener, Duration::ZERO) {
            if let Event::Ended(outcome) = event {
                return Some(outcome);
            }
        }
        None
    }

    /// Waits for the next event, for as long as `timeout`; `None` if nothing happened in that time.
    ///
    /// After [`Event::Ended`] it is returned by every call, at once. Events that one thread has received
    /// are not given to another.
    pub fn next_event(&self, timeout: Duration) -> Option<Event> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        self.next(&mut listener, timeout)
    }

    /// Tells the keeper that the caller is well. See [`Command::heartbeat`].
    pub fn beat(&self) {
        let _ = self.tell(&ToKeeper::Beat);
    }

    /// Sends a signal, given by its number.
    ///
    /// # Errors
    /// Returns [`Error::UnknownSignal`] if it is not the number of a signal with a name, and
    /// [`Error::Ended`] if the job has ended.
    pub fn signal(&self, signal: i32, recipients: Recipients) -> Result<(), Error> {
        if Signal::from_named_raw(signal).is_none() {
            return Err(Error::UnknownSignal(signal));
        }
        self.tell(&ToKeeper::Signal { signal, recipients })
    }

    /// Stops every process of the job, as Ctrl-Z would, and has the keeper watch over that instead of
    /// waiting for heartbeats. The caller may then stop itself.
    ///
    /// # Errors
    /// Returns [`Error::Ended`] if the job has ended.
    pub fn stop(&self) -> Result<(), Error> {
        self.tell(&ToKeeper::Stop)
    }

    /// Lets a stopped job go on.
    ///
    /// # Errors
    /// Returns [`Error::Ended`] if the job has ended.
    pub fn resume(&self) -> Result<(), Error> {
        self.tell(&ToKeeper::Resume)
    }

    /// Begins to end the job: TERM to all of its processes at once, and KILL to those that are left
    /// after `grace`. Processes that appear after the TERM are killed at once.
    ///
    /// Returns at once; [`wait`](Self::wait) tells when the job has ended. A second call can shorten the
    /// grace but not lengthen it. A job that has ended is left alone.
    pub fn terminate(&self, grace: Duration) {
        let _ = self.tell(&ToKeeper::Terminate { grace });
    }

    /// Begins to end the job with KILL to all of its processes.
    ///
    /// Returns at once; [`wait`](Self::wait) tells when the job has ended.
    pub fn kill(&self) {
        let _ = self.tell(&ToKeeper::Kill);
    }

    fn tell(&self, message: &ToKeeper) -> Result<(), Error> {
        if self.known().outcome.is_some() {
            return Err(Error::Ended);
        }
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        send_all(&sender, message, &[]).map_err(|_| Error::Ended)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, listener: &mut Listener, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map_or(Duration::MAX, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if let Some(event) = listener.events.pop_front() {
                self.learn(event);
                return Some(event);
            }
            if let Some(outcome) = self.known().outcome {
                return Some(Event::Ended(outcome));
            }
            if let Some(lost) = listener.lost {
                listener.end_orphans(lost, self.status());
                if listener.events.is_empty() && left.is_zero() {
                    return None;
                }
                if listener.events.is_empty() {
                    let pause = if lost.elapsed() < PATIENCE { REPEAT } else { REPEAT_SLOWLY };
                    std::thread::sleep(pause.min(left));
                }
                continue;
            }
            match listener.connection.hear(left) {
                Heard::Message(message) => {
                    let event = listener.take(&message, self.status());
                    listener.events.extend(event);
                }
                Heard::Nothing if left.is_zero() => return None,
                Heard::Nothing => {}
                Heard::Lost => {
                    listener.connection.end_keeper();
                    listener.lost = Some(Instant::now());
                }
            }
        }
    }

    fn learn(&self, event: Event) {
        let mut known = self.known();
        match event {
            Event::Stopped { .. } => {}
            Event::Exited(status) => known.status = Some(status),
            Event::StillRunning(survivor) => known.survivors.push(survivor),
            Event::Ended(outcome) => {
                known.survivors.clear();
                known.outcome = Some(outcome);
            }
        }
    }
}

impl Listener {
    fn take(&mut self, message: &FromKeeper, status: Option<ExitStatus>) -> Option<Event> {
        match *message {
            FromKeeper::Stopped { signal } => Some(Event::Stopped { signal }),
            FromKeeper::Exited { status } => Some(Event::Exited(ExitStatus::from_raw(status))),
            FromKeeper::StillRunning(survivor) => Some(Event::StillRunning(survivor)),
            FromKeeper::Ended { cause } => {
                self.connection.wait_for_end();
                Some(Event::Ended(Outcome { status, cause }))
            }
            // These come before the command is started.
            FromKeeper::Keeper { .. }
            | FromKeeper::Launching
            | FromKeeper::Started { .. }
            | FromKeeper::Failed(_) => None,
        }
    }

    /// Does the lost keeper's work.
    fn end_orphans(&mut self, lost: Instant, mut status: Option<ExitStatus>) {
        let (remaining, ended) = self.connection.kill_orphans();
        if let Some(ended) = ended {
            status = Some(ended);
            self.events.push_back(Event::Exited(ended));
        }
        for pid in &remaining.living {
            let reason = if remaining.refused.contains(pid) {
                SurvivorReason::NotPermitted
            } else if lost.elapsed() >= PATIENCE {
                SurvivorReason::Unresponsive
            } else {
                continue;
            };
            let survivor = Survivor { pid: pid.as_raw_nonzero().get().cast_unsigned(), reason };
            if self.reported.insert(survivor) {
                self.events.push_back(Event::StillRunning(survivor));
            }
        }
        if remaining.is_empty() {
            self.events.push_back(Event::Ended(Outcome { status, cause: Cause::KeeperLost }));
        }
    }
}

/// Readable when something has happened. A keeper that somebody stopped does not make it so:
/// [`next_event`](Job::next_event) must also be called twice a second.
impl AsFd for Job {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.try_wait().is_some() {
            return;
        }
        self.kill();
        let deadline = Instant::now() + FAREWELL;
        while let Some(event) = self.next_event(deadline.saturating_duration_since(Instant::now()))
        {
            if matches!(event, Event::Ended(_)) {
                return;
            }
        }
    }
}
