//! Runs a command, and ends it together with every process it started.

#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) mod watchdog;
#[cfg(windows)]
mod windows;

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

#[cfg(unix)]
pub(crate) use unix::Job;
#[cfg(unix)]
pub(crate) use unix::Signals;
#[cfg(windows)]
pub(crate) use windows::Job;
#[cfg(windows)]
pub(crate) use windows::Signals;

use crate::error::{Exit, Failure};

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);

const HANGUP: i32 = 1;
const INTERRUPT: i32 = 2;
const QUIT: i32 = 3;
const TERMINATE: i32 = 15;

impl Signals {
    /// Waits for a signal that asks this process to stop, and returns its number.
    pub(crate) async fn asked_to_stop(&mut self) -> i32 {
        loop {
            let signal = self.next().await;
            if matches!(signal, HANGUP | INTERRUPT | QUIT | TERMINATE) {
                return signal;
            }
        }
    }
}

/// Added to the number of a signal to give the exit code of a process that it ended, as in a shell.
const SIGNALLED: u8 = 128;

/// Awaits `work`, which runs the job, passes signals on to the job meanwhile, and afterwards ends
/// what is left of the job. A signal that arrives while no command is running ends the work.
pub(crate) async fn accompany<T>(
    job: &Job,
    work: impl Future<Output = T>,
) -> Result<Result<T, Interrupted>, Failure> {
    let mut signals = signals()?;
    let outcome = pass_signals(job, &mut signals, work).await;
    // The job is ending already, so a signal changes nothing.
    let _ = pass_signals(job, &mut signals, job.end(GRACE)).await;
    Ok(outcome)
}

/// Starts to handle the signals that would end this process.
pub(crate) fn signals() -> Result<Signals, Failure> {
    Signals::new().map_err(|error| Failure::local("could not handle signals", error))
}

/// Awaits `work` and passes signals on to the job.
async fn pass_signals<T>(
    job: &Job,
    signals: &mut Signals,
    work: impl Future<Output = T>,
) -> Result<T, Interrupted> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            signal = signals.next() => {
                if !job.pass_on(signal) {
                    return Err(Interrupted(signal));
                }
            }
        }
    }
}

/// A signal arrived while no command was running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted(i32);

impl From<Interrupted> for ExitCode {
    fn from(Interrupted(signal): Interrupted) -> Self {
        signalled(signal)
    }
}

/// The exit code of a process that a signal ended.
pub(crate) fn signalled(signal: i32) -> ExitCode {
    ExitCode::from(SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX)))
}

/// Converts the child's status to an exit code: 128 + n if signal n ended it, as in a shell.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return signalled(signal);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Refused as u8).into()
}

/// The failure to start a command, with the exit code that a shell would give it.
pub(crate) fn not_started(program: &OsStr, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::NotFound => Exit::CommandNotFound,
        _ => Exit::NotExecutable,
    };
    Failure::command(exit, format!("{}: {error}", program.to_string_lossy()))
}
