//! What a stream and its consumers are like, declared in a file.

use std::collections::HashSet;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU64};
use std::time::Duration;

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::Config as ConsumerConfig;
use machins_client::AgentId;
use serde::Deserialize;

use crate::dead_letters::DeadLetterStream;
use crate::error::RelayError;
use crate::stream::EventStream;
use crate::subject::token;

/// A stream, the consumers of its partitions, and the stream of its dead letters, as a TOML file
/// declares them.
///
/// ```
/// use machins_relay::RelaySetup;
///
/// let setup = RelaySetup::from_toml(
///     r#"
///     [stream]
///     name = "EVENTS"
///     partitions = 8
///     replicas = 1              # servers of a cluster that keep each event
///     max_age_hours = 168       # age at which events are removed; never if it is absent
///     max_bytes = 1_000_000_000
///
///     [[consumers]]             # one for each partition: workers-0 to workers-7
///     name = "workers"
///     event = "trade_proposed"  # all events if it is absent
///     ack_wait_seconds = 30
///     max_deliver = 5
///
///     [dead_letters]
///     max_age_hours = 720
///     "#,
/// )?;
/// # Ok::<(), machins_relay::RelayError>(())
/// ```
///
/// A consumer may have `backoff_seconds = [1, 10, 60]` instead of `ack_wait_seconds`: the times after
/// which an event that is not acknowledged is delivered again, of which the last one repeats. With
/// `agent` it gets the events of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySetup {
    pub(crate) stream: EventStream,
    pub(crate) consumers: Vec<ConsumerGroup>,
    pub(crate) dead_letters: DeadLetterStream,
}

/// The consumers that share the events of a stream, one for each partition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsumerGroup {
    name: String,
    event: Option<String>,
    agent: Option<AgentId>,
    ack_wait_seconds: Option<NonZeroU64>,
    max_deliver: Option<NonZeroU16>,
    #[serde(default)]
    backoff_seconds: Vec<NonZeroU64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    stream: StreamTable,
    #[serde(default)]
    consumers: Vec<ConsumerGroup>,
    #[serde(default)]
    dead_letters: LimitsTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamTable {
    name: String,
    partitions: Option<NonZeroU16>,
    replicas: Option<NonZeroU8>,
    max_age_hours: Option<NonZeroU16>,
    max_bytes: Option<NonZeroU64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    max_age_hours: Option<NonZeroU16>,
    max_bytes: Option<NonZeroU64>,
}

impl RelaySetup {
    /// Reads a declaration.
    ///
    /// # Errors
    /// Returns [`RelayError::Setup`] if the text is not TOML, has an unknown field, or declares
    /// something that NATS refuses.
    pub fn from_toml(text: &str) -> Result<Self, RelayError> {
        let file: File =
            toml::from_str(text).map_err(|error| RelayError::Setup(error.to_string()))?;
        let declared = file.stream;
        let mut stream = EventStream::new(declared.name)?;
        if let Some(partitions) = declared.partitions {
            stream = stream.partitions(partitions);
        }
        if let Some(replicas) = declared.replicas {
            stream = stream.replicas(replicas.get().into());
        }
        if let Some(age) = declared.max_age_hours {
            stream = stream.max_age(hours(age));
        }
        if let Some(bytes) = declared.max_bytes {
            stream = stream.max_bytes(bytes.get());
        }
        file.consumers.iter().try_for_each(ConsumerGroup::check)?;
        let mut names = HashSet::new();
        if let Some(twice) = file.consumers.iter().find(|group| !names.insert(&group.name)) {
            let reason = format!("consumer {:?}: it is declared twice", twice.name);
            return Err(RelayError::Setup(reason));
        }
        let dead_letters = DeadLetterStream::new(
            stream.name(),
            stream.replica_count(),
            file.dead_letters.max_age_hours.map_or(Duration::ZERO, hours),
            file.dead_letters
                .max_bytes
                .map_or(-1, |bytes| bytes.get().try_into().unwrap_or(i64::MAX)),
        );
        Ok(Self { stream, consumers: file.consumers, dead_letters })
    }

    /// Returns the name of the stream.
    #[must_use]
    pub fn stream_name(&self) -> &str {
        self.stream.name()
    }

    /// The settings of all consumers, each with its name.
    pub(crate) fn consumer_configs(&self) -> impl Iterator<Item = (String, ConsumerConfig)> {
        let partitions = self.stream.partition_count().get();
        self.consumers
            .iter()
            .flat_map(move |group| (0..partitions).map(move |partition| group.config(partition)))
    }
}

