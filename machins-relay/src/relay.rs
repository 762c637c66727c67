//! From inboxes to a sink.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use machins_client::webhook::Webhook;
use machins_client::{AgentId, CancellationToken, Client, Error, Notification};
use tokio::io::AsyncWrite;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::cloud_event::CloudEvent;
use crate::connection::NatsConnection;
use crate::error::RelayError;
use crate::http::{HttpReceiver, Posts};
use crate::lease::Leases;
use crate::nats::Nats;
use crate::notice::{Notice, OnNotice};
use crate::replica::{Replica, renewal};
use crate::sink::{CONCURRENCY, NotStored, Sink};
use crate::source::Source;
use crate::stream::EventStream;
use crate::waits::Waits;
use crate::webhooks::{Received, Webhooks};
use crate::writer::Lines;

/// How long passing on the event of a webhook may take. The service waits ten seconds for the reply.
const ANSWER_TIME: Duration = Duration::from_secs(8);

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
    webhooks: Option<Webhooks>,
    on_notice: OnNotice,
}

impl Relay {
    /// Creates a relay for no agent yet.
    pub fn new() -> Self {
        Self {
            sources: Vec::new(),
            stop: CancellationToken::new(),
            poll_waits: None,
            lease_time: Duration::from_secs(10),
            webhooks: None,
            on_notice: Arc::new(|_| {}),
        }
    }

    /// Adds the agent whose key the client has. `agent` is that agent's id, as
    /// [`Wallet::agent_id`](machins_client::Wallet::agent_id) has it. There may be several: one with
    /// many events does not hold up the others.
    pub fn agent(mut self, client: &Client, agent: AgentId) -> Self {
        self.sources.push(Source::new(client.clone(), agent));
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

    /// Receives webhooks, too. One about a trade has the inbox fetched at once, by whichever replica
    /// reads it: only there has an event its id and its place. One of a new listing, request or agent,
    /// which is in no inbox, is passed on itself; wherever it is received, and however often, it is
    /// in the stream once.
    ///
    /// A webhook is answered with a status below 300 only after its event was stored, or the replica
    /// that reads the inbox was told. While that is not possible, it is answered with 503. The
    /// service does not send it again.
    pub fn webhooks(mut self, webhooks: Webhooks) -> Self {
        self.webhooks = Some(webhooks);
        self
    }

    /// Sets how long the lease of a replica that has disappeared lasts. Another one takes over after this
    /// time, or up to a third of it later. The first
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
    /// comes twice. Of several replicas, one reads an agent's inbox at a time, and each reads equally
    /// many inboxes.
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
        let opened = &OnceCell::new();
        let receive =
            |source, webhook| async move { self.receive(source, webhook, opened.get()).await };
        let pass_on = async {
            let agents = self.sources.iter().map(|source| source.agent.clone()).collect();
            let nats = Nats::open(connection, stream, agents, &self.on_notice, &self.stop);
            let Some(nats) = nats.await? else { return Ok(()) };
            let nats = opened.get_or_init(async || nats).await;
            let replica = Replica::new(
                nats.context(),
                nats.agents(),
                self.lease_time,
                stream.replica_count(),
            );
            let (replica, stop) = (&replica, self.stop.child_token());
            let passing_on = async {
                let result = self.for_each_agent(|source, stop| async move {
                    let result = self.pass_on_by_lease(source, nats, replica, &stop).await;
                    replica.lose(&source.agent);
                    result
                });
                let result = result.await;
                stop.cancel();
                result
            };
            tokio::join!(passing_on, replica.run(&stop)).0
        };
        self.with_webhooks(receive, Box::pin(pass_on)).await
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
        self.to_sink(&Lines::new(writer)).await
    }

    /// Posts the events to a receiver over HTTP until the relay is stopped. Returns when it is. An event
    /// is acknowledged after it was answered with a status from 200 to 299. Until then it is posted
    /// again, after growing waits; later events of the same trade wait for it. If it is refused, others
    /// do not, unless more than 1,000 are.
    ///
    /// # Errors
    /// Returns [`RelayError::Inbox`] if no inbox can be read any more and trying again would not help.
    pub async fn to_http(&self, receiver: &HttpReceiver) -> Result<(), RelayError> {
        self.to_sink(&Posts::new(receiver, Arc::clone(&self.on_notice))).await
    }

    /// Passes everything on to a sink that no other replica shares.
    async fn to_sink(&self, sink: &impl Sink) -> Result<(), RelayError> {
        let receive = |source, webhook| self.receive(source, webhook, Some(sink));
        let pass_on = self
            .for_each_agent(|source, stop| async move { self.pass_on(source, sink, &stop).await });
        self.with_webhooks(receive, pass_on).await
    }

