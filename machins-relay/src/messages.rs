//! Reading the messages that a stream has.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

use crate::error::chain;

/// How long the server keeps a consumer that nobody reads from.
const INACTIVE: Duration = Duration::from_secs(30);

/// The messages of a stream until a moment.
pub(crate) struct Remaining {
    /// `None` once there is no more.
    messages: Option<Messages>,
}

/// Reads the messages that a stream has now, from a time on or all.
pub(crate) async fn read_all(
    stream: &Stream,
    since: Option<SystemTime>,
) -> Result<Remaining, String> {
    let config = Config {
        deliver_policy: since.map_or(DeliverPolicy::All, |since| DeliverPolicy::ByStartTime {
            start_time: since.into(),
        }),
        ack_policy: AckPolicy::None,
        inactive_threshold: INACTIVE,
        ..Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|error| chain(&error))?;
    if consumer.cached_info().num_pending == 0 {
        return Ok(Remaining { messages: None });
    }
    let messages = consumer.messages().await.map_err(|error| chain(&error))?;
    Ok(Remaining { messages: Some(messages) })
}

impl Remaining {
    /// Returns the next message, or `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<StreamMessage>, String> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        let Some(message) = messages.next().await else { return Ok(None) };
        let message = message.map_err(|error| chain(&error))?;
        let info = message.info().map_err(|error| error.to_string())?;
        let (sequence, time, pending) = (info.stream_sequence, info.published, info.pending);
        if pending == 0 {
            self.messages = None;
        }
        let message = message.message;
        Ok(Some(StreamMessage {
            subject: message.subject,
            sequence,
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
            time,
        }))
    }
}

/// A time as text (RFC 3339, UTC).
pub(crate) fn text(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or_default().to_string()
}
