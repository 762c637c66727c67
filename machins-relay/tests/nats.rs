//! A relay and a real NATS server: each event is in the stream once, in order per trade, whatever is
//! killed. Where there is no `nats-server` these tests say so and pass, unless `REQUIRE_NATS` is set.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use machins_mock::{Conditions, Fault};
use machins_relay::{NatsConnection, Notice, RelayError, StreamAdmin};
use rstest::rstest;
use serde_json::Value;
use support::{World, check_order, count, jetstream, stored, stream};
use test_support::NatsServer;

#[tokio::test]
async fn an_event_is_stored_under_its_subject_and_id() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let trade = world.propose().await;
    let notification = world.unread().await.remove(0);
    let replica = world.run(&nats, &stream());
    let stored = stored(&nats, 1).await.remove(0);
    world.drained().await;
    replica.stop().await;

    let (agent, partition) = (&world.agent, crc32fast::hash(trade.as_str().as_bytes()) % 4);
    assert_eq!(stored.subject, format!("machins.{agent}.trade_proposed.{partition}"));
    assert_eq!(stored.message_id, format!("{agent}.{}", notification.id));
    let json: Value = serde_json::from_str(&stored.json).unwrap();
    let base_url = world.market.machins_base_url();
    let expected = serde_json::json!({
        "specversion": "1.0",
        "id": notification.id,
        "source": format!("{base_url}/agents/{agent}"),
        "type": "co.machins.trade_proposed",
        "subject": trade,
        "time": json["time"],
        "datacontenttype": "application/json",
        "data": notification.payload,
    });
    assert_eq!(json, expected);
    assert!(stored.json.ends_with(&format!(r#""data":{}}}"#, notification.payload)), "{json}");
    assert!(json["time"].as_str().unwrap().ends_with('Z'), "{json}");
    assert!(world.unread().await.is_empty());
}

#[tokio::test]
async fn the_stream_is_created_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let week = Duration::from_hours(7 * 24);
    let settings = stream().max_age(week).max_bytes(1_000_000);
    for _ in 0..2 {
        let mut replica = world.run(&nats, &settings);
        replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
        replica.stop().await;
    }
    let context = jetstream(&nats).await;
    let config = context.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    assert_eq!(config.subjects, ["machins.>"]);
    assert_eq!(config.duplicate_window, Duration::from_hours(24));
    assert_eq!(config.retention, RetentionPolicy::Limits);
    assert_eq!((config.storage, config.discard), (StorageType::File, DiscardPolicy::New));
    assert_eq!((config.max_age, config.max_bytes, config.num_replicas), (week, 1_000_000, 1));

    // What somebody has changed stays.
    let changed = Config { max_bytes: 2_000_000, ..config };
    context.update_stream(changed).await.unwrap();
    let mut replica = world.run(&nats, &settings);
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica.stop().await;
    let info = context.get_stream("EVENTS").await.unwrap().cached_info().clone();
    assert_eq!(info.config.max_bytes, 2_000_000);
}

fn config(name: &str, subject: &str) -> Config {
    Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Config::default() }
}

#[rstest]
#[case::other_subjects(config("EVENTS", "orders.>"), "does not take machins.")]
#[case::another_stream_has_them(
    config("OTHER", "machins.>"),
    "belongs to a stream of another name"
)]
#[case::other_partitions(
    Config {
        description: Some("machins relay, 8 partitions".to_owned()),
        ..config("EVENTS", "machins.>")
    },
    "has 8 partitions, not 4",
)]
#[tokio::test]
async fn a_stream_that_does_not_fit_is_an_error(#[case] existing: Config, #[case] reason: &str) {
    let Some(nats) = NatsServer::start(&[]) else { return };
    jetstream(&nats).await.create_stream(existing).await.unwrap();
    let world = World::start().await;
    let error = world.run(&nats, &stream()).ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Stream { .. }), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[tokio::test]
async fn more_copies_than_servers_are_an_error() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let error = World::start().await.run(&nats, &stream().replicas(3)).ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Stream { .. }), "{error:?}");
}

#[tokio::test]
async fn a_short_window_of_an_existing_stream_is_told() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    jetstream(&nats).await.create_stream(config("EVENTS", "machins.>")).await.unwrap();
    let mut replica = World::start().await.run(&nats, &stream());
    replica
        .wait_for(|notice| {
            matches!(notice, Notice::ShortDuplicateWindow(window) if window.as_secs() == 120)
        })
        .await;
    replica.stop().await;
}

