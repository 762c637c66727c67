//! From inboxes to a sink.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use machins_client::{AgentId, CancellationToken, Client, Notification};
use tokio::io::AsyncWrite;

use crate::cloud_event::CloudEvent;
use crate::connection::NatsConnection;
use crate::error::RelayError;
use crate::lease::Leases;
use crate::nats::Nats;
use crate::notice::{Notice, OnNotice};
use crate::sink::{CONCURRENCY, NotStored, Sink};
use crate::stream::EventStream;
use crate::writer::Lines;

/// Passes the events of agents' inboxes on, oldest first, and acknowledges each after it was stored.
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
/// let relay = Relay::new().agent(&seller, agent).stop(stop.clone());
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
    sources: Vec<Source>,
    stop: CancellationToken,
    poll_waits: Option<(Duration, Duration)>,
    lease_time: Duration,
    on_notice: OnNotice,
}

/// An agent and the client that reads its inbox.
struct Source {
    client: Client,
    agent: AgentId,
}

impl Relay {
    /// Creates a relay for no agent yet.
    pub fn new() -> Self {
        Self {
            sources: Vec::new(),
            stop: CancellationToken::new(),
            poll_waits: None,
            lease_time: Duration::from_secs(10),
            on_notice: Arc::new(|_| {}),
        }
    }

    /// Adds the agent whose key the client has. `agent` is that agent's id, as
    /// [`Wallet::agent_id`](machins_client::Wallet::agent_id) has it. There may be several: one with
    /// many events does not hold up the others.
    pub fn agent(mut self, client: &Client, agent: AgentId) -> Self {
        self.sources.push(Source { client: client.clone(), agent });
        self
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
    /// The stream is created if it does not exist. Each event has the subject
    /// `machins.AGENT.EVENT.PARTITION` and a message id, by which the stream recognizes it if it
    /// comes twice. Of several replicas, one reads an agent's inbox at a time.
    ///
    /// # Errors
    /// Returns [`RelayError::Inbox`] if no inbox can be read any more and trying again would not help,
    /// [`RelayError::Nats`] if NATS refuses the credentials, and [`RelayError::Stream`] if the stream
    /// cannot be created or does not fit. Everything else is waited out.
    pub async fn to_nats(
        &self,
        connection: &NatsConnection,
        stream: &EventStream,
    ) -> Result<(), RelayError> {
        let agents = self.sources.iter().map(|source| source.agent.clone()).collect();
        let opened = Nats::open(connection, stream, agents, &self.on_notice, &self.stop);
        let Some(nats) = opened.await? else { return Ok(()) };
        let nats = &nats;
        self.for_each_agent(|source, stop| async move {
            let (context, replicas) = (nats.context(), stream.replica_count());
            let leases = Leases::new(context, &source.agent, self.lease_time, replicas);
            self.pass_on_by_lease(source, nats, &leases, &stop).await
        })
        .await
    }

    /// Writes the events, one a line, until the relay is stopped. Returns when it is. An event is
    /// acknowledged after the writer was flushed.
    ///
    /// # Errors
    /// Returns [`RelayError::Inbox`] if no inbox can be read any more and trying again would not help,
    /// and [`RelayError::Writer`] if writing fails.
    pub async fn to_writer<W>(&self, writer: W) -> Result<(), RelayError>
    where
        W: AsyncWrite + Send + Unpin,
    {
        let lines = &Lines::new(writer);
        self.for_each_agent(|source, stop| async move { self.pass_on(source, lines, &stop).await })
            .await
    }

    /// Runs something for each agent at the same time, until all have ended. One agent whose inbox
    /// cannot be read ends alone. Every other error ends all.
    async fn for_each_agent<'a, F>(
        &'a self,
        run: impl Fn(&'a Source, CancellationToken) -> F,
    ) -> Result<(), RelayError>
    where
        F: Future<Output = Result<(), RelayError>>,
    {
        let stop = self.stop.child_token();
        let start = |source: &'a Source| {
            let running = run(source, stop.clone());
            async move { (source, running.await) }
        };
        let mut running: FuturesUnordered<_> = self.sources.iter().map(start).collect();
        let mut end = Ok(());
        while let Some((source, result)) = running.next().await {
            match result {
                Ok(()) => {}
                Err(RelayError::Inbox(error)) if !running.is_empty() => {
                    (self.on_notice)(&Notice::InboxLost(source.agent.clone(), error));
                }
                Err(error) => {
                    stop.cancel();
                    // The first is the cause.
                    end = end.and(Err(error));
                }
            }
        }
        end
    }

    /// Passes events of an agent on whenever this replica has the lease, until it is stopped.
    async fn pass_on_by_lease(
        &self,
        source: &Source,
        nats: &Nats,
        leases: &Leases<'_>,
        stop: &CancellationToken,
    ) -> Result<(), RelayError> {
        while !stop.is_cancelled() {
            let acquired = leases.acquire(nats.interruption(), &self.on_notice, stop);
            let Some(mut lease) = acquired.await else { break };
            let term = stop.child_token();
            let passing = async {
                let result = self.pass_on(source, nats, &term).await;
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

    /// Passes events of an agent on until it is stopped.
    async fn pass_on(
        &self,
        source: &Source,
        sink: &impl Sink,
        stop: &CancellationToken,
    ) -> Result<(), RelayError> {
        let Source { client, agent } = source;
        let stop = &stop.child_token();
        let stopping = stop.clone();
        let mut watch = client
            .inbox_watch()
            .stop(stop.clone())
            .concurrency(CONCURRENCY)
            // The sink tries again by itself.
            .max_attempts(1)
            .on_error({
                let (on_notice, agent) = (Arc::clone(&self.on_notice), agent.clone());
                move |error| on_notice(&Notice::InboxFailed(agent.clone(), error.clone()))
            })
            .on_parked({
                let (on_notice, agent) = (Arc::clone(&self.on_notice), agent.clone());
                move |parked| {
                    // What was not stored before the end comes again.
                    if !stopping.is_cancelled() {
                        on_notice(&Notice::Kept(agent.clone(), Box::new(parked.clone())));
                    }
                }
            });
        if let Some((shortest, longest)) = self.poll_waits {
            watch = watch.every(shortest, longest);
        }
        let failure = Mutex::new(None);
        let service = client.transport().base_url().to_string();
        let store = async |notification: Notification| {
            let event = CloudEvent::new(&service, agent, &notification);
            match sink.store(agent, &event, stop).await {
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

impl Default for Relay {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents: Vec<&AgentId> = self.sources.iter().map(|source| &source.agent).collect();
        f.debug_struct("Relay").field("agents", &agents).finish_non_exhaustive()
    }
}
