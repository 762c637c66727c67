//! Storing events in JetStream.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;
use machins_client::{AgentId, CancellationToken};
use tokio::sync::Semaphore;

use crate::cloud_event::CloudEvent;
use crate::connection::NatsConnection;
use crate::error::{RelayError, Unusable, chain};
use crate::notice::{Interruption, Notice, OnNotice};
use crate::sink::{CONCURRENCY, NotStored, Sink, to_json};
use crate::source::Source;
use crate::stream::EventStream;
use crate::subject::{message_id, partition, subject, wake_subject};
use crate::waits::Waits;

/// The server's error for a message that is larger than the stream allows.
const MESSAGE_TOO_LARGE: u64 = 10_054;

/// A stream in JetStream.
pub(crate) struct Nats {
    context: Context,
    stream: EventStream,
    agents: Vec<AgentId>,
    interruption: Interruption,
    /// One for each event that is being stored. Who waits longest is the next, so that an agent with
    /// many events does not hold up the others.
    slots: Semaphore,
}

impl Nats {
    /// Connects, and creates the stream if it does not exist, as soon as that is possible. Returns
    /// `None` if it is stopped before.
    pub(crate) async fn open(
        connection: &NatsConnection,
        stream: &EventStream,
        agents: Vec<AgentId>,
        on_notice: &OnNotice,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, RelayError> {
        let interruption = Interruption::new(Arc::clone(on_notice));
        let mut waits = Waits::new();
        let (context, window) = loop {
            match prepare(connection, stream, &agents).await {
                Ok(ready) => break ready,
                Err(Unusable::Ever(error)) => return Err(error),
                Err(Unusable::Now(reason)) => interruption.begin(|| reason),
            }
            if !waits.wait(stop).await {
                return Ok(None);
            }
        };
        interruption.end();
        if let Some(window) = window {
            on_notice(&Notice::ShortDuplicateWindow(window));
        }
        let (stream, slots) = (stream.clone(), Semaphore::new(CONCURRENCY));
        Ok(Some(Self { context, stream, agents, interruption, slots }))
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn agents(&self) -> &[AgentId] {
        &self.agents
    }

    pub(crate) fn interruption(&self) -> &Interruption {
        &self.interruption
    }

    /// Has the inbox of an agent fetched each time that another replica says that there is something
    /// new in it.
    pub(crate) async fn on_announcement(&self, source: &Source) {
        let subject = wake_subject(&source.agent);
        // Without it, a webhook that another replica receives has to wait for the next look.
        if let Ok(mut announcements) = self.context.client().subscribe(subject).await {
            while announcements.next().await.is_some() {
                source.wake();
            }
        }
        pending::<()>().await;
    }

    async fn publish(
        &self,
        agent: &AgentId,
        event: &CloudEvent,
        json: &str,
    ) -> Result<(), PublishError> {
        // It is never closed.
        let _slot = self.slots.acquire().await;
        let partition = partition(event.partition_key(), self.stream.partition_count());
        let message = PublishMessage::build()
            .message_id(message_id(agent, &event.id))
            .expected_stream(self.stream.name())
            .payload(json.to_owned().into());
        let subject = subject(agent, event.event_type(), partition);
        // Duplicates are confirmed, too.
        self.context.send_publish(subject, message).await?.await.map(drop)
    }

    /// Prepares for another try. Returns why storing failed if another try may help.
    async fn recover(&self, error: &PublishError) -> Result<String, NotStored> {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                return Err(NotStored::Kept("it is larger than NATS takes".to_owned()));
            }
            PublishErrorKind::Other
                if server_error(error) == Some(ErrorCode(MESSAGE_TOO_LARGE)) =>
            {
                return Err(NotStored::Kept("it is larger than the stream takes".to_owned()));
            }
            // The server has lost the stream. Events that were in it are gone, and not these.
            PublishErrorKind::StreamNotFound => {
                match self.stream.ensure(&self.context, &self.agents).await {
                    Ok(_) => {}
                    Err(Unusable::Ever(error)) => return Err(NotStored::Ended(error)),
                    Err(Unusable::Now(reason)) => return Ok(reason),
                }
            }
            _ => {}
        }
        let client = self.context.client();
        if client.connection_state() == State::Connected {
            return Ok(chain(error));
        }
        if is_closed(&client).await {
            let reason = "NATS does not accept the connection any more".to_owned();
            return Err(NotStored::Ended(RelayError::Nats(reason)));
        }
        Ok("the connection to NATS is interrupted".to_owned())
    }
}

impl Sink for Nats {
    async fn store(
        &self,
        agent: &AgentId,
        event: &CloudEvent,
        stop: &CancellationToken,
    ) -> Result<(), NotStored> {
        let json = to_json(event)?;
        let mut waits = Waits::new();
        loop {
            // Without a connection, the client would keep what is published, and publish it later.
            let client = self.context.client();
            let is_connected = client.connection_state() == State::Connected;
            let result = if is_connected {
                self.publish(agent, event, &json).await
            } else {
                Err(PublishError::new(PublishErrorKind::BrokenPipe))
            };
            let Err(error) = result else {
                self.interruption.end();
                return Ok(());
            };
            let reason = self.recover(&error).await?;
            self.interruption.begin(|| reason);
            if !waits.wait(stop).await {
                return Err(NotStored::Stopped);
            }
        }
    }

    async fn announce(&self, agent: &AgentId) -> bool {
        let client = self.context.client();
        client.connection_state() == State::Connected
            && client.publish(wake_subject(agent), Bytes::new()).await.is_ok()
            && client.flush().await.is_ok()
    }
}

/// Connects, and creates the stream if it does not exist.
async fn prepare(
    connection: &NatsConnection,
    stream: &EventStream,
    agents: &[AgentId],
) -> Result<(Context, Option<Duration>), Unusable> {
    let context = connection.connect().await?;
    let window = stream.ensure(&context, agents).await?;
    Ok((context, window))
}

/// Whether the client has given up. Otherwise it answers only once it is connected.
async fn is_closed(client: &Client) -> bool {
    matches!(tokio::time::timeout(Duration::ZERO, client.flush()).await, Ok(Err(_)))
}

/// The error that the server answered.
fn server_error(error: &PublishError) -> Option<ErrorCode> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<jetstream::Error>()?.error_code())
}