    /// Receives webhooks for as long as something runs.
    async fn with_webhooks<'a, F>(
        &'a self,
        receive: impl Fn(&'a Source, Webhook) -> F,
        running: impl Future<Output = Result<(), RelayError>>,
    ) -> Result<(), RelayError>
    where
        F: Future<Output = Received>,
    {
        let Some(webhooks) = &self.webhooks else { return running.await };
        let stop = self.stop.child_token();
        let running = async {
            let result = running.await;
            stop.cancel();
            result
        };
        let receiving = webhooks.serve(&self.sources, receive, &self.on_notice, &stop);
        tokio::join!(running, receiving).0
    }

    /// Stores the event of a webhook, or has the inbox fetched in which it is. `sink` is `None` while there
    /// is no connection to it yet.
    async fn receive(
        &self,
        source: &Source,
        webhook: Webhook,
        sink: Option<&impl Sink>,
    ) -> Received {
        let agent = &source.agent;
        let not_yet = || Received::NotNow("there is no connection to NATS yet".to_owned());
        let Some(event) = CloudEvent::broadcast(&source.service(), agent, &webhook) else {
            let Some(sink) = sink else { return not_yet() };
            let announced = async { timeout(ANSWER_TIME, sink.announce(agent)).await == Ok(true) };
            return if source.wake() || announced.await {
                Received::Passed
            } else {
                Received::NotNow("the replica that reads the inbox cannot be reached".to_owned())
            };
        };
        let storing = async {
            let (sink, mut waits) = (sink?, Waits::new());
            loop {
                match sink.store(agent, &event, &self.stop).await {
                    Err(NotStored::Refused(_)) if waits.wait(&self.stop).await => {}
                    result => return Some(result),
                }
            }
        };
        let received = match timeout(ANSWER_TIME, storing).await {
            Ok(Some(Ok(()))) => return Received::Passed,
            Ok(Some(Err(NotStored::Kept(reason)))) => Received::Never(reason),
            Ok(Some(Err(NotStored::Refused(reason)))) => Received::NotNow(reason),
            Ok(Some(Err(NotStored::Stopped))) => {
                Received::NotNow("the relay was stopped".to_owned())
            }
            Ok(Some(Err(NotStored::Ended(error)))) => Received::NotNow(error.to_string()),
            Ok(None) => not_yet(),
            Err(_) => Received::NotNow("it could not be stored in time".to_owned()),
        };
        let reason = format!("{}: {}", event.id, received.reason());
        (self.on_notice)(&Notice::WebhookLost(agent.clone(), reason));
        received
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
        replica: &Replica<'_>,
        stop: &CancellationToken,
    ) -> Result<(), RelayError> {
        let leases = Leases::new(replica, &source.agent);
        let mut reached: Option<Instant> = None;
        while !stop.is_cancelled() {
            let acquired = leases.acquire(nats.interruption(), &self.on_notice, stop);
            let Some(mut lease) = acquired.await else { break };
            let term = stop.child_token();
            let time = lease.time();
            source.begin(reached.take().is_some_and(|at| at.elapsed() < renewal(time)));
            let passing = async {
                let result = self.pass_on(source, nats, &term).await;
                term.cancel();
                result
            };
            let keeping = async {
                let is_unreachable = tokio::select! {
                    () = lease.keep() => false,
                    () = source.unreachable(time) => true,
                    () = nats.on_announcement(source) => false,
                    () = term.cancelled() => false,
                };
                term.cancel();
                is_unreachable
            };
            let (result, is_unreachable) = tokio::join!(passing, keeping);
            lease.release().await;
            result?;
            if is_unreachable {
                (self.on_notice)(&Notice::Unreachable(source.agent.clone()));
                replica.lose(&source.agent);
                let report = |error: &Error| {
                    (self.on_notice)(&Notice::InboxFailed(source.agent.clone(), error.clone()));
                };
                source.reachable(report, stop).await;
                replica.regain(&source.agent);
                reached = Some(Instant::now());
            }
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
        let agent = &source.agent;
        let stop = &stop.child_token();
        let stopping = stop.clone();
        let mut watch = source
            .client
            .inbox_watch()
            .stop(stop.clone())
            .concurrency(CONCURRENCY)
            .on_page(source.on_page())
            .on_error({
                let (on_notice, agent) = (Arc::clone(&self.on_notice), agent.clone());
                let fails = source.on_error();
                move |error| {
                    fails(error);
                    on_notice(&Notice::InboxFailed(agent.clone(), error.clone()));
                }
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
        watch = match sink.retry_waits() {
            Some((first, longest)) => watch.max_attempts(u32::MAX).retry_waits(first, longest),
            // The sink tries again by itself.
            None => watch.max_attempts(1),
        };
        if let Some((shortest, longest)) = self.poll_waits {
            watch = watch.every(shortest, longest);
        }
        let failure = Mutex::new(None);
        let service = source.service();
        let _reading = source.reads(watch.waker());
        let store = async |notification: Notification| {
            let event = CloudEvent::new(&service, agent, &notification);
            match sink.store(agent, &event, stop).await {
                Ok(()) => Ok(()),
                Err(NotStored::Kept(reason) | NotStored::Refused(reason)) => Err(reason),
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
