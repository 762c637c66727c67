//! Reading the messages that a stream has.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::pull::{Batch, Config};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::error::chain;

/// How many messages are asked for at once, and how long the server may take to answer.
const PAGE: usize = 200;
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long the server keeps the consumer of a page.
const INACTIVE: Duration = Duration::from_secs(5);

/// The messages that a stream has at a moment. They are read page by page, so that the reader may pause for as
/// long as it takes.
pub(crate) struct Remaining<'a> {
    stream: &'a Stream,
    from: DeliverPolicy,
    /// The number of the newest message.
    last: u64,
    page: Option<Batch>,
}

/// Reads the messages that a stream, as it was found, has: from a time on or all.
pub(crate) fn read_all(stream: &Stream, since: Option<SystemTime>) -> Remaining<'_> {
    let from = since.map_or(DeliverPolicy::All, |since| DeliverPolicy::ByStartTime {
        start_time: since.into(),
    });
    Remaining { stream, from, last: stream.cached_info().state.last_sequence, page: None }
}

impl Remaining<'_> {
    /// Returns the next message, or `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<StreamMessage>, String> {
        loop {
            let (mut page, is_new) = match self.page.take() {
                Some(page) => (page, false),
                None => (self.fetch().await?, true),
            };
            let message = timeout(ANSWER_LIMIT, page.next()).await;
            let message = message.map_err(|_| "NATS does not answer".to_owned())?;
            let Some(message) = message.transpose().map_err(|error| chain(&*error))? else {
                if is_new {
                    return Ok(None);
                }
                continue;
            };
            let info = message.info().map_err(|error| error.to_string())?;
            let (sequence, time) = (info.stream_sequence, info.published);
            if sequence > self.last {
                return Ok(None);
            }
            self.from = DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 };
            self.page = Some(page);
            let message = message.message;
            return Ok(Some(StreamMessage {
                subject: message.subject,
                sequence,
                headers: message.headers.unwrap_or_default(),
                payload: message.payload,
                time,
            }));
        }
    }

    async fn fetch(&self) -> Result<Batch, String> {
        let config = Config {
            deliver_policy: self.from,
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            ..Config::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(|error| chain(&error))?;
        let page = consumer.fetch().max_messages(PAGE).messages().await;
        page.map_err(|error| chain(&error))
    }
}

/// A time as text (RFC 3339, UTC).
pub(crate) fn text(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or_default().to_string()
}
