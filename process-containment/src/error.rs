//! Why a job could not be started or reached.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::containment::Containment;

/// Why a command could not be started under containment, or a running job could not be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// [`init`](crate::init) was not called at the beginning of `main`.
    #[error("process_containment::init() was not called at the beginning of main")]
    NotInitialized,
    /// The program does not exist.
    #[error("{}: {source}", program.display())]
    NotFound {
        /// The program as it was named.
        program: OsString,
        /// The error of the system.
        source: io::Error,
    },
    /// The program exists but cannot be executed.
    #[error("{}: {source}", program.display())]
    NotExecutable {
        /// The program as it was named.
        program: OsString,
        /// The error of the system.
        source: io::Error,
    },
    /// The working directory of the command cannot be entered.
    #[error("could not enter the working directory {}: {source}", directory.display())]
    CurrentDir {
        /// The directory as it was named.
        directory: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The demanded containment cannot be had here.
    #[error("containment {demanded} is not available: {reason}")]
    Unavailable {
        /// The containment that was demanded.
        demanded: Containment,
        /// Why it cannot be had.
        reason: String,
    },
    /// `/proc` is not mounted, or belongs to another PID namespace: descendants cannot be found.
    #[error("/proc is not usable, so that descendants cannot be found: {0}")]
    NoProc(io::Error),
    /// The keeper could not be started. The command is not at fault and did not run.
    #[error("could not set up the containment: {step}: {source}")]
    Setup {
        /// What was being done.
        step: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// The keeper ended before it had started the command, for example because a resource limit
    /// stopped its program from loading, or somebody killed it.
    #[error("could not set up the containment: the keeper ended before the command started")]
    KeeperLost,
    /// The job has ended, so that there is nothing to send a signal to.
    #[error("the job has ended")]
    Ended,
    /// The system knows no such signal, or does not offer signals.
    #[error("signal {0} cannot be sent")]
    UnknownSignal(i32),
}

#[cfg(unix)]
impl Error {
    pub(crate) fn setup(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Setup { step, source }
    }
}
