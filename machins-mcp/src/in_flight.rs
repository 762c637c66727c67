//! The requests of a client that have no response yet.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::message::Id;

/// How many requests of one session may be without a response.
const MOST: usize = 4096;

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAccepted {
    #[error("another request with this id has no response yet")]
    IdInUse,
    #[error("too many requests have no response yet")]
    TooMany,
}

/// What a request without a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is no tool call, or one that has not been passed on.
    Other,
    /// A tool call that the server was given under the permit of this gate.
    Running { gate: usize },
    /// A tool call that was cancelled and answered. A response that comes all the same is dropped.
    Cancelled,
}

/// The requests of one session that have no response yet.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: HashMap<String, (Id, State)>,
}

impl InFlight {
    /// Notes a request that has arrived.
    pub(crate) fn begin(&mut self, id: &Id) -> Result<(), NotAccepted> {
        let key = id.key();
        if self.requests.contains_key(&*key) {
            return Err(NotAccepted::IdInUse);
        }
        if self.requests.len() >= MOST {
            self.requests.retain(|_, (_, state)| *state != State::Cancelled);
        }
        if self.requests.len() >= MOST {
            return Err(NotAccepted::TooMany);
        }
        self.requests.insert(key.into_owned(), (id.clone(), State::Other));
        Ok(())
    }

    /// Notes that the server is given a tool call.
    pub(crate) fn run(&mut self, id: &Id, gate: usize) {
        if let Some((_, state)) = self.requests.get_mut(&*id.key()) {
            *state = State::Running { gate };
        }
    }

    /// Removes a request that has a response. Returns whether it is to be passed on.
    pub(crate) fn finish(&mut self, id: &Id) -> bool {
        let key: Cow<'_, str> = id.key();
        matches!(self.requests.remove(&*key), Some((_, State::Other | State::Running { .. })))
    }

    /// The gates whose permits tool calls are running under.
    pub(crate) fn running(&self) -> Vec<usize> {
        let states = self.requests.values().map(|(_, state)| state);
        let mut gates: Vec<usize> = states
            .filter_map(|state| match state {
                State::Running { gate } => Some(*gate),
                State::Other | State::Cancelled => None,
            })
            .collect();
        gates.sort_unstable();
        gates.dedup();
        gates
    }

    /// Cancels the tool calls that run under the permits of a gate, and returns their ids.
    pub(crate) fn cancel(&mut self, gate: usize) -> Vec<Id> {
        let running = self.requests.values_mut();
        let of_gate = running.filter(|(_, state)| *state == State::Running { gate });
        of_gate
            .map(|(id, state)| {
                *state = State::Cancelled;
                id.clone()
            })
            .collect()
    }

    /// Removes all requests, and returns the ids of those that have not been answered.
    pub(crate) fn end(&mut self) -> Vec<Id> {
        let all = self.requests.drain().map(|(_, request)| request);
        all.filter(|(_, state)| *state != State::Cancelled).map(|(id, _)| id).collect()
    }
}
