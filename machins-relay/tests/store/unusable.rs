//! Stores that cannot be used: nothing is sent.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use machins_client::{Error, ErrorKind, Proposal};
use machins_mock::Conditions;
use machins_relay::NatsStore;
use rstest::rstest;
use test_support::NatsServer;

use crate::{Market, builder, store};

/// Buys with this store, checks that nothing is sent, and returns the error.
async fn refused(market: &Market, store: NatsStore) -> Error {
    let builder = builder(&market.server.machins_base_url(), &market.key);
    let client = builder.intent_store(store).build().unwrap();
    let bought = client.propose_trade_once("order", &Proposal::new(&market.listing)).await;
    assert!(market.trades().await.is_empty());
    bought.unwrap_err()
}

#[tokio::test]
async fn without_a_server_nothing_is_sent() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    nats.kill();
    let error = refused(&Market::start().await, store(&nats.url())).await;
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(&nats.address()), "{error}");
}

#[tokio::test]
async fn with_wrong_credentials_nothing_is_sent() {
    let Some(nats) = NatsServer::start(&["--user", "ada", "--pass", "right"]) else { return };
    let store = store(&format!("nats://ada:hushhush@{}", nats.address()));
    let error = refused(&Market::start().await, store).await;
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(!format!("{error:#} {error:?}").contains("hush"), "{error:?}");
}

fn bucket() -> Config {
    Config {
        name: "KV_machins-store".to_owned(),
        subjects: vec!["$KV.machins-store.>".to_owned()],
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        allow_rollup: true,
        ..Config::default()
    }
}

#[rstest]
#[case::with_a_maximum_age(Config { max_age: Duration::from_hours(1), ..bucket() })]
#[case::in_memory(Config { storage: StorageType::Memory, ..bucket() })]
#[case::that_discards_old_values(Config { discard: DiscardPolicy::Old, ..bucket() })]
#[tokio::test]
async fn a_bucket_that_could_forget_is_refused(#[case] config: Config) {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let client = async_nats::connect(nats.url()).await.unwrap();
    jetstream::new(client).create_stream(config).await.unwrap();
    let error = refused(&Market::start().await, store(&nats.url())).await;
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains("could forget"), "{error}");
}

#[tokio::test]
async fn a_full_bucket_sends_nothing() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let client = async_nats::connect(nats.url()).await.unwrap();
    let full = Config { max_bytes: 10, ..bucket() };
    jetstream::new(client).create_stream(full).await.unwrap();
    let error = refused(&Market::start().await, store(&nats.url())).await;
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
}

#[rstest]
#[case::not_json("?")]
#[case::a_newer_version(r#"{"version": 2}"#)]
#[case::another_record(r#"{"version": 1, "record": {"key": "order"}}"#)]
#[tokio::test]
async fn a_corrupt_record_sends_nothing_and_stays(#[case] value: &'static str) {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let builder = builder(&market.server.machins_base_url(), &market.key);
    let client = builder.intent_store(store(&nats.url())).build().unwrap();
    client.propose_trade_once("order", &Proposal::new(&market.listing)).await.unwrap();
    let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let bucket = context.get_key_value("machins-store").await.unwrap();
    let keys = bucket.keys().await.unwrap();
    let keys: Vec<String> = futures_util::TryStreamExt::try_collect(keys).await.unwrap();
    assert_eq!(keys.len(), 1);
    bucket.put(&keys[0], value.into()).await.unwrap();
    market.server.clear_requests();
    let error =
        client.propose_trade_once("order", &Proposal::new(&market.listing)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    let proposed = Conditions::new().method("POST").path("/api/v1/trades");
    let sent = market.server.wait_for_requests(proposed, 1, Duration::ZERO).await;
    assert!(sent.is_err());
    assert_eq!(client.list_intents().await.unwrap_err().kind(), ErrorKind::Storage);
}
