//! Storing events in JetStream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use machins_client::{AgentId, CancellationToken};

use crate::cloud_event::CloudEvent;
use crate::error::RelayError;
use crate::notice::{Interruption, Notice, OnNotice};
use crate::sink::{NotStored, Sink};
use crate::stream::{EventStream, Unusable};
use crate::subject::{message_id, partition, subject};

/// How long the server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The first and the longest wait before something is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The server's error for a message that is larger than the stream allows.
const MESSAGE_TOO_LARGE: u64 = 10_054;

/// A stream in JetStream.
pub(crate) struct Nats {
    context: Context,
    stream: EventStream,
    agent: AgentId,
    interruption: Interruption,
}

impl Nats {
    /// Connects, and creates the stream if it does not exist, as soon as that is possible. Returns
    /// `None` if it is stopped before.
    pub(crate) async fn open(
        address: &str,
        stream: &EventStream,
        agent: &AgentId,
        on_notice: &OnNotice,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, RelayError> {
        let address = server_address(address)?;
        let interruption = Interruption::new(Arc::clone(on_notice));
        let mut waits = Waits::new();
        let (context, window) = loop {
            match prepare(&address, stream, agent).await {
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
        let (stream, agent) = (stream.clone(), agent.clone());
        Ok(Some(Self { context, stream, agent, interruption }))
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn interruption(&self) -> &Interruption {
        &self.interruption
    }

    async fn publish(&self, event: &CloudEvent, json: &str) -> Result<(), PublishError> {
        let partition = partition(event.partition_key(), self.stream.partition_count());
        let message = PublishMessage::build()
            .message_id(message_id(&self.agent, &event.id))
            .expected_stream(self.stream.name())
            .payload(json.to_owned().into());
        let subject = subject(&self.agent, event.event_type(), partition);
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
                match self.stream.ensure(&self.context, &self.agent).await {
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
    async fn store(&self, event: &CloudEvent, stop: &CancellationToken) -> Result<(), NotStored> {
        let json = serde_json::to_string(event)
            .map_err(|error| NotStored::Kept(format!("it is not valid JSON: {error}")))?;
        let mut waits = Waits::new();
        loop {
            // Without a connection, the client would keep what is published, and publish it later.
            let client = self.context.client();
            let is_connected = client.connection_state() == State::Connected;
            let result = if is_connected {
                self.publish(event, &json).await
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
}

/// Reads the address of a server.
pub(crate) fn server_address(address: &str) -> Result<ServerAddr, RelayError> {
    let address: ServerAddr =
        address.parse().map_err(|error| RelayError::Nats(format!("{error}")))?;
    if address.host().is_empty() || address.is_websocket() {
        let reason = "write its address like nats://127.0.0.1:4222".to_owned();
        return Err(RelayError::Nats(reason));
    }
    Ok(address)
}

/// Connects, and creates the stream if it does not exist.
async fn prepare(
    address: &ServerAddr,
    stream: &EventStream,
    agent: &AgentId,
) -> Result<(Context, Option<Duration>), Unusable> {
    let mut options = ConnectOptions::new().name("machins relay").connection_timeout(ANSWER_LIMIT);
    if let (Some(user), Some(password)) = (address.username(), address.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    let client = options.connect(address.clone()).await.map_err(|error| {
        let reason = chain(&error);
        match error.kind() {
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation => Unusable::Ever(RelayError::Nats(reason)),
            _ => {
                let (host, port) = (address.host(), address.port());
                Unusable::Now(format!("cannot connect to NATS at {host}:{port}: {reason}"))
            }
        }
    })?;
    let mut context = jetstream::new(client);
    context.set_timeout(ANSWER_LIMIT);
    let window = stream.ensure(&context, agent).await?;
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

/// An error with its causes on one line. The address, which may hold a password, is in none of them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Growing waits between tries.
pub(crate) struct Waits(Duration);

impl Waits {
    pub(crate) fn new() -> Self {
        Self(FIRST_WAIT)
    }

    /// Waits before the next try. Returns false if it is stopped.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST_WAIT);
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}
