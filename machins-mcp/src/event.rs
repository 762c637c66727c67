//! What happens at a gate.

use std::fmt;

use crate::denial::CallDenied;

/// The side of a gate that a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The program that calls tools.
    Client,
    /// The server that has the tools.
    Server,
}

/// Something that the operator of a gate may want to know. `Display` is one line for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A tool call was denied.
    Denied {
        /// The name of the tool.
        tool: String,
        /// Why it was denied.
        denied: CallDenied,
    },
    /// Tool calls that were running were cancelled, because the device may no longer run.
    Cancelled {
        /// How many there were.
        calls: usize,
        /// Why they were cancelled.
        denied: CallDenied,
    },
    /// A message was not passed on.
    Refused {
        /// The side that sent the message.
        from: Peer,
        /// What is wrong with it.
        reason: String,
    },
    /// A process that the server started cannot be ended, now. The gate waits for it.
    StillRunning {
        /// The number of the process.
        pid: u32,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { tool, denied } => write!(f, "denied {tool:?}: {denied:#}"),
            Self::Cancelled { calls, denied } => write!(f, "cancelled {calls} running: {denied:#}"),
            Self::StillRunning { pid } => write!(f, "still running: process {pid}"),
            Self::Refused { from: Peer::Client, reason } => {
                write!(f, "a message of the client was not passed on: {reason}")
            }
            Self::Refused { from: Peer::Server, reason } => {
                write!(f, "a message of the server was not passed on: {reason}")
            }
        }
    }
}