#[rstest]
#[case::without_credentials("", "authorization violation")]
#[case::with_wrong_ones("ada:hushhush@", "authorization violation")]
#[tokio::test]
async fn refused_credentials_are_an_error(#[case] credentials: &str, #[case] reason: &str) {
    let Some(nats) = NatsServer::start(&["--user", "ada", "--pass", "right"]) else { return };
    let world = World::start().await;
    let url = format!("nats://{credentials}{}", nats.address());
    let error = world.run_at(&url, &stream()).ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Nats(_)), "{error:?}");
    assert!(error.to_string().contains(reason) && !error.to_string().contains("hush"), "{error}");
}

#[tokio::test]
async fn credentials_in_the_address_are_used() {
    let Some(nats) = NatsServer::start(&["--user", "ada", "--pass", "right"]) else { return };
    let url = format!("nats://ada:right@{}", nats.address());
    let mut replica = World::start().await.run_at(&url, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica.stop().await;
}

#[tokio::test]
async fn killed_before_acknowledging_stores_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let trade = world.propose_and_cancel().await;
    let lost = Fault::drop_before().method("POST").path("/api/v1/inbox/ack");
    let fault = world.market.fault_scoped(lost).unwrap();
    let replica = world.run(&nats, &stream());
    stored(&nats, 2).await;
    let asked = Conditions::new().method("POST").path("/api/v1/inbox/ack");
    world.market.wait_for_requests(asked, 1, Duration::from_secs(30)).await.unwrap();
    replica.kill().await;
    assert_eq!(world.unread().await.len(), 2);

    drop(fault);
    let replica = world.run(&nats, &stream());
    let later = world.propose_and_cancel().await;
    let stored = stored(&nats, 4).await;
    world.drained().await;
    replica.stop().await;
    check_order(&stored, &[trade, later]);
    assert_eq!((count(&nats).await, world.unread().await.len()), (4, 0));
}

#[tokio::test]
async fn killed_anywhere_stores_each_once_in_order() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut trades = Vec::new();
    // A kill finds some events stored and unacknowledged, and others on their way.
    for reached in [0, 1, 2, 5, 9, 14, 15, 16] {
        for _ in 0..8 {
            trades.push(world.propose_and_cancel().await);
        }
        let replica = world.run(&nats, &stream());
        stored(&nats, 2 * trades.len() - 16 + reached).await;
        replica.kill().await;
    }
    let replica = world.run(&nats, &stream());
    world.drained().await;
    replica.stop().await;
    check_order(&stored(&nats, 2 * trades.len()).await, &trades);
    assert_eq!(count(&nats).await, 128);
}

#[tokio::test]
async fn several_replicas_store_each_event_once() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut replicas: Vec<_> = (0..5).map(|_| world.run(&nats, &stream())).collect();
    let mut trades = Vec::new();
    while replicas.len() > 1 {
        for _ in 0..10 {
            trades.push(world.propose_and_cancel().await);
        }
        stored(&nats, 2 * trades.len() - 10).await;
        replicas.remove(0).kill().await;
    }
    let stored = stored(&nats, 2 * trades.len()).await;
    world.drained().await;
    replicas.remove(0).stop().await;
    check_order(&stored, &trades);
    assert_eq!((count(&nats).await, world.unread().await.len()), (80, 0));
}

#[tokio::test]
async fn one_replica_reads_and_another_takes_over() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut first = world.run(&nats, &stream());
    first.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    let mut second = world.run(&nats, &stream());
    second.wait_for(|notice| matches!(notice, Notice::Standby(_))).await;
    first.kill().await;
    second.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    let mut third = world.run(&nats, &stream());
    third.wait_for(|notice| matches!(notice, Notice::Standby(_))).await;
    second.stop().await;
    third.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    world.propose().await;
    stored(&nats, 1).await;
    third.stop().await;
}

#[tokio::test]
async fn a_lease_that_another_has_taken_ends_the_reading() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut replica = world.run(&nats, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    let leases = jetstream(&nats).await.get_key_value("machins-relay").await.unwrap();
    leases.put(world.agent.as_str(), "another".into()).await.unwrap();
    replica.wait_for(|notice| matches!(notice, Notice::Standby(_))).await;
    // The other does not renew it.
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica.stop().await;
}

