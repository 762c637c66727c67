//! Events that no worker could handle, in a stream of their own.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, Message};
use async_nats::{HeaderMap, header};

use crate::dead_letters::{CONSUMER, DEAD, DeadLetterStream, ORIGINAL_ID, REASON};
use crate::error::chain;

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1000;

/// The stream of the dead letters of a stream.
pub(super) struct DeadLetters<'a> {
    context: &'a Context,
    stream: String,
}

impl<'a> DeadLetters<'a> {
    /// Creates the stream beside that of the events if it does not exist.
    pub(super) async fn open(context: &'a Context, events: &Config) -> Result<Self, String> {
        let dead = DeadLetterStream::new(&events.name, events.num_replicas, Duration::ZERO, -1);
        let config = dead.config();
        let stream = config.name.clone();
        let created = context.get_or_create_stream(config);
        created.await.map_err(|error| chain(&error))?;
        Ok(Self { context, stream })
    }

    /// Stores an event. The stream recognizes it if it comes twice from the same place in the stream of
    /// events.
    pub(super) async fn store(&self, message: &Message, reason: &str) -> Result<(), String> {
        let info = message.info().map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        // A header is one line.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        headers.insert(REASON, reason.chars().take(LONGEST_REASON).collect::<String>());
        headers.insert(CONSUMER, info.consumer);
        let original =
            message.headers.as_ref().and_then(|headers| headers.get(header::NATS_MESSAGE_ID));
        if let Some(id) = original {
            headers.insert(ORIGINAL_ID, id.clone());
        }
        // With the time, because the numbers begin again in a stream that was lost and made anew.
        let time = info.published.unix_timestamp_nanos();
        let place = format!("{}.{}.{time}", info.consumer, info.stream_sequence);
        headers.insert(header::NATS_MESSAGE_ID, place);
        headers.insert(header::NATS_EXPECTED_STREAM, self.stream.as_str());
        let rest = message.subject.split_once('.').map_or("", |(_, rest)| rest);
        let subject = format!("{DEAD}{rest}");
        let payload = message.payload.clone();
        let sent = self.context.publish_with_headers(subject, headers, payload);
        let stored = async { sent.await?.await.map(drop) };
        stored.await.map_err(|error| chain(&error))
    }
}
