//! The memory of what events have led to.

use machins_relay::{Effect, Effects, RelayError};
use test_support::NatsServer;

use crate::connect;

#[tokio::test]
async fn an_effect_is_new_once_and_finished_for_ever() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    let context = connect(&nats.url()).await;
    let (one, other) = (Effects::open(&context, "e").await, Effects::open(&context, "e").await);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.begin("ada.n1").await.unwrap(), Effect::New);
    assert_eq!(other.begin("ada.n1").await.unwrap(), Effect::Unfinished);
    assert_eq!(other.begin("any key, ü*>").await.unwrap(), Effect::New);
    one.finish("ada.n1").await.unwrap();
    nats.kill();
    nats.restart();
    let again = Effects::open(&connect(&nats.url()).await, "e").await.unwrap();
    assert_eq!(again.begin("ada.n1").await.unwrap(), Effect::Finished);
    assert_eq!(again.unfinished().await.unwrap(), ["any key, ü*>"]);
    again.finish("any key, ü*>").await.unwrap();
    assert!(again.unfinished().await.unwrap().is_empty());
    let another = Effects::open(&connect(&nats.url()).await, "another").await.unwrap();
    assert_eq!(another.begin("ada.n1").await.unwrap(), Effect::New);
}

#[tokio::test]
async fn many_that_begin_at_once_are_not_all_new() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = connect(&nats.url()).await;
    let effects = Effects::open(&context, "e").await.unwrap();
    let begun = (0..20).map(|_| effects.begin("ada.n1"));
    let begun = futures_util::future::join_all(begun).await;
    let new = begun.into_iter().filter(|begun| matches!(begun, Ok(Effect::New)));
    assert_eq!(new.count(), 1);
}

#[tokio::test]
async fn an_impossible_name_is_an_error() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let context = connect(&nats.url()).await;
    assert!(matches!(Effects::open(&context, "a b").await, Err(RelayError::Nats(_))));
}
