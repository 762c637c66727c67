//! Workers that share the events of a stream.

mod dead_letter;
mod deferrals;
pub(crate) mod effects;
mod notice;
pub(crate) mod received;

use std::fmt::{self, Display};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config as ConsumerConfig;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{AckKind, Context, Message};
use futures_util::{StreamExt, future};
use machins_client::CancellationToken;

use self::dead_letter::DeadLetters;
use self::deferrals::Deferrals;
pub use self::notice::WorkerNotice;
use self::received::{Handled, ReceivedEvent};
use crate::error::{RelayError, chain};
use crate::stream::EventStream;
use crate::waits::Waits;

/// How long a worker waits for an event before it asks again.
const FETCH_LIMIT: Duration = Duration::from_secs(20);

/// A member of a group of workers, of which each event of a stream is handled by one.
///
/// Any number of processes on any number of machines may run a worker of the same group. Those events
/// that have a partition in common, such as all of a trade, are handled one after the other, in the order
/// of the stream, whichever worker handles them. A worker that ends or is killed leaves its events to the
/// others after the [ack wait](Self::ack_wait), so that an event may be handled twice:
/// [`Effects`](crate::Effects) remembers what is done.
///
/// ```
/// use async_nats::jetstream;
/// use machins_client::{CancellationToken, Event};
/// use machins_relay::{EventStream, Handled, Worker};
///
/// # test_support::machins(async |_: test_support::Marketplace<_>| {
/// # let Some(nats) = test_support::NatsServer::start(&[]) else { return Ok(()) };
/// # let url = nats.url();
/// let context = jetstream::new(async_nats::connect(url).await?);
/// # context.create_stream(jetstream::stream::Config {
/// #     name: "EVENTS".to_owned(), subjects: vec!["machins.>".to_owned()], ..Default::default()
/// # }).await?;
/// let stop = CancellationToken::new();
/// let worker = Worker::new("billing", &EventStream::new("EVENTS")?)?.stop(stop.clone());
/// # stop.cancel();
/// worker
///     .run(&context, async |received| {
///         if let Event::TradeProposed(trade) = received.typed() {
///             println!("{} for {:?}", trade.trade_id, trade.price);
///         }
///         Ok::<_, std::convert::Infallible>(Handled::Done)
///     })
///     .await?;
/// # Ok(()) });
/// ```
#[must_use = "nothing is received before it runs"]
pub struct Worker {
    group: String,
    stream: EventStream,
    stop: CancellationToken,
    ack_wait: Duration,
    max_attempts: u64,
    retry_waits: (Duration, Duration),
    on_notice: OnNotice,
}

type OnNotice = Arc<dyn Fn(&WorkerNotice) + Send + Sync>;

impl Worker {
    /// Creates a worker of a group. The number of partitions is that of the stream, if the relay has
    /// created it, and otherwise that of the description.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if the name of the group is not allowed as that of a stream.
    pub fn new(group: impl Into<String>, stream: &EventStream) -> Result<Self, RelayError> {
        let group = group.into();
        EventStream::new(&*group)?;
        Ok(Self {
            group,
            stream: stream.clone(),
            stop: CancellationToken::new(),
            ack_wait: Duration::from_secs(30),
            max_attempts: 5,
            retry_waits: (Duration::from_secs(1), Duration::from_mins(1)),
            on_notice: Arc::new(|_| {}),
        })
    }

    /// Sets a token that ends the worker when it is cancelled. Events that are being handled are handled
    /// to their end.
    pub fn stop(mut self, token: CancellationToken) -> Self {
        self.stop = token;
        self
    }

    /// Sets after what time the events of a worker that has disappeared are given to others. While an
    /// event is being handled, the worker asks for more time by itself. The first worker of a group
    /// decides for all. The default is 30 seconds.
    pub fn ack_wait(mut self, time: Duration) -> Self {
        self.ack_wait = time;
        self
    }

    /// Sets how often an event may fail, or end its worker, before it goes to the dead letters. The
    /// default is 5.
    pub fn max_attempts(mut self, attempts: u64) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the first and the longest wait before an event that has failed is tried again. The wait
    /// doubles each time. The default is one second, and at most one minute.
    pub fn retry_waits(mut self, first: Duration, longest: Duration) -> Self {
        self.retry_waits = (first, longest);
        self
    }

    /// Sets a callback that gets the notices.
    pub fn on_notice(mut self, callback: impl Fn(&WorkerNotice) + Send + Sync + 'static) -> Self {
        self.on_notice = Arc::new(callback);
        self
    }

