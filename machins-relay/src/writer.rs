//! Writing events, one a line.

use machins_client::{AgentId, CancellationToken};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use crate::cloud_event::CloudEvent;
use crate::error::RelayError;
use crate::sink::{NotStored, Sink, to_json};

/// A writer that gets each event as a line of JSON.
pub(crate) struct Lines<W>(Mutex<W>);

impl<W> Lines<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self(Mutex::new(writer))
    }
}

impl<W: AsyncWrite + Send + Unpin> Lines<W> {
    /// Writes an event, and flushes it.
    pub(crate) async fn write(&self, event: &CloudEvent) -> Result<(), NotStored> {
        let mut line = to_json(event)?;
        line.push('\n');
        let mut writer = self.0.lock().await;
        let written = async {
            writer.write_all(line.as_bytes()).await?;
            writer.flush().await
        };
        written.await.map_err(|error| NotStored::Ended(RelayError::Writer(error)))
    }
}

impl<W: AsyncWrite + Send + Unpin> Sink for Lines<W> {
    async fn store(
        &self,
        _agent: &AgentId,
        event: &CloudEvent,
        _stop: &CancellationToken,
    ) -> Result<(), NotStored> {
        self.write(event).await
    }
}
