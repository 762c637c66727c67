//! Making a stream and its consumers what a file declares.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::consumer::Config as AnyConsumerConfig;
use async_nats::jetstream::consumer::pull::Config as ConsumerConfig;
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{Config, Stream};
use serde::Serialize;

use crate::error::{RelayError, chain};
use crate::setup::RelaySetup;
use crate::stream_admin::StreamAdmin;

/// A difference between a stream or consumer and its declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What differs: `stream EVENTS`, for example, or `consumer workers-0`.
    pub object: String,
    /// The name of the setting, or `None` if the whole does not exist yet.
    pub setting: Option<&'static str>,
    /// The value of the setting. `None` if the whole does not exist yet.
    pub found: Option<String>,
    /// The declared value of the setting. `None` if the whole does not exist yet.
    pub declared: Option<String>,
}

/// A setting: its name, and its value as it is and as it is declared.
type Setting = (&'static str, String, String);

impl StreamAdmin {
    /// Returns how the stream, its consumers and the stream of its dead letters differ from their
    /// declaration, and changes nothing.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if they cannot be read, or differ in what cannot be changed.
    pub async fn differences(&self, setup: &RelaySetup) -> Result<Vec<Difference>, RelayError> {
        self.compare(setup, false).await
    }

    /// Creates what does not exist yet, and changes what differs. Returns the differences that there
    /// were. Other consumers stay as they are.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if something differs in what cannot be changed, or if NATS refuses
    /// a change.
    pub async fn set_up(&self, setup: &RelaySetup) -> Result<Vec<Difference>, RelayError> {
        self.compare(setup, true).await
    }

    async fn compare(
        &self,
        setup: &RelaySetup,
        changes: bool,
    ) -> Result<Vec<Difference>, RelayError> {
        let mut differences = Vec::new();
        let found = self.find(self.name.as_str()).await?;
        if let Some(stream) = &found {
            let config = &stream.cached_info().config;
            setup.stream.check(config, &[]).map_err(RelayError::from)?;
        }
        self.compare_stream(found, setup.stream.config(), changes, &mut differences).await?;
        let dead_letters = setup.dead_letters.config();
        let found = self.find(&dead_letters.name).await?;
        self.compare_stream(found, dead_letters, changes, &mut differences).await?;
        // Without the stream there are no consumers.
        let stream = self.find(self.name.as_str()).await?;
        for (name, config) in setup.consumer_configs() {
            self.compare_consumer(stream.as_ref(), &name, config, changes, &mut differences)
                .await?;
        }
        Ok(differences)
    }

    async fn compare_stream(
        &self,
        found: Option<Stream>,
        declared: Config,
        changes: bool,
        differences: &mut Vec<Difference>,
    ) -> Result<(), RelayError> {
        let object = format!("stream {}", declared.name);
        let Some(found) = found else {
            differences.push(Difference::missing(object));
            if changes {
                let created = self.context.create_stream(declared).await;
                created.map_err(|error| self.failure(&chain(&error)))?;
            }
            return Ok(());
        };
        let config = found.cached_info().config.clone();
        let settings = [
            ("subjects", config.subjects.join(" "), declared.subjects.join(" ")),
            ("replicas", text(config.num_replicas), text(declared.num_replicas)),
            ("max_age", age(config.max_age), age(declared.max_age)),
            ("max_bytes", size(config.max_bytes), size(declared.max_bytes)),
            ("duplicate_window", age(config.duplicate_window), age(declared.duplicate_window)),
            ("discard", format!("{:?}", config.discard), format!("{:?}", declared.discard)),
        ];
        let before = differences.len();
        Difference::collect(&object, settings, differences);
        if changes && differences.len() > before {
            let updated = Config {
                subjects: declared.subjects,
                num_replicas: declared.num_replicas,
                max_age: declared.max_age,
                max_bytes: declared.max_bytes,
                duplicate_window: declared.duplicate_window,
                discard: declared.discard,
                description: declared.description,
                ..config
            };
            let reply = self.context.update_stream(updated).await;
            reply.map_err(|error| self.failure(&chain(&error)))?;
        }
        Ok(())
    }

    async fn compare_consumer(
        &self,
        stream: Option<&Stream>,
        name: &str,
        declared: ConsumerConfig,
        changes: bool,
        differences: &mut Vec<Difference>,
    ) -> Result<(), RelayError> {
        let object = format!("consumer {name}");
        let found = match stream {
            Some(stream) => consumer(stream, name).await.map_err(|why| self.failure(&why))?,
            None => None,
        };
        let before = differences.len();
        let config = match found {
            None => {
                differences.push(Difference::missing(object));
                declared
            }
            Some(found) => {
                let settings = [
                    ("subject", found.filter_subject.clone(), declared.filter_subject.clone()),
                    ("ack_wait", age(found.ack_wait), age(declared.ack_wait)),
                    ("max_deliver", count(found.max_deliver), count(declared.max_deliver)),
                    ("backoff", ages(&found.backoff), ages(&declared.backoff)),
                    (
                        "max_ack_pending",
                        text(found.max_ack_pending),
                        text(declared.max_ack_pending),
                    ),
                ];
                Difference::collect(&object, settings, differences);
                // Where it begins cannot be changed, and was perhaps by a replay.
                ConsumerConfig { deliver_policy: found.deliver_policy, ..declared }
            }
        };
        if let (Some(stream), true) = (stream, changes && differences.len() > before) {
            let created = stream.create_consumer(config).await;
            created
                .map_err(|error| self.failure(&format!("consumer {name}: {}", chain(&error))))?;
        }
        Ok(())
    }
}

/// Returns the settings of a consumer, or `None` if it does not exist.
async fn consumer(stream: &Stream, name: &str) -> Result<Option<AnyConsumerConfig>, String> {
    match stream.consumer_info(name).await {
        Ok(info) => Ok(Some(info.config)),
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(chain(&error)),
    }
}

impl Difference {
    fn missing(object: String) -> Self {
        Self { object, setting: None, found: None, declared: None }
    }

    fn collect(object: &str, settings: impl IntoIterator<Item = Setting>, into: &mut Vec<Self>) {
        let differing = settings.into_iter().filter(|(_, found, declared)| found != declared);
        into.extend(differing.map(|(setting, found, declared)| Self {
            object: object.to_owned(),
            setting: Some(setting),
            found: Some(found),
            declared: Some(declared),
        }));
    }
}

fn text(value: impl Display) -> String {
    value.to_string()
}

/// A time in words; zero means without end.
fn age(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (0, 0) => "unlimited".to_owned(),
        (seconds, 0) if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        (seconds, 0) => format!("{seconds} s"),
        _ => format!("{} ms", time.as_millis()),
    }
}

fn ages(times: &[Duration]) -> String {
    match times {
        [] => "none".to_owned(),
        times => times.iter().copied().map(age).collect::<Vec<_>>().join(", "),
    }
}

fn count(number: i64) -> String {
    if number > 0 { number.to_string() } else { "unlimited".to_owned() }
}

fn size(bytes: i64) -> String {
    if bytes > 0 { format!("{bytes} B") } else { "unlimited".to_owned() }
}