    /// Gives events to `handle`, one of a partition at a time and those of different partitions at the
    /// same time, until the worker is stopped. Returns when it is.
    ///
    /// If `handle` returns an error, the event is tried again, and later ones of its partition wait for
    /// it. After [`max_attempts`](Self::max_attempts) it goes to the dead letters: the stream
    /// `STREAM-dead`, with the subject `machins-dead.AGENT.EVENT.PARTITION` and the reason in the header
    /// `Machins-Dead-Reason`. An event that ends the process counts as well.
    ///
    /// # Errors
    /// Returns [`RelayError::Stream`] if a consumer of the group exists that does not fit: it would not
    /// keep the order. Everything else is waited out.
    pub async fn run<H, F, E>(&self, context: &Context, handle: H) -> Result<(), RelayError>
    where
        H: Fn(ReceivedEvent) -> F + Sync,
        F: Future<Output = Result<Handled, E>> + Send,
        E: Display + Send,
    {
        let mut waits = Waits::new();
        let (stream, partitions) = loop {
            match self.stream.find_partitions(context).await {
                Ok(found) => break found,
                Err(reason) => self.tell(&WorkerNotice::Interrupted(reason)),
            }
            if !waits.wait(&self.stop).await {
                return Ok(());
            }
        };
        let (stream, handle) = (&stream, &handle);
        let partitions = (0..partitions.get())
            .map(|partition| self.run_partition(context, stream, partition, handle));
        future::try_join_all(partitions).await.map(drop)
    }

    async fn run_partition<H, F, E>(
        &self,
        context: &Context,
        stream: &Stream,
        partition: u16,
        handle: &H,
    ) -> Result<(), RelayError>
    where
        H: Fn(ReceivedEvent) -> F + Sync,
        F: Future<Output = Result<Handled, E>> + Send,
        E: Display + Send,
    {
        let mut waits = Waits::new();
        while !self.stop.is_cancelled() {
            let Err(reason) = self.receive(context, stream, partition, handle, &mut waits).await?
            else {
                break;
            };
            self.tell(&WorkerNotice::Interrupted(reason));
            waits.wait(&self.stop).await;
        }
        Ok(())
    }

