//! Why a relay ends.

use std::io;

use async_nats::jetstream::context::{RequestError, RequestErrorKind};
use machins_client::Error as ClientError;

/// The error that ends a [`Relay`](crate::Relay): trying again would not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The inbox can neither be read nor waited for, for example because the API key is invalid.
    #[error("the inbox cannot be read")]
    Inbox(#[source] ClientError),
    /// The address of NATS is invalid, NATS cannot be reached or refuses the credentials, or a bucket in
    /// it cannot be used.
    #[error("NATS cannot be used: {0}")]
    Nats(String),
    /// The stream cannot be created, or one of this name exists that does not fit.
    #[error("the stream {name} cannot be used: {reason}")]
    Stream {
        /// The name of the stream.
        name: String,
        /// What does not fit, and what can be done about it.
        reason: String,
    },
    /// A declaration of a stream and its consumers is invalid.
    #[error("the declaration is invalid: {0}")]
    Setup(String),
    /// Events cannot be posted to this address, or not with this secret.
    #[error("events cannot be posted there: {0}")]
    Receiver(String),
    /// The writer does not take any more, for example because nobody reads from it.
    #[error("the events cannot be written")]
    Writer(#[source] io::Error),
}

/// Why NATS or a stream cannot be used.
pub(crate) enum Unusable {
    /// It may be usable later.
    Now(String),
    /// Only another address, other credentials, or another stream or setting of it, would help.
    Ever(RelayError),
}

/// What to do about a server that answers no requests of JetStream. Debian's package starts one.
const NO_JETSTREAM: &str = "JetStream is not on at this server: start it with `nats-server -js`, or add \
    `jetstream {}` to its configuration";

/// An error with its causes on one line. The address, which may hold a password, is in none of them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref().map(RequestError::kind) == Some(RequestErrorKind::NoResponders) {
            return NO_JETSTREAM.to_owned();
        }
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
