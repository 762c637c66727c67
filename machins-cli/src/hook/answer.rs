//! An answer in a runtime's own form, and how it is given.

use std::io::{self, Write};

use crate::error::{ExitCode, Failure};
use crate::output::Output;

/// The exit code that blocks a tool call in every runtime, if there is text on stderr.
pub(crate) const BLOCK: i32 = 2;

/// An answer to a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This text on stdout, which may be empty, and exit code 0.
    Stdout(String),
    /// Exit code 2 and the reason on stderr, which blocks a tool call in every runtime.
    Block,
}

impl Answer {
    /// Gives the answer. If it can't be written to stdout, the tool call is blocked. `reason` is
    /// what stderr says then.
    pub(crate) fn give(&self, out: Output, reason: &Failure) -> ExitCode {
        match self {
            Self::Stdout(text) if text.is_empty() || write_stdout(text) => ExitCode::SUCCESS,
            _ => {
                out.failure(reason);
                ExitCode::from(BLOCK)
            }
        }
    }
}

/// Writes to stdout. Returns false if nobody can read it.
fn write_stdout(text: &str) -> bool {
    if is_discarded() {
        return false;
    }
    written(format!("{text}\n").as_bytes()).is_ok()
}

/// Not by `io::stdout()`, for which a stdout that cannot be written is as good as written.
#[cfg(unix)]
fn written(bytes: &[u8]) -> io::Result<()> {
    use std::fs::File;
    use std::os::fd::AsFd;

    File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(bytes)
}

#[cfg(not(unix))]
fn written(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

/// Returns whether stdout is `/dev/null`, which the standard library also opens in place of a stdout
/// that is closed.
#[cfg(unix)]
fn is_discarded() -> bool {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    match (stdout, fs::metadata("/dev/null")) {
        (Ok(stdout), Ok(null)) => stdout.rdev() == null.rdev() && stdout.ino() == null.ino(),
        (stdout, _) => stdout.is_err(),
    }
}

#[cfg(not(unix))]
fn is_discarded() -> bool {
    false
}
