//! Notifications that a program takes one by one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use machins_client::{ClientOptions, MockClock, ParkedNotification};

use crate::support::inbox::Inbox;
use crate::support::{builder, client};

#[tokio::test]
async fn a_delivery_can_be_deferred_parked_or_dropped() {
    let (server, inbox) = Inbox::with(4).await;
    let clock = MockClock::new(0.0);
    let client = builder(&server).options(ClientOptions::new().clock(clock.clone()));
    let client = client.build().unwrap();
    let parked = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&parked);
    let watch = client.inbox_watch().on_parked(move |notification: &ParkedNotification| {
        store.lock().unwrap().push((notification.reason.clone(), notification.failures));
    });
    let mut deliveries = watch.deliveries();
    let mut given = Vec::new();
    while given.len() < 6 {
        let delivery = deliveries.next().await.unwrap().unwrap();
        let id = delivery.notification().unwrap().id.to_string();
        given.push((id.clone(), delivery.failures()));
        match (&*id, delivery.failures()) {
            ("n0", 0) if given.len() == 1 => delivery.defer(Duration::from_mins(1)),
            ("n1", _) => delivery.park("not for this agent"),
            ("n2", 0) => drop(delivery),
            _ => delivery.acknowledge().await.unwrap(),
        }
    }
    let expected = [("n0", 0), ("n1", 0), ("n2", 0), ("n3", 0), ("n2", 1), ("n0", 0)];
    assert_eq!(given, expected.map(|(id, failures)| (id.to_owned(), failures)));
    assert_eq!(*parked.lock().unwrap(), [("not for this agent".to_owned(), 0)]);
    assert_eq!(inbox.unread(), ["n1"]);
}

#[tokio::test]
async fn a_stream_hands_over_as_many_at_once_as_allowed() {
    let (server, inbox) = Inbox::with(5).await;
    let watch = client(&server).inbox_watch().concurrency(2);
    let mut deliveries = watch.deliveries();
    let first = StreamExt::next(&mut deliveries).await.unwrap().unwrap();
    let second = StreamExt::next(&mut deliveries).await.unwrap().unwrap();
    for _ in 0..100 {
        assert!(StreamExt::next(&mut deliveries).now_or_never().is_none(), "two are out");
        tokio::task::yield_now().await;
    }
    second.acknowledge().await.unwrap();
    let third = StreamExt::next(&mut deliveries).await.unwrap().unwrap();
    assert_eq!(third.notification().unwrap().id.as_str(), "n2");
    third.acknowledge().await.unwrap();
    // It may outlive the stream.
    drop(deliveries);
    first.acknowledge().await.unwrap();
    assert_eq!(inbox.unread(), ["n3", "n4"]);
}
