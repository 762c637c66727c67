//! Setting a stream up, looking at it, and getting events from it again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, SystemTime};
use tokio::io::AsyncBufReadExt;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{Config as ConsumerConfig, PullConsumer};
use async_nats::jetstream::stream::Config;
use futures_util::StreamExt;
use machins_relay::{DeadLetter, Notice, RelayError, RelaySetup, StreamAdmin};
use support::{World, count, jetstream, stored, stream};
use test_support::NatsServer;

const SETUP: &str = r#"
    [stream]
    name = "EVENTS"
    partitions = 4
    max_age_hours = 168

    [[consumers]]
    name = "workers"
    ack_wait_seconds = 1
    max_deliver = 1
"#;

fn setup(text: &str) -> RelaySetup {
    RelaySetup::from_toml(text).unwrap()
}

async fn admin(nats: &NatsServer) -> StreamAdmin {
    let connection = machins_relay::NatsConnection::new(&nats.url()).unwrap();
    StreamAdmin::connect(&connection, "EVENTS").await.unwrap()
}

/// Has the events of these trades stored, and returns the world.
async fn world_with(nats: &NatsServer, trades: usize) -> World {
    let world = World::start().await;
    for _ in 0..trades {
        world.propose().await;
    }
    let replica = world.run(nats, &stream());
    stored(nats, trades).await;
    world.drained().await;
    replica.stop().await;
    world
}

async fn consumer_config(nats: &NatsServer, name: &str) -> ConsumerConfig {
    let stream = jetstream(nats).await.get_stream("EVENTS").await.unwrap();
    stream.consumer_info(name).await.unwrap().config
}

/// Has the workers of all partitions fetch what there is for them. None of it is acknowledged.
async fn fetch(nats: &NatsServer) -> usize {
    let stream = jetstream(nats).await.get_stream("EVENTS").await.unwrap();
    let mut fetched = 0;
    for partition in 0..4 {
        let consumer: PullConsumer =
            stream.get_consumer(&format!("workers-{partition}")).await.unwrap();
        let batch = consumer.batch().max_messages(10).expires(Duration::from_millis(50));
        fetched += batch.messages().await.unwrap().count().await;
    }
    fetched
}

#[tokio::test]
async fn a_setup_is_made_once_and_then_changed() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    let objects = |differences: &[machins_relay::Difference]| -> Vec<String> {
        differences.iter().map(|difference| difference.object.clone()).collect()
    };
    let all = [
        "stream EVENTS",
        "stream EVENTS-dead",
        "consumer workers-0",
        "consumer workers-1",
        "consumer workers-2",
        "consumer workers-3",
    ];
    assert_eq!(objects(&admin.differences(&setup(SETUP)).await.unwrap()), all);
    assert!(jetstream(&nats).await.get_stream("EVENTS").await.is_err(), "nothing was changed");
    assert_eq!(objects(&admin.set_up(&setup(SETUP)).await.unwrap()), all);
    assert_eq!(admin.set_up(&setup(SETUP)).await.unwrap(), []);
    let config = consumer_config(&nats, "workers-3").await;
    assert_eq!(config.filter_subject, "machins.*.*.3");
    assert_eq!((config.max_ack_pending, config.max_deliver), (1, 1));
    assert_eq!(config.ack_wait, Duration::from_secs(1));

    let changed = SETUP.replace("max_age_hours = 168", "max_bytes = 1_000_000");
    let changed = changed.replace("ack_wait_seconds = 1", "backoff_seconds = [2, 9]");
    let changed = setup(&changed.replace("max_deliver = 1", "max_deliver = 4"));
    let differences = admin.set_up(&changed).await.unwrap();
    let of = |object: &str| -> Vec<String> {
        let own = differences.iter().filter(|difference| difference.object == object);
        let shown = own.map(|one| {
            let (found, declared) = (one.found.clone().unwrap(), one.declared.clone().unwrap());
            format!("{}: {found} -> {declared}", one.setting.unwrap())
        });
        shown.collect()
    };
    assert_eq!(
        of("stream EVENTS"),
        ["max_age: 168 h -> unlimited", "max_bytes: unlimited -> 1000000 B"]
    );
    assert_eq!(
        of("consumer workers-2"),
        ["ack_wait: 1 s -> 2 s", "max_deliver: 1 -> 4", "backoff: none -> 2 s, 9 s"]
    );
    assert!(admin.differences(&changed).await.unwrap().is_empty());
    assert_eq!(consumer_config(&nats, "workers-0").await.max_deliver, 4);
}

