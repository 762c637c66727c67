//! Getting events that are in the stream again.

use std::time::SystemTime;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{DeliverPolicy, FromConsumer};
use futures_util::TryStreamExt;
use tokio::io::AsyncWrite;

use crate::cloud_event::CloudEvent;
use crate::error::{RelayError, chain};
use crate::messages::read_all;
use crate::sink::NotStored;
use crate::stream_admin::StreamAdmin;
use crate::writer::Lines;

impl StreamAdmin {
    /// Writes the events that the stream has since a time, one a line, in the order of the stream, and
    /// returns their number. Ends with the newest one that there is at the beginning. What is in the
    /// stream and is no CloudEvents JSON is left out.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if the stream cannot be read, and [`RelayError::Writer`] if writing
    /// fails.
    pub async fn replay_to_writer<W>(&self, since: SystemTime, writer: W) -> Result<u64, RelayError>
    where
        W: AsyncWrite + Send + Unpin,
    {
        let lines = Lines::new(writer);
        let failed = |error: String| self.failure(&error);
        let stream = self.stream().await?;
        let mut messages = read_all(&stream, Some(since));
        let mut count = 0;
        while let Some(message) = messages.next().await.map_err(failed)? {
            let Ok(event) = serde_json::from_slice::<CloudEvent>(&message.payload) else {
                continue;
            };
            match lines.write(&event).await {
                Ok(()) => count += 1,
                Err(NotStored::Ended(error)) => return Err(error),
                Err(NotStored::Kept(_) | NotStored::Refused(_) | NotStored::Stopped) => {}
            }
        }
        Ok(count)
    }

    /// Has the consumers of a group, `workers-0`, `workers-1` and so on for `workers`, get the events
    /// since a time again, and returns their number. Each is removed and created anew: events that a worker
    /// has and did not acknowledge yet come again as well. If this process ends in between,
    /// [`set_up`](Self::set_up) creates the missing one.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if there are no such consumers, or if NATS refuses the change.
    pub async fn rewind(&self, group: &str, since: SystemTime) -> Result<usize, RelayError> {
        let stream = self.stream().await?;
        let failed = |error: &dyn std::error::Error| self.failure(&chain(error));
        let consumers: Vec<_> =
            stream.consumers().try_collect().await.map_err(|error| failed(&error))?;
        let is_of_group = |name: &str| {
            let number = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('-'));
            number.is_some_and(|number| number.parse::<u16>().is_ok())
        };
        let mut count = 0;
        for info in consumers {
            let is_named = info.name == group || is_of_group(&info.name);
            let Some(name) = info.config.durable_name.clone().filter(|_| is_named) else {
                continue;
            };
            let found = Config::try_from_consumer_config(info.config);
            let config = Config {
                deliver_policy: DeliverPolicy::ByStartTime { start_time: since.into() },
                ..found.map_err(|error| self.failure(&format!("consumer {name}: {error}")))?
            };
            stream.delete_consumer(&name).await.map_err(|error| failed(&error))?;
            stream.create_consumer(config).await.map_err(|error| failed(&error))?;
            count += 1;
        }
        if count == 0 {
            return Err(self.failure(&format!("it has no consumer {group}")));
        }
        Ok(count)
    }
}
