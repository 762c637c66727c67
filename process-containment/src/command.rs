//! The description of a command.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::containment::Containment;

/// A standard stream of a command: a file or one end of a pipe.
#[cfg(unix)]
pub type Stream = std::os::fd::OwnedFd;
/// A standard stream of a command: a file or one end of a pipe.
#[cfg(windows)]
pub type Stream = std::os::windows::io::OwnedHandle;

/// A command to run under containment, described as with [`std::process::Command`].
///
/// Unless told otherwise the command inherits the environment, the working directory, and standard
/// input, output and error of the caller. It is the leader of a process group of its own.
#[derive(Debug)]
#[must_use = "a command does nothing until it is spawned"]
pub struct Command {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    inherits_environment: bool,
    environment: BTreeMap<OsString, Option<OsString>>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
    pub(crate) minimum: Containment,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) leftover_grace: Duration,
    #[cfg_attr(windows, allow(dead_code, reason = "Windows has no signals"))]
    pub(crate) unblocked_signals: Vec<i32>,
}

impl Command {
    /// Describes a run of `program`, which is searched for in the command's own `PATH` unless it
    /// contains a slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            inherits_environment: true,
            environment: BTreeMap::new(),
            directory: None,
            stdin: None,
            stdout: None,
            stderr: None,
            minimum: Containment::Auto,
            heartbeat: None,
            leftover_grace: Duration::from_secs(10),
            unblocked_signals: Vec::new(),
        }
    }

    /// Adds one argument to the command.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments to the command.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable of the command.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Removes an environment variable, also an inherited one.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Removes all environment variables, the inherited ones and those set so far.
    pub fn env_clear(mut self) -> Self {
        self.environment.clear();
        self.inherits_environment = false;
        self
    }

    /// Sets the working directory. A relative program path is relative to it.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets standard input: a file, or the reading end of [`std::io::pipe`].
    pub fn stdin(mut self, stdin: impl Into<Stream>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Sets standard output: a file, or the writing end of [`std::io::pipe`].
    pub fn stdout(mut self, stdout: impl Into<Stream>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Sets standard error: a file, or the writing end of [`std::io::pipe`].
    pub fn stderr(mut self, stderr: impl Into<Stream>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// Demands at least this containment. The default is [`Containment::Auto`], which demands nothing.
    pub fn containment(mut self, minimum: Containment) -> Self {
        self.minimum = minimum;
        self
    }

    /// Ends the job when [`Job::beat`](crate::Job::beat) is not called for longer than `limit`: the
    /// caller hangs or is stopped. Without it only the death of the caller ends the job.
    ///
    /// The keeper measures the silence by its own wakes, of which each counts for half a second at most.
    /// A paused container or an overloaded machine, where the keeper does not run either, therefore ends
    /// no job. The end comes up to half a second after the limit. Not available on Windows, where it is
    /// ignored.
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat = Some(limit);
        self
    }

    /// Sets how long the processes that the command leaves behind when it ends by itself have between
    /// TERM and KILL. The default is ten seconds.
    pub fn leftover_grace(mut self, grace: Duration) -> Self {
        self.leftover_grace = grace;
        self
    }

    /// Unblocks a signal, given by its number, for the command. Otherwise the command inherits the signal
    /// mask of the thread that spawns it. For callers that block a signal to wait for it themselves. Has
    /// no effect on Windows, or if no signal has this number.
    pub fn unblock_signal(mut self, signal: i32) -> Self {
        self.unblocked_signals.push(signal);
        self
    }

    /// The whole environment of the command.
    pub(crate) fn resolved_environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let inherited = self.inherits_environment.then(env::vars_os);
        let mut environment: BTreeMap<_, _> = inherited.into_iter().flatten().collect();
        for (name, value) in &self.environment {
            match value {
                Some(value) => environment.insert(name.clone(), value.clone()),
                None => environment.remove(name),
            };
        }
        environment.into_iter()
    }
}
