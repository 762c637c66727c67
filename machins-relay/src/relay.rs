//! From the inbox to a sink.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use machins_client::{AgentId, CancellationToken, Client, Notification};
use tokio::io::AsyncWrite;

use crate::cloud_event::CloudEvent;
use crate::error::RelayError;
use crate::lease::Leases;
use crate::nats::Nats;
use crate::notice::{Notice, OnNotice};
use crate::sink::{NotStored, Sink};
use crate::stream::EventStream;
use crate::writer::Lines;

/// The number of events that are stored at the same time, at most. Those of one trade follow each
/// other.
const CONCURRENCY: usize = 64;

/// Passes the events of an agent's inbox on, oldest first, and acknowledges each after it was stored.
///
/// ```
/// use machins_client::{CancellationToken, Client, Proposal};
/// use machins_relay::{CloudEvent, Relay};
/// use tokio::io::{AsyncBufReadExt, BufReader, duplex};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
///
/// let (stop, (reader, writer)) = (CancellationToken::new(), duplex(4096));
/// let agent = seller.get_wallet().await?.agent_id.expect("a wallet names its agent");
/// let relay = Relay::new(&seller, agent).stop(stop.clone());
/// let read = async {
///     let line = BufReader::new(reader).lines().next_line().await;
///     stop.cancel();
///     line
/// };
/// let (ended, line) = tokio::join!(relay.to_writer(writer), read);
/// ended?;
/// let event: CloudEvent = serde_json::from_str(&line?.expect("an event"))?;
/// assert_eq!(event.event_type(), "trade_proposed");
/// assert_eq!(event.subject.as_deref(), Some(trade.id.as_str()));
/// # Ok(()) });
/// ```
#[must_use = "nothing is passed on before it is told where to"]
pub struct Relay {
    client: Client,
    agent: AgentId,
    stop: CancellationToken,
    poll_waits: Option<(Duration, Duration)>,
    lease_time: Duration,
    on_notice: OnNotice,
}

impl Relay {
    /// Creates a relay for the agent whose key the client has. `agent` is that agent's id, as
    /// [`Wallet::agent_id`](machins_client::Wallet::agent_id) has it.
    pub fn new(client: &Client, agent: AgentId) -> Self {
        Self {
            client: client.clone(),
            agent,
            stop: CancellationToken::new(),
            poll_waits: None,
            lease_time: Duration::from_secs(10),
            on_notice: Arc::new(|_| {}),
        }
    }

    /// Sets a token that ends the relay when it is cancelled. What is stored by then is acknowledged.
    pub fn stop(mut self, token: CancellationToken) -> Self {
        self.stop = token;
        self
    }

    /// Sets the shortest and the longest wait before an empty inbox is fetched again. The default is
    /// that of [`InboxWatch::every`](machins_client::InboxWatch::every).
    pub fn every(mut self, shortest: Duration, longest: Duration) -> Self {
        self.poll_waits = Some((shortest, longest));
        self
    }

    /// Sets after what time another replica takes over from one that has disappeared. The first
    /// replica on a NATS server decides for all. The default is 10 seconds.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// Sets a callback that gets the notices.
    pub fn on_notice(mut self, callback: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.on_notice = Arc::new(callback);
        self
    }

    /// Stores the events in a stream of NATS JetStream until the relay is stopped. Returns when it is.
    ///
    /// `address` is a URL such as `nats://127.0.0.1:4222` or `tls://user:password@nats.example`. The
    /// stream is created if it does not exist. Each event has the subject
    /// `machins.AGENT.EVENT.PARTITION` and a message id, by which the stream recognizes it if it
    /// comes twice. Of several replicas, one reads the inbox at a time.
    ///
    /// # Errors
    /// Returns [`RelayError::Inbox`] if the inbox cannot be read and trying again would not help,
    /// [`RelayError::Nats`] if the address is invalid or NATS refuses the credentials, and
    /// [`RelayError::Stream`] if the stream cannot be created or does not fit. Everything else is
    /// waited out.
    pub async fn to_nats(&self, address: &str, stream: &EventStream) -> Result<(), RelayError> {
        let opened = Nats::open(address, stream, &self.agent, &self.on_notice, &self.stop);
        let Some(nats) = opened.await? else { return Ok(()) };
        let leases =
            Leases::new(nats.context(), &self.agent, self.lease_time, stream.replica_count());
        while !self.stop.is_cancelled() {
            let acquired = leases.acquire(nats.interruption(), &self.on_notice, &self.stop);
            let Some(mut lease) = acquired.await else { break };
            let term = self.stop.child_token();
            let passing = async {
                let result = self.pass_on(&nats, &term).await;
                term.cancel();
                result
            };
            let keeping = async {
                tokio::select! {
                    () = lease.keep() => term.cancel(),
                    () = term.cancelled() => {}
                }
            };
            let (result, ()) = tokio::join!(passing, keeping);
            lease.release().await;
            result?;
        }
        Ok(())
    }

    /// Writes the events, one a line, until the relay is stopped. Returns when it is. An event is
    /// acknowledged after the writer was flushed.
    ///
    /// # Errors
    /// Returns [`RelayError::Inbox`] if the inbox cannot be read and trying again would not help, and
    /// [`RelayError::Writer`] if writing fails.
    pub async fn to_writer<W>(&self, writer: W) -> Result<(), RelayError>
    where
        W: AsyncWrite + Send + Unpin,
    {
        self.pass_on(&Lines::new(writer), &self.stop.child_token()).await
    }

    /// Passes events on until it is stopped.
    async fn pass_on(&self, sink: &impl Sink, stop: &CancellationToken) -> Result<(), RelayError> {
        let (on_error, on_parked) = (Arc::clone(&self.on_notice), Arc::clone(&self.on_notice));
        let stopping = stop.clone();
        let mut watch = self
            .client
            .inbox_watch()
            .stop(stop.clone())
            .concurrency(CONCURRENCY)
            // The sink tries again by itself.
            .max_attempts(1)
            .on_error(move |error| on_error(&Notice::InboxFailed(error.clone())))
            .on_parked(move |parked| {
                // What was not stored before the end comes again.
                if !stopping.is_cancelled() {
                    on_parked(&Notice::Kept(Box::new(parked.clone())));
                }
            });
        if let Some((shortest, longest)) = self.poll_waits {
            watch = watch.every(shortest, longest);
        }
        let failure = Mutex::new(None);
        let service = self.client.transport().base_url().to_string();
        let store = async |notification: Notification| {
            let event = CloudEvent::new(&service, &self.agent, &notification);
            match sink.store(&event, stop).await {
                Ok(()) => Ok(()),
                Err(NotStored::Kept(reason)) => Err(reason),
                Err(NotStored::Stopped) => Err("the relay was stopped".to_owned()),
                Err(NotStored::Ended(error)) => {
                    stop.cancel();
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    Err("the relay has ended".to_owned())
                }
            }
        };
        watch.run(store).await.map_err(RelayError::Inbox)?;
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("agent", &self.agent).finish_non_exhaustive()
    }
}
