//! What a store promises about its locks and records.

use std::time::Duration;

use machins_client::{ErrorKind, Intent, IntentStore, SpendingJournal, SpendingStore};
use serde_json::json;
use test_support::NatsServer;

use crate::{LOCK_TIME, store};

/// Less than a lock lasts.
const HASTY: Duration = Duration::from_millis(300);
const PATIENT: Duration = Duration::from_secs(30);

pub(crate) fn intent(key: &str) -> Intent {
    let intent = json!({
        "key": key, "base_url": "https://machins.co/api/v1", "agent": "a", "kind": "trade",
        "listing_id": "l1", "terms": null, "trade_id": null, "request": "r", "reference": "i",
        "created_at_ms": 1_767_225_600_000_u64, "state": "sent", "until_ms": 1_767_225_600_000_u64,
    });
    serde_json::from_value(intent).unwrap()
}

fn journal() -> SpendingJournal {
    let reservation = json!({
        "reference": "r", "amount": "12.50", "reserved_at_ms": 1_767_225_600_000_u64,
        "until_ms": 1_767_225_600_000_u64,
    });
    serde_json::from_value(json!({"reservations": [reservation]})).unwrap()
}

#[tokio::test]
async fn a_key_is_locked_for_all_others() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let (one, other) = (store(&nats.url()), store(&nats.url()));
    let lock = IntentStore::lock(&one, "order", PATIENT).await.unwrap();
    for store in [&one, &other] {
        let error = IntentStore::lock(store, "order", HASTY).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
    // It is renewed for as long as it is held.
    let error = IntentStore::lock(&other, "order", 3 * LOCK_TIME).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    lock.check()().unwrap();
    IntentStore::lock(&other, "another", HASTY).await.unwrap();
    SpendingStore::lock(&other, "order", HASTY).await.unwrap();
    let check = lock.check();
    drop(lock);
    assert_eq!(check().unwrap_err().kind(), ErrorKind::Storage);
    IntentStore::lock(&other, "order", LOCK_TIME / 2).await.unwrap();
}

#[tokio::test]
async fn a_record_is_there_for_all_others() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let (one, other) = (store(&nats.url()), store(&nats.url()));
    let mut lock = IntentStore::lock(&one, "order", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), None);
    lock.write(&intent("order")).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), Some(intent("order")));
    drop(lock);
    assert_eq!(other.list().await.unwrap(), [intent("order")]);
    let mut lock = IntentStore::lock(&other, "order", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), Some(intent("order")));
    lock.remove().await.unwrap();
    drop(lock);
    let mut lock = IntentStore::lock(&one, "order", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), None);
    drop(lock);
    assert_eq!(one.list().await.unwrap(), []);

    let mut lock = SpendingStore::lock(&one, "account", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), SpendingJournal::default());
    lock.write(&journal()).await.unwrap();
    drop(lock);
    let mut lock = SpendingStore::lock(&other, "account", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), journal());
    assert_eq!(one.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_server_that_is_killed_keeps_locks_and_records() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let (one, other) = (store(&nats.url()).lock_time(PATIENT), store(&nats.url()));
    let mut lock = IntentStore::lock(&one, "order", PATIENT).await.unwrap();
    lock.write(&intent("order")).await.unwrap();
    nats.kill();
    nats.restart();
    let error = IntentStore::lock(&other, "order", HASTY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    lock.write(&intent("order")).await.unwrap();
    drop(lock);
    let mut lock = IntentStore::lock(&other, "order", PATIENT).await.unwrap();
    assert_eq!(lock.read().await.unwrap(), Some(intent("order")));
}

#[tokio::test]
async fn a_lock_of_the_last_store_is_released_with_it() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let one = store(&nats.url()).lock_time(PATIENT);
    let mut lock = IntentStore::lock(&one, "order", PATIENT).await.unwrap();
    lock.write(&intent("order")).await.unwrap();
    drop(lock);
    drop(one);
    IntentStore::lock(&store(&nats.url()), "order", HASTY).await.unwrap();
}

#[tokio::test]
async fn buckets_share_nothing() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let _lock = IntentStore::lock(&store(&nats.url()), "order", PATIENT).await.unwrap();
    let other = store(&nats.url()).bucket("other");
    IntentStore::lock(&other, "order", HASTY).await.unwrap();
}

/// As [`NatsServer`] is: for a server that needs a user.
#[tokio::test]
async fn credentials_in_the_address_are_used_and_not_shown() {
    let Some(nats) = NatsServer::start(&["--user", "ada", "--pass", "hushhush"]) else { return };
    let store = store(&format!("nats://ada:hushhush@{}", nats.address()));
    assert!(!format!("{store:?}").contains("hush"));
    IntentStore::lock(&store, "order", PATIENT).await.unwrap();
}