#[tokio::test]
async fn a_server_that_is_killed_loses_nothing() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut replica = world.run(&nats, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    let mut trades = vec![world.propose_and_cancel().await];
    stored(&nats, 2).await;
    nats.kill();
    for _ in 0..20 {
        trades.push(world.propose_and_cancel().await);
    }
    let before = replica.wait_for(|notice| matches!(notice, Notice::Interrupted(_))).await;
    assert!(before.is_empty(), "{before:?}");
    nats.restart();
    let between = replica.wait_for(|notice| matches!(notice, Notice::Resumed)).await;
    let is_about_the_lease =
        |notice: &Notice| matches!(notice, Notice::Active(_) | Notice::Standby(_));
    assert!(between.iter().all(is_about_the_lease), "told once: {between:?}");
    let stored = stored(&nats, 42).await;
    let after = replica.further_notices();
    assert!(after.iter().all(is_about_the_lease), "told once: {after:?}");
    world.drained().await;
    replica.stop().await;
    check_order(&stored, &trades);
    assert_eq!((count(&nats).await, world.unread().await.len()), (42, 0));
}

#[tokio::test]
async fn an_absent_server_is_waited_for() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    nats.kill();
    let world = World::start().await;
    world.propose().await;
    let mut replica = world.run(&nats, &stream());
    let Notice::Interrupted(reason) = replica.next_notice().await else { panic!() };
    assert!(reason.contains(&nats.address()), "{reason}");
    assert_eq!(world.unread().await.len(), 1);
    nats.restart();
    assert!(matches!(replica.next_notice().await, Notice::Resumed));
    stored(&nats, 1).await;
    world.drained().await;
    replica.stop().await;
    assert!(world.unread().await.is_empty());
}

#[tokio::test]
async fn a_server_without_jetstream_is_named_and_waited_for() {
    let Some(nats) = NatsServer::start(&["-js=false"]) else { return };
    let world = World::start().await;
    world.propose().await;
    let mut replica = world.run(&nats, &stream());
    let Notice::Interrupted(reason) = replica.next_notice().await else { panic!() };
    assert!(reason.contains("nats-server -js"), "{reason}");
    replica.stop().await;
    assert_eq!(world.unread().await.len(), 1);

    let connection = NatsConnection::new(&nats.url()).unwrap();
    let admin = StreamAdmin::connect(&connection, "EVENTS").await.unwrap();
    let error = admin.status().await.unwrap_err().to_string();
    assert!(error.contains("nats-server -js"), "{error}");
}

#[tokio::test]
async fn a_full_stream_keeps_events_in_the_inbox() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut trades = Vec::new();
    for _ in 0..10 {
        trades.push(world.propose_and_cancel().await);
    }
    let mut replica = world.run(&nats, &stream().max_bytes(4_000));
    replica
        .wait_for(|notice| {
            matches!(notice, Notice::Interrupted(reason) if reason.contains("maximum bytes exceeded"))
        })
        .await;
    let context = jetstream(&nats).await;
    let full = context.get_stream("EVENTS").await.unwrap();
    assert!(full.cached_info().state.messages < 20);
    assert!(!world.unread().await.is_empty());
    let config = Config { max_bytes: 1_000_000, ..full.cached_info().config.clone() };
    context.update_stream(config).await.unwrap();
    replica.wait_for(|notice| matches!(notice, Notice::Resumed)).await;
    let stored = stored(&nats, 20).await;
    world.drained().await;
    replica.stop().await;
    check_order(&stored, &trades);
    assert!(world.unread().await.is_empty());
}

#[tokio::test]
async fn a_stream_that_was_removed_is_created_again() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let replica = world.run(&nats, &stream());
    world.propose().await;
    stored(&nats, 1).await;
    jetstream(&nats).await.delete_stream("EVENTS").await.unwrap();
    world.propose().await;
    stored(&nats, 1).await;
    world.drained().await;
    replica.stop().await;
    assert!(world.unread().await.is_empty());
}

#[tokio::test]
async fn an_event_too_large_for_the_stream_stays_unread() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let existing = Config { max_message_size: 10, ..config("EVENTS", "machins.>") };
    jetstream(&nats).await.create_stream(existing).await.unwrap();
    let world = World::start().await;
    world.propose().await;
    let mut replica = world.run(&nats, &stream());
    replica
        .wait_for(
            |notice| matches!(notice, Notice::Kept(_, parked) if parked.reason.contains("larger")),
        )
        .await;
    replica.stop().await;
    assert_eq!(world.unread().await.len(), 1);
}

#[tokio::test]
async fn an_invalid_key_ends_the_relay() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let refused = Fault::status(401).path("/api/v1/inbox");
    let _fault = world.market.fault_scoped(refused).unwrap();
    let error = world.run(&nats, &stream()).ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Inbox(_)), "{error:?}");
}

#[rstest]
#[case::another_protocol("http://127.0.0.1:4222")]
#[case::no_address("nats://")]
#[case::empty("")]
fn an_invalid_address_is_an_error(#[case] address: &str) {
    let error = NatsConnection::new(address).unwrap_err();
    assert!(matches!(error, RelayError::Nats(_)), "{error:?}");
}