    /// Receives events until the worker is stopped, or until something does not work for now.
    async fn receive<H, F, E>(
        &self,
        context: &Context,
        stream: &Stream,
        partition: u16,
        handle: &H,
        waits: &mut Waits,
    ) -> Result<Result<(), String>, RelayError>
    where
        H: Fn(ReceivedEvent) -> F + Sync,
        F: Future<Output = Result<Handled, E>> + Send,
        E: Display + Send,
    {
        let config = &stream.cached_info().config;
        let consumer = match self.consumer(stream, partition).await? {
            Ok(consumer) => consumer,
            Err(reason) => return Ok(Err(reason)),
        };
        let places = async {
            let dead_letters = DeadLetters::open(context, config).await?;
            Ok((dead_letters, Deferrals::open(context, config.num_replicas).await?))
        };
        let (dead_letters, deferrals) = match places.await {
            Ok(places) => places,
            Err(reason) => return Ok(Err(reason)),
        };
        let places = Places { dead_letters, deferrals, ack_wait: ack_wait(&consumer) };
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Ok(())),
                next = next(&consumer) => next,
            };
            let handled = match next {
                Ok(Some(message)) => self.handle(&message, &places, handle).await,
                Ok(None) => Ok(()),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = handled {
                return Ok(Err(reason));
            }
            *waits = Waits::new();
        }
    }

    /// Opens the consumer of a partition, which all workers of the group share, or creates it.
    async fn consumer(
        &self,
        stream: &Stream,
        partition: u16,
    ) -> Result<Result<PullConsumer, String>, RelayError> {
        let name = format!("{}-{partition}", self.group);
        let config = ConsumerConfig {
            durable_name: Some(name.clone()),
            description: Some(format!("machins worker, partition {partition}")),
            filter_subject: format!("machins.*.*.{partition}"),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // One at a time, so that the order stays.
            max_ack_pending: 1,
            ..ConsumerConfig::default()
        };
        let wanted = config.clone();
        let consumer: PullConsumer = match stream.get_or_create_consumer(&name, config).await {
            Ok(consumer) => consumer,
            Err(error) => return Ok(Err(chain(&error))),
        };
        let found = &consumer.cached_info().config;
        let fits = found.max_ack_pending == 1
            && found.filter_subject == wanted.filter_subject
            && found.ack_policy == AckPolicy::Explicit
            && found.max_deliver <= 0;
        if fits {
            return Ok(Ok(consumer));
        }
        let reason = format!(
            "its consumer {name} exists and does not keep the order: it needs the filter {}, explicit acknowledgements, max_ack_pending 1 and no max_deliver",
            wanted.filter_subject
        );
        Err(RelayError::Stream { name: self.stream.name().to_owned(), reason })
    }

    /// Gives an event to the handler, and the result to the server.
    async fn handle<H, F, E>(
        &self,
        message: &Message,
        places: &Places<'_>,
        handle: &H,
    ) -> Result<(), String>
    where
        H: Fn(ReceivedEvent) -> F + Sync,
        F: Future<Output = Result<Handled, E>> + Send,
        E: Display + Send,
    {
        let received = match ReceivedEvent::read(message) {
            Ok(received) => received,
            Err(reason) => return self.bury(message, None, &reason, places).await,
        };
        let (id, attempt) = (received.id(), received.attempt);
        let deferred = if attempt > 1 { places.deferrals.count(message).await? } else { 0 };
        // Deferring is recorded first, so that the number may be one too high.
        let failures = (attempt - 1).saturating_sub(deferred);
        if failures >= self.max_attempts {
            let reason = format!("its worker ended without a result, {failures} times in all");
            return self.bury(message, Some(id), &reason, places).await;
        }
        match hold(message, places.ack_wait, handle(received)).await {
            Ok(Handled::Done) => {
                acknowledge(message, AckKind::Ack).await?;
                if deferred > 0 {
                    places.deferrals.forget(message).await?;
                }
                Ok(())
            }
            Ok(Handled::Defer(time)) => {
                places.deferrals.set(message, deferred + 1).await?;
                acknowledge(message, AckKind::Nak(Some(time))).await
            }
            Ok(Handled::Dead(reason)) => self.bury(message, Some(id), &reason, places).await,
            Err(error) => {
                let reason = error.to_string();
                if failures + 1 >= self.max_attempts {
                    return self.bury(message, Some(id), &reason, places).await;
                }
                let (first, longest) = self.retry_waits;
                let doublings = u32::try_from(failures).unwrap_or(u32::MAX).min(20);
                let wait = first.saturating_mul(1 << doublings).min(longest);
                self.tell(&WorkerNotice::Failed { id, reason, wait });
                acknowledge(message, AckKind::Nak(Some(wait))).await
            }
        }
    }

    /// Moves an event to the dead letters.
    async fn bury(
        &self,
        message: &Message,
        id: Option<String>,
        reason: &str,
        places: &Places<'_>,
    ) -> Result<(), String> {
        places.dead_letters.store(message, reason).await?;
        acknowledge(message, AckKind::Term).await?;
        let subject = || message.subject.to_string();
        let id = id.unwrap_or_else(subject);
        self.tell(&WorkerNotice::Dead { id, reason: reason.to_owned() });
        places.deferrals.forget(message).await
    }

    fn tell(&self, notice: &WorkerNotice) {
        (self.on_notice)(notice);
    }
}

/// Where a worker keeps what does not belong to the consumer.
struct Places<'a> {
    dead_letters: DeadLetters<'a>,
    deferrals: Deferrals,
    /// After what time the server gives an event to another worker.
    ack_wait: Duration,
}

/// The shortest time after which the server gives an event of this consumer to another worker. The
/// consumer may have been created by another worker, or by a setup.
fn ack_wait(consumer: &PullConsumer) -> Duration {
    let config = &consumer.cached_info().config;
    config.backoff.iter().copied().min().unwrap_or(config.ack_wait)
}

/// Waits for a handler, and keeps the event from being given to another worker meanwhile.
async fn hold<T>(message: &Message, ack_wait: Duration, handled: impl Future<Output = T>) -> T {
    let mut handled = pin!(handled);
    loop {
        let ended = tokio::time::timeout(ack_wait / 3, &mut handled).await;
        if let Ok(ended) = ended {
            return ended;
        }
        // If it does not arrive, another worker gets the event too.
        let _ = message.ack_with(AckKind::Progress).await;
    }
}

/// Waits for the next event. Returns `None` if there was none for a while.
async fn next(consumer: &PullConsumer) -> Result<Option<Message>, String> {
    let batch = consumer.fetch().max_messages(1).expires(FETCH_LIMIT).messages();
    let batch = batch.await.map_err(|error| chain(&error))?;
    pin!(batch).next().await.transpose().map_err(|error| chain(&*error))
}

/// Tells the server what became of an event, and waits until it knows.
async fn acknowledge(message: &Message, kind: AckKind) -> Result<(), String> {
    message.double_ack_with(kind).await.map_err(|error| format!("not acknowledged: {error}"))
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("group", &self.group)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