#[tokio::test]
async fn the_declaration_of_the_page_is_made() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let page = include_str!("../../docs/relay.md");
    let (_, declaration) = page.split_once("```toml\n").unwrap();
    let declared = setup(declaration.split_once("```").unwrap().0);
    let admin = admin(&nats).await;
    assert_eq!(admin.set_up(&declared).await.unwrap().len(), 2 + 8);
    assert_eq!(admin.differences(&declared).await.unwrap(), []);
}

#[tokio::test]
async fn a_relay_uses_a_stream_that_was_set_up() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    admin(&nats).await.set_up(&setup(SETUP)).await.unwrap();
    world_with(&nats, 3).await;
    assert_eq!(admin(&nats).await.differences(&setup(SETUP)).await.unwrap(), []);
}

#[tokio::test]
async fn what_cannot_be_changed_is_an_error() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    admin.set_up(&setup(SETUP)).await.unwrap();
    let other = setup(&SETUP.replace("partitions = 4", "partitions = 5"));
    let error = admin.set_up(&other).await.unwrap_err();
    assert!(matches!(error, RelayError::Stream { .. }), "{error:?}");
    assert!(error.to_string().contains("has 4 partitions, not 5"), "{error}");
}

#[tokio::test]
async fn a_dead_letter_goes_back_into_the_stream_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    assert!(admin.dead_letters().await.unwrap().is_empty());
    admin.set_up(&setup(SETUP)).await.unwrap();
    world_with(&nats, 1).await;
    let event = stored(&nats, 1).await.remove(0);
    // As a worker does.
    let mut headers = HeaderMap::new();
    headers.insert("Machins-Dead-Reason", "no such account");
    headers.insert("Machins-Dead-Consumer", "workers-0");
    headers.insert("Machins-Original-Msg-Id", event.message_id.as_str());
    let subject = event.subject.replace("machins.", "machins-dead.");
    let dead = jetstream(&nats).await;
    let published = dead.publish_with_headers(subject, headers, event.json.clone().into());
    published.await.unwrap().await.unwrap();

    let letters = admin.dead_letters().await.unwrap();
    let [DeadLetter { id, subject, reason, consumer, message_id, event: dead, .. }] = &letters[..]
    else {
        unreachable!("{letters:?}")
    };
    assert_eq!(subject.as_ref(), Some(&event.subject));
    assert_eq!(message_id.as_ref(), Some(&event.message_id));
    assert_eq!(reason.as_deref(), Some("no such account"));
    assert_eq!(consumer.as_deref(), Some("workers-0"));
    assert_eq!(dead.as_ref(), Some(&event.event));
    admin.retry_dead_letter(*id).await.unwrap();
    let error = admin.retry_dead_letter(*id).await.unwrap_err();
    assert!(error.to_string().contains("there is no dead letter"), "{error}");
    assert!(admin.dead_letters().await.unwrap().is_empty());
    let stored = stored(&nats, 2).await;
    assert_eq!((&stored[1].subject, &stored[1].json), (&event.subject, &event.json));
    assert_eq!(stored[1].message_id, format!("{}.retry-{id}", event.message_id));
}

#[tokio::test]
async fn an_event_that_nobody_acknowledges_is_a_dead_letter() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    admin.set_up(&setup(SETUP)).await.unwrap();
    world_with(&nats, 1).await;
    assert_eq!(fetch(&nats).await, 1);
    let letters = async {
        loop {
            let letters = admin.dead_letters().await.unwrap();
            if !letters.is_empty() {
                return letters;
            }
            assert_eq!(fetch(&nats).await, 0, "delivered once");
        }
    };
    let letters = tokio::time::timeout(support::LIMIT, letters).await.unwrap();
    let event = stored(&nats, 1).await.remove(0);
    assert_eq!((letters.len(), letters[0].subject.as_ref()), (1, Some(&event.subject)));
    assert_eq!(letters[0].reason.as_deref(), Some("delivered 1 times without success"));
    assert!(letters[0].consumer.as_ref().unwrap().starts_with("workers-"), "{letters:?}");
    assert_eq!(admin.status().await.unwrap().dead_letters, 1);
    admin.retry_dead_letter(letters[0].id).await.unwrap();
    assert_eq!(fetch(&nats).await, 1, "it is delivered again");
    assert_eq!(count(&nats).await, 2);
}

