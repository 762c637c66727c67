//! How a stream, its consumers and the leases are.

use std::num::NonZeroU16;

use async_nats::jetstream::consumer::Info;
use futures_util::TryStreamExt;
use serde::Serialize;

use crate::error::{RelayError, chain};
use crate::lease::{Holder, holders};
use crate::messages::text;
use crate::stream::described_partitions;
use crate::stream_admin::StreamAdmin;

/// How a stream and what belongs to it are. It serializes to JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StreamStatus {
    /// The name of the stream.
    pub stream: String,
    /// The number of events in the stream.
    pub messages: u64,
    /// The size of the stream in bytes.
    pub bytes: u64,
    /// The size in bytes at which the stream takes no more events. `None` if there is no limit.
    pub max_bytes: Option<u64>,
    /// The time of the oldest event (RFC 3339, UTC). `None` if there is none.
    pub first_time: Option<String>,
    /// The time of the newest event (RFC 3339, UTC). `None` if there is none.
    pub last_time: Option<String>,
    /// The number of partitions. `None` if the stream was not created by a relay.
    pub partitions: Option<u16>,
    /// The number of servers that keep each event.
    pub replicas: usize,
    /// For how many seconds the stream recognizes an event that comes twice.
    pub duplicate_window_seconds: u64,
    /// Who reads which inbox.
    pub leases: Vec<LeaseStatus>,
    /// The consumers of the stream.
    pub consumers: Vec<ConsumerStatus>,
    /// The number of dead letters.
    pub dead_letters: u64,
}

/// Who reads an agent's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeaseStatus {
    /// The id of the agent, as it is written in subjects.
    pub agent: String,
    /// The replica: the name of its machine and the number of its process, if it is known.
    pub holder: String,
    /// The time at which the lease was renewed last (RFC 3339, UTC).
    pub renewed: String,
}

/// How far a consumer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The name of the consumer.
    pub name: String,
    /// The subject of the events that it gets. Empty for all.
    pub subject: String,
    /// The number of events that it has yet to get.
    pub pending: u64,
    /// The number of events that were delivered and not acknowledged yet.
    pub unacknowledged: usize,
    /// The number of those that were delivered more than once.
    pub redelivered: usize,
}

impl From<Holder> for LeaseStatus {
    fn from(Holder { agent, replica, renewed }: Holder) -> Self {
        Self { agent, holder: replica, renewed: text(renewed) }
    }
}

impl From<Info> for ConsumerStatus {
    fn from(info: Info) -> Self {
        Self {
            name: info.name,
            subject: info.config.filter_subject,
            pending: info.num_pending,
            unacknowledged: info.num_ack_pending,
            redelivered: info.num_redelivered,
        }
    }
}

impl StreamAdmin {
    /// Returns how the stream and what belongs to it are.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if the stream does not exist or cannot be read.
    pub async fn status(&self) -> Result<StreamStatus, RelayError> {
        let stream = self.stream().await?;
        let (state, config) = (&stream.cached_info().state, &stream.cached_info().config);
        let consumers = stream.consumers().try_collect::<Vec<_>>().await;
        let consumers = consumers.map_err(|error| self.failure(&chain(&error)))?;
        // The others end with their readers.
        let durable = consumers.into_iter().filter(|info| info.config.durable_name.is_some());
        let mut consumers: Vec<_> = durable.map(ConsumerStatus::from).collect();
        consumers.sort_by(|one: &ConsumerStatus, other| one.name.cmp(&other.name));
        let leases = holders(&self.context).await.map_err(|why| self.failure(&why))?;
        let time = |time| (state.messages > 0).then(|| text(time));
        Ok(StreamStatus {
            stream: self.name.clone(),
            messages: state.messages,
            bytes: state.bytes,
            max_bytes: u64::try_from(config.max_bytes).ok().filter(|bytes| *bytes > 0),
            first_time: time(state.first_timestamp.into()),
            last_time: time(state.last_timestamp.into()),
            partitions: config
                .description
                .as_deref()
                .and_then(described_partitions)
                .map(NonZeroU16::get),
            replicas: config.num_replicas,
            duplicate_window_seconds: config.duplicate_window.as_secs(),
            leases: leases.into_iter().map(LeaseStatus::from).collect(),
            consumers,
            dead_letters: self.dead_letter_count().await?,
        })
    }
}
