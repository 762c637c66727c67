//! Posts to other servers: webhooks, and verifications of deliveries.
//!
//! A subscription with events to be sent has a queue and a task of its own, which posts one event
//! after the other in the order in which they happened, and ends when the queue is empty. Every
//! event is posted once: there is no second attempt, but ten failures in a row end the
//! subscription. A queue holds [`MAX_QUEUED`] events; further ones are dropped and logged as such.

mod client;
mod log;
mod queue;
mod resolver;

pub(crate) use self::client::{Client, OWN_POST, Policy, TIME_LIMIT};
pub(crate) use self::log::WebhooksQuery;
pub use self::log::{MAX_QUEUED, MAX_WEBHOOKS, WebhookAttempt};
pub(crate) use self::queue::Deliveries;
