//! The stream that holds the events: what it is created with, and whether one that exists fits.

use std::num::NonZeroU16;
use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use machins_client::AgentId;

use crate::error::{RelayError, Unusable, chain};
use crate::subject::subjects_of;

/// The subjects of all events of all agents.
const SUBJECTS: &str = "machins.>";
/// For how long the stream recognizes an event that it has already stored.
const DUPLICATE_WINDOW: Duration = Duration::from_hours(24);
const DEFAULT_PARTITIONS: NonZeroU16 = NonZeroU16::new(8).unwrap();
/// A server of its own cannot keep more than one copy. The server calls that its own error.
const REPLICAS_NEED_A_CLUSTER: u64 = 10_074;

/// The stream that events are stored in, and what it is created with if it does not exist.
///
/// Its subjects are `machins.>`. It recognizes events that come twice for 24 hours, and refuses new
/// events instead of removing old ones when it is full.
///
/// ```
/// use machins_relay::EventStream;
/// use std::time::Duration;
///
/// let week = Duration::from_hours(7 * 24);
/// let stream = EventStream::new("EVENTS")?.replicas(3).max_age(week);
/// # Ok::<(), machins_relay::RelayError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStream {
    name: String,
    partitions: NonZeroU16,
    replicas: usize,
    max_age: Duration,
    max_bytes: i64,
}

impl EventStream {
    /// Creates a description of a stream with 8 partitions and one copy, and without limits.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if the name is empty, longer than 255 bytes, or has white
    /// space, control characters or one of `. * > / \`.
    pub fn new(name: impl Into<String>) -> Result<Self, RelayError> {
        let name = name.into();
        let is_forbidden = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
        if name.is_empty() || name.len() > 255 || name.contains(is_forbidden) {
            let reason = "a name is not empty and has no white space and none of . * > / \\";
            return Err(RelayError::Stream { name, reason: reason.to_owned() });
        }
        let partitions = DEFAULT_PARTITIONS;
        Ok(Self { name, partitions, replicas: 1, max_age: Duration::ZERO, max_bytes: -1 })
    }

    /// Sets the number of partitions, which is how many events can be worked on at the same time. All
    /// replicas of a relay must use the same number, and it never changes.
    #[must_use]
    pub fn partitions(mut self, partitions: NonZeroU16) -> Self {
        self.partitions = partitions;
        self
    }