#[tokio::test]
async fn events_are_replayed_from_a_time_on() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    admin.set_up(&setup(&SETUP.replace("max_deliver = 1", ""))).await.unwrap();
    let world = world_with(&nats, 2).await;
    let middle = SystemTime::now();
    let replica = world.run(&nats, &stream());
    let trade = world.propose().await;
    stored(&nats, 3).await;
    world.drained().await;
    replica.stop().await;
    // Another program's message.
    let other = jetstream(&nats).await;
    other.publish("machins.other", "no JSON".into()).await.unwrap().await.unwrap();

    let lines = async |since| {
        let mut lines = Vec::new();
        let count = admin.replay_to_writer(since, &mut lines).await.unwrap();
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(usize::try_from(count).unwrap(), lines.lines().count());
        lines
    };
    assert_eq!(lines(SystemTime::UNIX_EPOCH).await.lines().count(), 3);
    let late = lines(middle).await;
    assert!(late.lines().count() == 1 && late.contains(trade.as_str()), "{late}");
    assert_eq!(lines(SystemTime::now() + Duration::from_hours(1)).await, "");

    assert_eq!(admin.rewind("workers", middle).await.unwrap(), 4);
    let status = admin.status().await.unwrap();
    assert_eq!(status.consumers.iter().map(|consumer| consumer.pending).sum::<u64>(), 1);
    let error = admin.rewind("nobody", middle).await.unwrap_err();
    assert!(error.to_string().contains("no consumer nobody"), "{error}");
}

#[tokio::test]
async fn the_status_shows_leases_and_consumers() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    admin.set_up(&setup(SETUP)).await.unwrap();
    let world = world_with(&nats, 3).await;
    let idle = admin.status().await.unwrap();
    assert_eq!((idle.messages, idle.partitions, idle.leases.len()), (3, Some(4), 0));
    assert!(idle.first_time.is_some() && idle.bytes > 0, "{idle:?}");
    let mut replica = world.run(&nats, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    let status = admin.status().await.unwrap();
    assert_eq!(status.leases[0].agent, world.agent.as_str());
    let process = format!("process {}", std::process::id());
    assert!(status.leases[0].holder.ends_with(&process), "{status:?}");
    let names: Vec<_> = status.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
    assert_eq!(names, ["workers-0", "workers-1", "workers-2", "workers-3"]);
    assert_eq!(status.consumers.iter().map(|consumer| consumer.pending).sum::<u64>(), 3);
    replica.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_an_error() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    let error = admin.status().await.unwrap_err();
    assert!(
        error.to_string().contains("EVENTS") && error.to_string().contains("not found"),
        "{error}"
    );
    let empty = Config { name: "EVENTS".to_owned(), ..Config::default() };
    jetstream(&nats).await.create_stream(empty).await.unwrap();
    let status = admin.status().await.unwrap();
    assert_eq!((status.messages, status.first_time, status.partitions), (0, None, None));
}

#[tokio::test]
async fn a_replay_ends_with_the_newest_event_that_there_was() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let admin = admin(&nats).await;
    admin.set_up(&setup(SETUP)).await.unwrap();
    world_with(&nats, 3).await;
    let event = stored(&nats, 3).await.remove(0);
    let context = jetstream(&nats).await;
    let publish = async || {
        let payload = event.json.clone().into();
        context.publish(event.subject.clone(), payload).await.unwrap().await.unwrap();
    };
    // More than are read ahead.
    for _ in 3..500 {
        publish().await;
    }
    let (reader, writer) = tokio::io::duplex(16);
    let reading = async {
        let mut lines = tokio::io::BufReader::new(reader).lines();
        while lines.next_line().await.unwrap().is_some() {
            // Another event for each that is read.
            publish().await;
        }
    };
    let replay = admin.replay_to_writer(SystemTime::UNIX_EPOCH, writer);
    let ended = tokio::time::timeout(support::LIMIT, async { tokio::join!(replay, reading) });
    assert_eq!(ended.await.unwrap().0.unwrap(), 500);
}
