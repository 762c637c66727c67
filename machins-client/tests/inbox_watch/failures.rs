//! Handlers that fail, and entries that cannot be read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machins_client::{
    CancellationToken, ClientOptions, Error, Event, MockClock, Notification, ParkedNotification,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::handle;
use crate::support::inbox::{Inbox, ids, notification};
use crate::support::{builder, client};

#[tokio::test]
async fn a_failure_is_tried_again_while_the_others_go_on() {
    let (server, inbox) = Inbox::with(4).await;
    let failures = AtomicUsize::new(0);
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    let fails = |notification: &Notification| {
        notification.id.as_str() == "n1" && failures.fetch_add(1, Ordering::Relaxed) < 2
    };
    assert_eq!(handle(watch, 4, fails).await, ["n0", "n1", "n2", "n3", "n1", "n1"]);
    assert_eq!(inbox.unread(), [""; 0]);
}

#[rstest]
#[case::stays_unread(false, &["n0"])]
#[case::is_acknowledged(true, &[])]
#[tokio::test]
async fn what_fails_too_often_is_parked(#[case] acknowledge: bool, #[case] unread: &[&str]) {
    let (server, inbox) = Inbox::with(1).await;
    let clock = MockClock::new(0.0);
    let client = builder(&server).options(ClientOptions::new().clock(clock.clone()));
    let client = client.build().unwrap();
    let (parked, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
    let (store, stopping) = (Arc::clone(&parked), stop.clone());
    let attempts = AtomicUsize::new(0);
    let watch = client
        .inbox_watch()
        .stop(stop)
        .every(Duration::from_secs(100), Duration::from_secs(100))
        .retry_waits(Duration::from_secs(2), Duration::from_secs(7))
        .max_attempts(4)
        .acknowledge_parked(acknowledge)
        .on_parked(move |notification: &ParkedNotification| {
            store.lock().unwrap().push(notification.clone());
            stopping.cancel();
        });
    let handler = async |_| {
        attempts.fetch_add(1, Ordering::Relaxed);
        Err("no such tool")
    };
    watch.run(handler).await.unwrap();
    assert_eq!(attempts.into_inner(), 4);
    let parked = parked.lock().unwrap();
    assert_eq!((parked.len(), parked[0].failures), (1, 4));
    assert_eq!(parked[0].reason, "no such tool");
    assert_eq!(parked[0].raw["payload"]["trade_id"], "n0");
    assert_eq!(parked[0].notification.as_ref().unwrap().id.as_str(), "n0");
    assert_eq!(inbox.unread(), unread);
    let retries: Vec<u64> =
        clock.slept().iter().map(Duration::as_secs).filter(|wait| *wait < 100).collect();
    assert_eq!(retries, [2, 4, 7], "growing waits");
}

#[tokio::test]
async fn what_was_parked_does_not_come_again() {
    let (server, inbox) = Inbox::with(3).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop).max_attempts(1);
    let given = handle(watch, 2, |notification| notification.id.as_str() == "n0").await;
    assert_eq!(given, ids(3));
    assert_eq!(inbox.unread(), ["n0"]);
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    assert_eq!(handle(watch, 1, |_| false).await, ["n0"], "another watch gets it");
}

#[rstest]
#[case::a_number(json!(5))]
#[case::text(json!("text"))]
#[case::nothing(json!(null))]
#[case::empty(json!({}))]
#[case::no_id(json!({"event_type": "trade_proposed", "payload": {}}))]
#[case::an_empty_id(json!({"id": "", "event_type": "trade_proposed"}))]
#[case::an_id_that_is_a_number(json!({"id": 7, "event_type": "trade_proposed"}))]
#[case::no_type(json!({"id": "bad", "payload": {}}))]
#[case::a_type_that_is_a_list(json!({"id": "bad", "event_type": [], "payload": {}}))]
#[case::a_state_that_is_text(json!({"id": "bad", "event_type": "match_found", "is_read": "no"}))]
#[tokio::test]
async fn a_malformed_entry_is_parked_and_blocks_nothing(#[case] entry: Value) {
    let (server, inbox) = Inbox::with(3).await;
    inbox.add(entry.clone());
    let parked = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&parked);
    let watch = |stop| {
        client(&server).inbox_watch().stop(stop).on_parked(move |malformed| {
            store.lock().unwrap().push(malformed.clone());
        })
    };
    assert_eq!(handle(watch, 3, |_| false).await, ids(3));
    let parked = parked.lock().unwrap();
    assert_eq!(parked.len(), 1, "once");
    assert_eq!((parked[0].notification.is_none(), &*parked[0].raw), (true, &entry));
    assert_eq!(inbox.unread().len(), 1, "it stays unread");
}

#[tokio::test]
async fn malformed_data_reaches_the_handler_as_unknown() {
    let mut malformed = notification("n0", "t", 0);
    malformed["payload"] = json!({"trade_id": ["t"]});
    let (server, inbox) = Inbox::start(vec![malformed]).await;
    let stop = CancellationToken::new();
    let handler = async |notification: Notification| {
        assert!(matches!(notification.event(), Event::Unknown { .. }));
        stop.cancel();
        Ok::<(), Error>(())
    };
    client(&server).inbox_watch().stop(stop.clone()).run(handler).await.unwrap();
    assert_eq!(inbox.unread(), [""; 0]);
}

#[rstest]
#[case::in_its_future(false)]
#[case::before_its_future(true)]
#[tokio::test]
async fn a_panicking_handler_acknowledges_nothing(#[case] at_once: bool) {
    let (server, inbox) = Inbox::with(2).await;
    let watch = client(&server).inbox_watch().concurrency(2);
    let run = watch.run(move |_| {
        assert!(!at_once, "the handler's mistake");
        async { if true { panic!("the handler's mistake") } else { Ok::<(), Error>(()) } }
    });
    assert!(tokio::spawn(run).await.unwrap_err().is_panic());
    assert_eq!(inbox.unread(), ids(2));
    assert!(inbox.acknowledged().is_empty());
    let again = handle(|stop| watch.stop(stop), 2, |_| false).await;
    assert_eq!(again, ids(2), "the same watch hands them over again");
}

#[tokio::test]
async fn a_panic_in_a_task_is_a_failure() {
    let (server, inbox) = Inbox::with(3).await;
    let stop = CancellationToken::new();
    let count = Arc::new(AtomicUsize::new(0));
    let handler = |notification: Notification| {
        let (stop, count) = (stop.clone(), Arc::clone(&count));
        tokio::spawn(async move {
            assert!(notification.id.as_str() != "n0", "the handler's mistake");
            if count.fetch_add(1, Ordering::Relaxed) == 1 {
                stop.cancel();
            }
        })
    };
    client(&server).inbox_watch().stop(stop.clone()).run(handler).await.unwrap();
    assert_eq!(inbox.unread(), ["n0"]);
}
