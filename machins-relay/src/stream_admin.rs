//! A connection by which a stream is administered.

use std::fmt;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Context, ErrorCode};

use crate::connection::NatsConnection;
use crate::error::{RelayError, Unusable, chain};

/// Sets up a stream of events, shows how it is, and reads from it again.
pub struct StreamAdmin {
    pub(crate) context: Context,
    pub(crate) name: String,
}

impl StreamAdmin {
    /// Connects to NATS. `stream` is the name of the stream, which need not exist yet.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if NATS cannot be reached or refuses the credentials.
    pub async fn connect(
        connection: &NatsConnection,
        stream: impl Into<String>,
    ) -> Result<Self, RelayError> {
        let context = connection.connect().await.map_err(RelayError::from)?;
        Ok(Self { context, name: stream.into() })
    }

    /// The stream as it is now.
    pub(crate) async fn stream(&self) -> Result<Stream, RelayError> {
        let stream = self.context.get_stream(&self.name).await;
        stream.map_err(|error| self.failure(&chain(&error)))
    }

    /// Returns a stream, or `None` if it does not exist.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Stream>, RelayError> {
        match self.context.get_stream(name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(self.failure(&chain(&error))),
            },
        }
    }

    pub(crate) fn failure(&self, reason: &str) -> RelayError {
        RelayError::Stream { name: self.name.clone(), reason: reason.to_owned() }
    }
}

impl From<Unusable> for RelayError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Ever(error) => error,
            Unusable::Now(reason) => Self::Nats(reason),
        }
    }
}

impl fmt::Debug for StreamAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamAdmin").field("stream", &self.name).finish_non_exhaustive()
    }
}