impl ConsumerGroup {
    fn check(&self) -> Result<(), RelayError> {
        let invalid = |why: &str| RelayError::Setup(format!("consumer {:?}: {why}", self.name));
        EventStream::new(self.name.as_str()).map_err(|error| invalid(&error.to_string()))?;
        if self.backoff_seconds.is_empty() {
            return Ok(());
        }
        if self.ack_wait_seconds.is_some() {
            return Err(invalid("give ack_wait_seconds or backoff_seconds, not both"));
        }
        let most = self.max_deliver.map_or(usize::MAX, |most| most.get().into());
        if self.backoff_seconds.len() >= most {
            return Err(invalid("max_deliver must be more than the number of backoff_seconds"));
        }
        Ok(())
    }

    fn config(&self, partition: u16) -> (String, ConsumerConfig) {
        let name = format!("{}-{partition}", self.name);
        let any = || "*".to_owned();
        let agent = self.agent.as_ref().map_or_else(any, |agent| token(agent.as_str()));
        let event = self.event.as_deref().map_or_else(any, token);
        let backoff: Vec<Duration> =
            self.backoff_seconds.iter().map(|seconds| Duration::from_secs(seconds.get())).collect();
        let config = ConsumerConfig {
            durable_name: Some(name.clone()),
            description: Some(format!("machins relay, {}", self.name)),
            ack_policy: AckPolicy::Explicit,
            // The server takes the first wait as the time to acknowledge.
            ack_wait: backoff.first().copied().unwrap_or_else(|| {
                Duration::from_secs(self.ack_wait_seconds.map_or(30, NonZeroU64::get))
            }),
            max_deliver: self.max_deliver.map_or(-1, |most| most.get().into()),
            filter_subject: format!("machins.{agent}.{event}.{partition}"),
            // Events of a trade follow each other.
            max_ack_pending: 1,
            backoff,
            ..ConsumerConfig::default()
        };
        (name, config)
    }
}

fn hours(hours: NonZeroU16) -> Duration {
    Duration::from_hours(hours.get().into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const WHOLE: &str = r#"
        [stream]
        name = "EVENTS"
        partitions = 2
        max_age_hours = 168

        [[consumers]]
        name = "workers"
        event = "trade_proposed"
        agent = "a1"
        max_deliver = 5
        backoff_seconds = [1, 10]

        [[consumers]]
        name = "audit"
    "#;

    #[test]
    fn there_is_a_consumer_for_each_partition() {
        let setup = RelaySetup::from_toml(WHOLE).unwrap();
        let consumers: Vec<_> = setup.consumer_configs().collect();
        let subjects: Vec<_> =
            consumers.iter().map(|(name, config)| (&**name, &*config.filter_subject)).collect();
        assert_eq!(
            subjects,
            [
                ("workers-0", "machins.a1.trade_proposed.0"),
                ("workers-1", "machins.a1.trade_proposed.1"),
                ("audit-0", "machins.*.*.0"),
                ("audit-1", "machins.*.*.1"),
            ]
        );
        let (workers, audit) = (&consumers[0].1, &consumers[2].1);
        assert_eq!((workers.ack_wait.as_secs(), workers.max_deliver), (1, 5));
        assert_eq!((audit.ack_wait.as_secs(), audit.max_deliver), (30, -1));
        assert!(consumers.iter().all(|(_, config)| config.max_ack_pending == 1));
    }

    #[rstest]
    #[case::no_toml("[stream", "TOML")]
    #[case::no_stream("[[consumers]]\nname = \"w\"", "stream")]
    #[case::unknown_field("[stream]\nname = \"E\"\nretention = 3", "retention")]
    #[case::no_partitions("[stream]\nname = \"E\"\npartitions = 0", "partitions")]
    #[case::no_replicas("[stream]\nname = \"E\"\nreplicas = 0", "replicas")]
    #[case::declared_twice(
        "[stream]\nname = \"E\"\n[[consumers]]\nname = \"w\"\n[[consumers]]\nname = \"w\"",
        "declared twice"
    )]
    #[case::bad_name("[stream]\nname = \"E\"\n[[consumers]]\nname = \"a.b\"", "a.b")]
    #[case::two_waits(
        "[stream]\nname = \"E\"\n[[consumers]]\nname = \"w\"\nack_wait_seconds = 1\nbackoff_seconds = [1]",
        "not both"
    )]
    #[case::too_few_deliveries(
        "[stream]\nname = \"E\"\n[[consumers]]\nname = \"w\"\nmax_deliver = 2\nbackoff_seconds = [1, 2]",
        "more than the number"
    )]
    fn what_cannot_be_is_an_error(#[case] text: &str, #[case] why: &str) {
        let error = RelaySetup::from_toml(text).unwrap_err();
        assert!(matches!(error, RelayError::Setup(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
}