    /// Sets how many servers of a cluster keep each event. The default is one.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the age at which events are removed, whether they were read or not. By default they are
    /// kept. An age below 24 hours also shortens the time for which duplicates are recognized.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets the size in bytes at which the stream is full: it then refuses new events until some
    /// are removed. By default the server's own limits hold.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn partition_count(&self) -> NonZeroU16 {
        self.partitions
    }

    pub(crate) fn replica_count(&self) -> usize {
        self.replicas
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            name: self.name.clone(),
            description: Some(description(self.partitions)),
            subjects: vec![SUBJECTS.to_owned()],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.replicas,
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            duplicate_window: duplicate_window(self.max_age),
            ..Config::default()
        }
    }

    /// Creates the stream if it does not exist, and otherwise checks that it fits. Returns the time
    /// for which it recognizes duplicates if that is shorter than it should be.
    pub(crate) async fn ensure(
        &self,
        context: &Context,
        agents: &[AgentId],
    ) -> Result<Option<Duration>, Unusable> {
        let config = match self.find(context).await? {
            Some(found) => found,
            None => match context.create_stream(self.config()).await {
                Ok(_) => return Ok(None),
                Err(error) => match error.kind() {
                    // Another replica was faster.
                    CreateStreamErrorKind::JetStream(cause)
                        if cause.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                    {
                        let found = self.find(context).await?;
                        found.ok_or_else(|| Unusable::Now(error.to_string()))?
                    }
                    CreateStreamErrorKind::JetStream(cause) => return Err(self.refusal(&cause)),
                    _ => return Err(Unusable::Now(chain(&error))),
                },
            },
        };
        self.check(&config, agents)?;
        let window = self.config().duplicate_window;
        Ok(Some(config.duplicate_window).filter(|found| *found < window))
    }

    /// Returns the settings of the stream, or `None` if it does not exist.
    async fn find(&self, context: &Context) -> Result<Option<Config>, Unusable> {
        match context.get_stream(&self.name).await {
            Ok(stream) => Ok(Some(stream.cached_info().config.clone())),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                GetStreamErrorKind::JetStream(cause) => Err(self.refusal(&cause)),
                _ => Err(Unusable::Now(chain(&error))),
            },
        }
    }

    /// Finds the stream and its number of partitions, which is that of the description if the relay
    /// has not created it. Returns why it cannot be found.
    pub(crate) async fn find_partitions(
        &self,
        context: &Context,
    ) -> Result<(Stream, NonZeroU16), String> {
        let stream = context.get_stream(&self.name).await.map_err(|error| chain(&error))?;
        let description = stream.cached_info().config.description.as_deref();
        let partitions = description.and_then(described_partitions).unwrap_or(self.partitions);
        Ok((stream, partitions))
    }

    pub(crate) fn check(&self, found: &Config, agents: &[AgentId]) -> Result<(), Unusable> {
        let takes = |needed: &String| {
            let fits =
                |subject: &String| subject == needed || [SUBJECTS, ">"].contains(&&**subject);
            found.subjects.iter().any(fits)
        };
        if let Some(needed) = agents.iter().map(subjects_of).find(|needed| !takes(needed)) {
            return Err(self.unfit(format!(
                "it exists and does not take {needed}; add {SUBJECTS} to its subjects, or name another"
            )));
        }
        match found.description.as_deref().and_then(described_partitions) {
            Some(number) if number != self.partitions => Err(self.unfit(format!(
                "it exists and has {number} partitions, not {}; trades would lose their order",
                self.partitions
            ))),
            _ => Ok(()),
        }
    }

    fn refusal(&self, cause: &async_nats::jetstream::Error) -> Unusable {
        let text = cause.to_string();
        if cause.error_code() == ErrorCode::STREAM_SUBJECT_OVERLAP {
            return self.unfit(format!("{text}: {SUBJECTS} belongs to a stream of another name"));
        }
        let is_final = cause.code() == 400 || cause.error_code().0 == REPLICAS_NEED_A_CLUSTER;
        if is_final { self.unfit(text) } else { Unusable::Now(text) }
    }

    fn unfit(&self, reason: String) -> Unusable {
        Unusable::Ever(RelayError::Stream { name: self.name.clone(), reason })
    }
}

/// For how long a stream recognizes an event that it has stored: never longer than it keeps one.
pub(crate) fn duplicate_window(max_age: Duration) -> Duration {
    if max_age.is_zero() { DUPLICATE_WINDOW } else { max_age.min(DUPLICATE_WINDOW) }
}

/// Old servers keep no metadata of a stream. All keep a description.
fn description(partitions: NonZeroU16) -> String {
    format!("machins relay, {partitions} partitions")
}

pub(crate) fn described_partitions(description: &str) -> Option<NonZeroU16> {
    description.strip_prefix("machins relay, ")?.strip_suffix(" partitions")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("")]
    #[case::dot("a.b")]
    #[case::wildcard("a*")]
    #[case::space("a b")]
    #[case::path("a/b")]
    #[case::newline("a\n")]
    fn a_name_that_nats_refuses_is_an_error(#[case] name: &str) {
        assert!(matches!(EventStream::new(name), Err(RelayError::Stream { .. })));
    }

    #[test]
    fn a_description_holds_the_partitions() {
        let partitions = NonZeroU16::new(12).unwrap();
        assert_eq!(described_partitions(&description(partitions)), Some(partitions));
        assert_eq!(described_partitions("orders"), None);
    }

    #[test]
    fn duplicates_are_recognized_for_a_day() {
        let stream = EventStream::new("EVENTS").unwrap();
        assert_eq!(stream.config().duplicate_window, Duration::from_hours(24));
        let hour = Duration::from_hours(1);
        assert_eq!(stream.max_age(hour).config().duplicate_window, hour);
    }
}
