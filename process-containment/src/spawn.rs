//! Starting a command, in the way of the operating system.

use crate::command::Command;
use crate::error::Error;
#[cfg(unix)]
use crate::unix::Job;
#[cfg(windows)]
use crate::windows::Job;

impl Command {
    /// Starts the command under its containment.
    ///
    /// Call it from the main thread, or from another that lives as long as the job. On Linux it makes
    /// the calling process a child subreaper, see the [crate documentation](crate#what-the-caller-takes-on).
    ///
    /// # Errors
    /// Returns [`Error::NotFound`], [`Error::NotExecutable`] or [`Error::CurrentDir`] if it is the command
    /// that cannot be started, [`Error::Unavailable`] if the demanded containment cannot be had, and
    /// another error if the keeper cannot be started. The command does not run then.
    pub fn spawn(self) -> Result<Job, Error> {
        Job::spawn(self)
    }
}
