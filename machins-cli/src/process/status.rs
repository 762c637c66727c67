//! How a command ended or why it did not start, as this program's exit code.

use std::process::ExitStatus;

use process_containment::{Cause, Error, Outcome};

use crate::error::{Exit, ExitCode, Failure};

/// Added to the number of a signal to give the exit code of a process that it ended, as in a shell.
const SIGNALLED: i32 = 128;

/// Converts the end of a job to an exit code: that of the command, 128 + n if signal n ended it, as in a
/// shell. If the job was not ended by itself or on request, that is a failure with the code `lost`.
pub(crate) fn exit_code(outcome: Outcome, lost: Exit) -> Result<ExitCode, Failure> {
    match (outcome.cause, outcome.status) {
        (Cause::HeartbeatMissed, _) => Err(Failure::containment(
            lost,
            "this process was stopped or did not get on for too long, so the command was ended",
        )),
        (Cause::Exited | Cause::Requested, Some(status)) => Ok(code_of(status)),
        _ => Err(Failure::containment(
            lost,
            "the process that holds the command was killed or stopped, so the command was ended",
        )),
    }
}

/// The exit code of a process that ended with this status: 128 + n if signal n ended it.
pub(crate) fn code_of(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return signalled(signal);
    }
    status.code().map_or(Exit::Refused.into(), ExitCode::from)
}

/// The exit code of a process that a signal ended.
pub(crate) fn signalled(signal: i32) -> ExitCode {
    ExitCode::from(SIGNALLED + signal)
}

/// The failure to start a command: with the exit code that a shell would give it, or `not_held` if the
/// command is not at fault.
pub(crate) fn not_started(error: &Error, not_held: Exit) -> Failure {
    match error {
        Error::NotFound { .. } => Failure::command(Exit::CommandNotFound, error.to_string()),
        Error::NotExecutable { .. } => Failure::command(Exit::NotExecutable, error.to_string()),
        _ => Failure::containment(not_held, error.to_string()),
    }
}
