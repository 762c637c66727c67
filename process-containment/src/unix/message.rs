//! What caller, keeper and launcher say to each other: one line of JSON each.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::containment::Containment;
use crate::event::{Cause, Recipients, Survivor};

/// What is to be run. The first message to a keeper, with the command's three standard streams, and
/// passed on by it to the launcher.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Request {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// Not a `PathBuf`, which could hold only UTF-8 here.
    pub(super) directory: Option<OsString>,
    pub(super) minimum: Containment,
    pub(super) heartbeat: Option<Duration>,
    pub(super) leftover_grace: Duration,
    pub(super) unblocked_signals: Vec<i32>,
}

/// From the caller to the keeper, after the request.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum ToKeeper {
    /// The caller knows the command's process number.
    Go,
    Beat,
    Signal {
        signal: i32,
        recipients: Recipients,
    },
    Stop,
    Resume,
    Terminate {
        grace: Duration,
    },
    Kill,
}

/// From the keeper to the caller.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum FromKeeper {
    /// The keeper runs in a new PID namespace, as this process of the caller's.
    Keeper {
        pid: i32,
    },
    /// The launcher is the keeper's only child, so that the caller can find out its own number for it.
    Launching,
    Started {
        containment: Containment,
        pid: i32,
        cgroup: Option<PathBuf>,
    },
    Failed(Failure),
    Stopped {
        signal: i32,
    },
    /// The raw wait status.
    Exited {
        status: i32,
    },
    StillRunning(Survivor),
    Ended {
        cause: Cause,
    },
}

/// From the launcher to the keeper.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum FromLauncher {
    /// All is ready; if nothing follows, the command has been executed.
    Executing,
    Failed(Failure),
}

/// Why the command does not run.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Failure {
    Program { errno: i32 },
    Directory { errno: i32 },
    Unavailable { demanded: Containment, reason: String },
    Setup { step: Step, errno: i32 },
    LauncherLost,
}

impl Failure {
    pub(super) fn unavailable(demanded: Containment, reason: &io::Error) -> Self {
        Self::Unavailable { demanded, reason: reason.to_string() }
    }
}

/// A step of the keeper's work that can fail.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum Step {
    Keeper,
    Descriptors,
    Launcher,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keeper => "preparing the keeper",
            Self::Descriptors => "handing over the standard streams",
            Self::Launcher => "starting the launcher",
        }
    }
}
