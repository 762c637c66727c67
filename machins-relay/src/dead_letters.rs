//! Events that no worker could handle.
//!
//! Their stream has the subjects `machins-dead.AGENT.EVENT.PARTITION`, on which workers put them, and
//! those on which the server says that it has delivered an event too often. So an event is a dead
//! letter, too, if its worker knows nothing of them.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RawMessageErrorKind, StorageType, Stream,
};
use serde::{Deserialize, Serialize};

use crate::cloud_event::CloudEvent;
use crate::error::{RelayError, chain};
use crate::messages::{read_all, text};
use crate::stream::duplicate_window;
use crate::stream_admin::StreamAdmin;

/// The subjects of all dead letters.
const SUBJECTS: &str = "machins-dead.>";
/// What the subjects of dead letters and of events begin with.
pub(crate) const DEAD: &str = "machins-dead.";
const EVENT: &str = "machins.";
/// The beginning of the subject on which the server says that an event was delivered too often.
const DELIVERED_TOO_OFTEN: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.";
/// The headers of a dead letter: why and where it became one, and the id of the message that it was.
pub(crate) const REASON: &str = "Machins-Dead-Reason";
pub(crate) const CONSUMER: &str = "Machins-Dead-Consumer";
pub(crate) const ORIGINAL_ID: &str = "Machins-Original-Msg-Id";
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The stream of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLetterStream {
    events: String,
    replicas: usize,
    max_age: Duration,
    max_bytes: i64,
}

/// An event that no worker could handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The number of the dead letter, by which it is retried.
    pub id: u64,
    /// The subject of the event: `machins.AGENT.EVENT.PARTITION`. `None` if the stream does not have
    /// the event any more.
    pub subject: Option<String>,
    /// The id of the message that the event was. `None` if the stream does not have the event any more.
    pub message_id: Option<String>,
    /// The name of the consumer whose worker could not handle the event. `None` if the worker does not
    /// say.
    pub consumer: Option<String>,
    /// Why the event was not handled. `None` if the worker does not say.
    pub reason: Option<String>,
    /// The time at which it became a dead letter (RFC 3339, UTC).
    pub time: String,
    /// The event. `None` if the stream does not have it any more, or it is not CloudEvents JSON.
    pub event: Option<CloudEvent>,
}

/// A dead letter, and the payload to publish again.
struct Found {
    letter: DeadLetter,
    payload: Vec<u8>,
}

/// What the server says of an event that it has delivered too often.
#[derive(Deserialize)]
struct Advisory {
    consumer: String,
    stream_seq: u64,
    deliveries: u64,
}

impl DeadLetterStream {
    /// Describes the stream of the dead letters of a stream.
    pub(crate) fn new(events: &str, replicas: usize, max_age: Duration, max_bytes: i64) -> Self {
        Self { events: events.to_owned(), replicas, max_age, max_bytes }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            name: name(&self.events),
            description: Some("machins relay, dead letters".to_owned()),
            subjects: vec![SUBJECTS.to_owned(), format!("{DELIVERED_TOO_OFTEN}{}.>", self.events)],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.replicas,
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            duplicate_window: duplicate_window(self.max_age),
            ..Config::default()
        }
    }
}

fn name(events: &str) -> String {
    format!("{events}-dead")
}

impl StreamAdmin {
    /// Returns the dead letters, oldest first.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if the streams cannot be read.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, RelayError> {
        let Some(dead) = self.find(&name(&self.name)).await? else { return Ok(Vec::new()) };
        let mut letters = Vec::new();
        let failed = |error: String| self.failure(&error);
        let mut messages = read_all(&dead, None);
        while let Some(message) = messages.next().await.map_err(failed)? {
            if let Some(found) = self.letter(message).await? {
                letters.push(found.letter);
            }
        }
        Ok(letters)
    }

    /// Returns the number of dead letters.
    pub(crate) async fn dead_letter_count(&self) -> Result<u64, RelayError> {
        let dead = self.find(&name(&self.name)).await?;
        Ok(dead.map_or(0, |dead| dead.cached_info().state.messages))
    }

    /// Puts a dead letter back into the stream, after its newest event, and removes it from the dead
    /// letters. All consumers of the stream get the event again. Doing it again after it was
    /// interrupted puts it back once.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if there is no such dead letter, if its event is not in the stream
    /// any more, or if it cannot be put back.
    pub async fn retry_dead_letter(&self, id: u64) -> Result<DeadLetter, RelayError> {
        let missing = || self.failure(&format!("there is no dead letter {id}"));
        let dead = self.find(&name(&self.name)).await?.ok_or_else(missing)?;
        let message = self.message(&dead, id).await?.ok_or_else(missing)?;
        let found = self.letter(message).await?.ok_or_else(missing)?;
        let gone = || self.failure(&format!("the event of dead letter {id} is gone"));
        let subject = found.letter.subject.clone().ok_or_else(gone)?;
        // Another id than before, by which the stream would recognize the event and not store it.
        let before = found.letter.message_id.as_deref().unwrap_or("unknown");
        let message = PublishMessage::build()
            .message_id(format!("{before}.retry-{id}"))
            .expected_stream(&self.name)
            .payload(found.payload.into());
        let published = async { self.context.send_publish(subject, message).await?.await };
        published.await.map_err(|error| self.failure(&chain(&error)))?;
        let deleted = dead.delete_message(id).await;
        deleted.map_err(|error| self.failure(&chain(&error)))?;
        Ok(found.letter)
    }

    /// Returns a message, or `None` if the stream does not have it.
    async fn message(&self, stream: &Stream, id: u64) -> Result<Option<StreamMessage>, RelayError> {
        match stream.get_raw_message(id).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.failure(&chain(&error))),
        }
    }

    /// Returns the dead letter that a message is. `None` if it is none.
    async fn letter(&self, message: StreamMessage) -> Result<Option<Found>, RelayError> {
        let (id, time) = (message.sequence, text(message.time.into()));
        if let Some(rest) = message.subject.as_str().strip_prefix(DEAD) {
            let letter = DeadLetter {
                id,
                subject: Some(format!("{EVENT}{rest}")),
                message_id: header(&message.headers, ORIGINAL_ID),
                consumer: header(&message.headers, CONSUMER),
                reason: header(&message.headers, REASON),
                time,
                event: serde_json::from_slice(&message.payload).ok(),
            };
            return Ok(Some(Found { letter, payload: message.payload.to_vec() }));
        }
        let Ok(advisory) = serde_json::from_slice::<Advisory>(&message.payload) else {
            return Ok(None);
        };
        let events = self.stream().await?;
        // It may have been removed since.
        let event = self.message(&events, advisory.stream_seq).await?;
        let letter = DeadLetter {
            id,
            subject: event.as_ref().map(|event| event.subject.to_string()),
            message_id: event.as_ref().and_then(|event| header(&event.headers, MESSAGE_ID)),
            consumer: Some(advisory.consumer),
            reason: Some(format!("delivered {} times without success", advisory.deliveries)),
            time,
            event: event.as_ref().and_then(|event| serde_json::from_slice(&event.payload).ok()),
        };
        let payload = event.map(|event| event.payload.to_vec()).unwrap_or_default();
        Ok(Some(Found { letter, payload }))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(ToString::to_string)
}
