//! What a relay reports while it runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machins_client::{AgentId, Error, ParkedNotification};

/// What a [`Relay`](crate::Relay) reports while it runs. `Display` is one line for a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// Events cannot be passed on at the moment, and nothing more is read until they can. Reported once,
    /// with the reason.
    Interrupted(String),
    /// Events are passed on again. Reported after [`Interrupted`](Self::Interrupted).
    Resumed,
    /// The inbox of an agent could not be read or acknowledged, and is tried again.
    InboxFailed(AgentId, Error),
    /// The inbox of an agent cannot be read any more, and trying again would not help. Those of the
    /// other agents are.
    InboxLost(AgentId, Error),
    /// An event was not passed on and stays unread in the inbox of the agent, because it is not a
    /// notification or is larger than its destination takes.
    Kept(AgentId, Box<ParkedNotification>),
    /// A receiver does not take an event of the agent, for this reason. It is posted again, after
    /// growing waits. Reported once for each event and status.
    NotTaken(AgentId, String),
    /// A webhook of an event that is in no inbox could not be passed on, for this reason. The service
    /// does not send it again.
    WebhookLost(AgentId, String),
    /// A request was not a webhook of the service, for this reason. Reported once until one is.
    WebhookRefused(String),
    /// The inbox of the agent could not be reached by this replica for longer than a lease lasts. It is left
    /// to the others until it can be.
    Unreachable(AgentId),
    /// This replica has become the one that reads the inbox of the agent.
    Active(AgentId),
    /// Another replica reads the inbox of the agent. This one takes over when that one ends.
    Standby(AgentId),
    /// A stream that existed before recognizes an event that comes twice for this time only, which is
    /// shorter than the 24 hours of a stream that the relay creates.
    ShortDuplicateWindow(Duration),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(reason) => {
                write!(f, "events stay in the inbox until they can be passed on again: {reason}")
            }
            Self::Resumed => f.write_str("events are passed on again"),
            Self::InboxFailed(agent, error) => {
                write!(f, "trying again: the inbox of {agent}: {error:#}")
            }
            Self::InboxLost(agent, error) => {
                write!(f, "the inbox of {agent} is not read any more: {error:#}")
            }
            Self::Kept(agent, parked) => {
                let id = parked.raw.get("id").and_then(|id| id.as_str()).unwrap_or("without an id");
                let reason = &parked.reason;
                write!(
                    f,
                    "notification {id} of {agent} was not passed on and stays unread: {reason}"
                )
            }
            Self::NotTaken(agent, reason) => {
                write!(f, "an event of {agent} stays in the inbox and is posted again: {reason}")
            }
            Self::WebhookLost(agent, reason) => {
                write!(f, "a webhook for {agent} was not passed on: {reason}")
            }
            Self::WebhookRefused(reason) => write!(
                f,
                "a request was refused: {reason}; webhooks need the secret of their subscription"
            ),
            Self::Unreachable(agent) => write!(
                f,
                "the inbox of {agent} cannot be reached from here; until it can, it is left to \
                 other replicas, if there are any"
            ),
            Self::Active(agent) => write!(f, "this replica reads the inbox of {agent}"),
            Self::Standby(agent) => write!(
                f,
                "another replica reads the inbox of {agent}; this one takes over when it ends"
            ),
            Self::ShortDuplicateWindow(window) => write!(
                f,
                "the stream recognizes an event that comes twice for {} seconds only, not 24 hours",
                window.as_secs()
            ),
        }
    }
}

/// A callback that gets the notices.
pub(crate) type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Reports once that events cannot be passed on, and once that they can again.
pub(crate) struct Interruption {
    on_notice: OnNotice,
    is_reported: AtomicBool,
}

impl Interruption {
    pub(crate) fn new(on_notice: OnNotice) -> Self {
        Self { on_notice, is_reported: AtomicBool::new(false) }
    }

    pub(crate) fn begin(&self, reason: impl FnOnce() -> String) {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            (self.on_notice)(&Notice::Interrupted(reason()));
        }
    }

    pub(crate) fn end(&self) {
        if self.is_reported.swap(false, Ordering::Relaxed) {
            (self.on_notice)(&Notice::Resumed);
        }
    }
}
