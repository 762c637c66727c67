//! A command in job objects of its own. The system ends all of them when this process ends, so that there
//! is no keeper.

use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap, CommandWrapper, JobObject};
use win32job::{ExtendedLimitInfo, JobError};

use crate::command::Command;
use crate::containment::Containment;
use crate::error::Error;
use crate::event::{Cause, Event, Outcome, Recipients, Survivor};

/// How often to look whether the command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running command and everything it starts.
///
/// Dropping the job kills it.
#[derive(Debug)]
pub struct Job {
    pid: u32,
    running: Mutex<Running>,
    _ended_with_us: EndedWithUs,
}

/// A job object whose processes the system ends when the last handle to it is closed, as when this process
/// is killed. That of `process-wrap` tells when all processes have ended, and does not do this.
#[derive(Clone, Debug)]
struct EndedWithUs(Arc<win32job::Job>);

impl EndedWithUs {
    fn new() -> Result<Self, JobError> {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        win32job::Job::create_with_limit_info(&limits).map(Arc::new).map(Self)
    }
}

impl CommandWrapper for EndedWithUs {
    /// Runs while the command is suspended: all that it starts will be in the job object, too.
    fn post_spawn(
        &mut self,
        _command: &mut std::process::Command,
        child: &mut Child,
        _wrappers: &CommandWrap,
    ) -> io::Result<()> {
        self.0.assign_process(child.as_raw_handle() as isize).map_err(|error| {
            let _ = child.kill();
            io::Error::other(format!(
                "the command could not be put into a job object, so it was ended: {error}"
            ))
        })
    }
}

#[derive(Debug)]
struct Running {
    child: Box<dyn ChildWrapper>,
    killed: bool,
    status: Option<ExitStatus>,
    outcome: Option<Outcome>,
}

impl Job {
    pub(crate) fn spawn(command: Command) -> Result<Self, Error> {
        if command.minimum > Containment::Tree {
            return Err(Error::Unavailable {
                demanded: command.minimum,
                reason: "Windows has job objects only".to_owned(),
            });
        }
        let mut process = std::process::Command::new(&command.program);
        process.args(&command.arguments).env_clear().envs(command.resolved_environment());
        if let Some(directory) = &command.directory {
            process.current_dir(directory);
        }
        if let Some(stdin) = command.stdin {
            process.stdin(stdin);
        }
        if let Some(stdout) = command.stdout {
            process.stdout(stdout);
        }
        if let Some(stderr) = command.stderr {
            process.stderr(stderr);
        }
        let ended_with_us = EndedWithUs::new().map_err(|error| Error::Setup {
            step: "creating the job object",
            source: io::Error::other(error),
        })?;
        let spawned =
            CommandWrap::from(process).wrap(ended_with_us.clone()).wrap(JobObject).spawn();
        let program = command.program;
        let child = spawned.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::NotFound { program, source },
            _ => Error::NotExecutable { program, source },
        })?;
        let pid = child.id();
        let running = Running { child, killed: false, status: None, outcome: None };
        Ok(Self { pid, running: Mutex::new(running), _ended_with_us: ended_with_us })
    }

    /// Returns the containment that is in force: [`Containment::Tree`].
    #[must_use]
    pub fn containment(&self) -> Containment {
        Containment::Tree
    }

    /// Returns the process number of the command.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the process number of the keeper: `None`, as there is none on Windows.
    #[must_use]
    pub fn keeper_pid(&self) -> Option<u32> {
        None
    }

    /// Returns the status of the command itself, or `None` if it is not known to have ended.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.running().status
    }

    /// Returns the processes that could not be ended: none, as a job object ends all.
    #[must_use]
    pub fn survivors(&self) -> Vec<Survivor> {
        Vec::new()
    }

    /// Waits until the whole job has ended. What the command leaves behind is ended at once.
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
        while let Some(event) = self.next_event(Duration::ZERO) {
            if let Event::Ended(outcome) = event {
                return Some(outcome);
            }
        }
        None
    }

    /// Waits for the next event, for as long as `timeout`; `None` if nothing happened in that time.
    pub fn next_event(&self, timeout: Duration) -> Option<Event> {
        let start = Instant::now();
        loop {
            if let Some(event) = self.running().look() {
                return Some(event);
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return None;
            }
            thread::sleep(POLL_INTERVAL.min(left));
        }
    }

    /// Does nothing: there is no keeper to be told.
    pub fn beat(&self) {}

    /// Fails: Windows has no signals.
    ///
    /// # Errors
    /// Returns [`Error::UnknownSignal`] always.
    pub fn signal(&self, signal: i32, _recipients: Recipients) -> Result<(), Error> {
        Err(Error::UnknownSignal(signal))
    }

    /// Does nothing: Windows has no job control.
    ///
    /// # Errors
    /// Returns none.
    pub fn stop(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Does nothing: Windows has no job control.
    ///
    /// # Errors
    /// Returns none.
    pub fn resume(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Ends the job at once, as [`kill`](Self::kill) does: Windows has nothing gentler.
    pub fn terminate(&self, _grace: Duration) {
        self.kill();
    }

    /// Ends all processes of the job. [`wait`](Self::wait) tells when they have ended.
    pub fn kill(&self) {
        let mut running = self.running();
        running.killed = true;
        // What has ended already can't be killed.
        let _ = running.child.start_kill();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn look(&mut self) -> Option<Event> {
        if let Some(outcome) = self.outcome {
            return Some(Event::Ended(outcome));
        }
        if let Some(status) = self.status {
            // Leftovers of the command. The job object ends all of them before this returns.
            let _ = self.child.kill();
            let cause = if self.killed { Cause::Requested } else { Cause::Exited };
            let outcome = Outcome { status: Some(status), cause };
            self.outcome = Some(outcome);
            return Some(Event::Ended(outcome));
        }
        let status = self.child.inner_mut().try_wait().ok().flatten()?;
        self.status = Some(status);
        Some(Event::Exited(status))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.kill();
        let _ = self.running().child.wait();
    }
}
