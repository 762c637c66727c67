//! Workers that share a stream: each event is handled once and in order per trade, whatever is killed.
//! Where there is no `nats-server` these tests say so and pass, unless `REQUIRE_NATS` is set.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod dead;
mod effects;
mod group;
mod one;

use std::fmt::Display;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context, Message};
use futures_util::StreamExt;
use machins_client::CancellationToken;
use machins_relay::{EventStream, Handled, ReceivedEvent, RelayError, Worker, WorkerNotice};
use serde_json::json;
use test_support::NatsServer;
use tokio::task::JoinHandle;

/// How long anything may take before a test fails.
const LIMIT: Duration = Duration::from_mins(1);
const ACK_WAIT: Duration = Duration::from_secs(1);
const PARTITIONS: u16 = 4;

fn stream() -> EventStream {
    EventStream::new("EVENTS").unwrap().partitions(NonZeroU16::new(PARTITIONS).unwrap())
}

/// A worker that does not wait long for anything.
fn worker() -> Worker {
    let short = Duration::from_millis(10);
    Worker::new("group", &stream()).unwrap().ack_wait(ACK_WAIT).retry_waits(short, 4 * short)
}

async fn connect(nats: &str) -> Context {
    jetstream::new(async_nats::connect(nats).await.unwrap())
}

/// Connects, and creates the stream as the relay does.
async fn events(nats: &NatsServer) -> Context {
    let context = connect(&nats.url()).await;
    let config = Config {
        name: "EVENTS".to_owned(),
        description: Some(format!("machins relay, {PARTITIONS} partitions")),
        subjects: vec!["machins.>".to_owned()],
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
    context
}

fn partition(trade: &str) -> u32 {
    crc32fast::hash(trade.as_bytes()) % u32::from(PARTITIONS)
}

/// Stores an event about a trade as the relay does.
async fn publish(context: &Context, id: &str, event_type: &str, trade: &str) {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "https://machins.co/agents/ada",
        "type": format!("co.machins.{event_type}"), "subject": trade,
        "datacontenttype": "application/json",
        "data": {"trade_id": trade, "price": "50.00"},
    });
    publish_raw(context, id, event_type, trade, &event.to_string()).await;
}

async fn publish_raw(context: &Context, id: &str, event_type: &str, trade: &str, payload: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", format!("ada.{id}"));
    let subject = format!("machins.ada.{event_type}.{}", partition(trade));
    let sent = context.publish_with_headers(subject, headers, payload.to_owned().into()).await;
    sent.unwrap().await.unwrap();
}

/// Reads so many messages of a stream.
async fn read(context: &Context, stream: &str, count: usize) -> Vec<Message> {
    let reading = async {
        let stream = loop {
            match context.get_stream(stream).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let deliver_subject = context.client().new_inbox();
        let config = OrderedConfig { deliver_subject, ..OrderedConfig::default() };
        let messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
        messages.take(count).map(Result::unwrap).collect().await
    };
    tokio::time::timeout(LIMIT, reading).await.expect("so many are stored")
}

/// Waits until every event was acknowledged, by the consumers of all partitions.
async fn all_acknowledged(context: &Context) {
    let stream = context.get_stream("EVENTS").await.unwrap();
    let acknowledged = async {
        for partition in 0..PARTITIONS {
            loop {
                let name = format!("group-{partition}");
                let info = stream.consumer_info(name).await;
                if info.is_ok_and(|info| info.num_pending == 0 && info.num_ack_pending == 0) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(LIMIT, acknowledged).await.expect("all are acknowledged");
}

/// A worker that runs in the background, and what it has been given.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), RelayError>>,
    received: Arc<Mutex<Vec<String>>>,
    notices: Arc<Mutex<Vec<WorkerNotice>>>,
}

impl Running {
    /// Starts a worker, which is given events with their attempts.
    fn start<E: Display + Send + 'static>(
        worker: Worker,
        context: &Context,
        handle: impl Fn(&ReceivedEvent) -> Result<Handled, E> + Send + Sync + 'static,
    ) -> Self {
        let (stop, notices) = (CancellationToken::new(), Arc::<Mutex<Vec<_>>>::default());
        let received = Arc::<Mutex<Vec<_>>>::default();
        let (log, told) = (Arc::clone(&received), Arc::clone(&notices));
        let worker = worker.stop(stop.clone());
        let worker = worker.on_notice(move |notice| told.lock().unwrap().push(notice.clone()));
        let (context, handle) = (context.clone(), Arc::new(handle));
        let task = tokio::spawn(async move {
            let handle = async |event: ReceivedEvent| {
                log.lock().unwrap().push(format!("{} {}", event.event.id, event.attempt));
                handle(&event)
            };
            worker.run(&context, handle).await
        });
        Self { stop, task, received, notices }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn notices(&self) -> Vec<WorkerNotice> {
        self.notices.lock().unwrap().clone()
    }

    /// Stops it, and returns all that it was given.
    async fn stop(self) -> Vec<String> {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.expect("it ends").unwrap().unwrap();
        let received = self.received.lock().unwrap();
        received.clone()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is a handler")]
fn done(_: &ReceivedEvent) -> Result<Handled, String> {
    Ok(Handled::Done)
}
