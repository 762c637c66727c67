//! When a notification is acknowledged, and what becomes of an acknowledgement that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use machins_client::{Error, ErrorKind, Notification};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::client;
use crate::support::inbox::{Effect, Inbox, ids, notification};
use crate::{handle, html};

#[tokio::test]
async fn only_a_handled_notification_is_acknowledged() {
    let (server, inbox) = Inbox::with(3).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    let given = handle(watch, 3, |notification| {
        assert!(inbox.unread().contains(&notification.id.to_string()), "before it was handled");
        false
    });
    assert_eq!(given.await, ids(3));
    assert_eq!(inbox.acknowledged(), [["n0"], ["n1"], ["n2"]]);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_made_again_and_repeats_nothing() {
    let (server, inbox) = Inbox::with(3).await;
    for effect in [Effect::Done, Effect::None, Effect::Done, Effect::None] {
        inbox.fail_acknowledgement(effect, ResponseTemplate::new(500));
    }
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    assert_eq!(handle(watch, 3, |_| false).await, ids(3));
    assert_eq!(inbox.unread(), [""; 0]);
}

#[tokio::test]
async fn an_acknowledgement_may_be_confirmed_without_a_body() {
    let (server, inbox) = Inbox::with(250).await;
    for _ in 0..250 {
        inbox.fail_acknowledgement(Effect::Done, ResponseTemplate::new(204));
    }
    let errors = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&errors);
    let watch = |stop| {
        let watch = client(&server).inbox_watch().stop(stop);
        watch.on_error(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        })
    };
    assert_eq!(handle(watch, 250, |_| false).await, ids(250));
    assert_eq!(inbox.unread(), [""; 0]);
    assert_eq!((errors.load(Ordering::Relaxed), inbox.acknowledged().len()), (0, 250));
}

#[tokio::test]
async fn nothing_is_given_twice_if_acknowledgements_are_ignored() {
    let (server, inbox) = Inbox::with(1).await;
    for _ in 0..3 {
        let ignored = ResponseTemplate::new(200).set_body_json(json!({"acknowledged": 0}));
        inbox.fail_acknowledgement(Effect::None, ignored);
    }
    let mut deliveries = client(&server).inbox_watch().deliveries();
    deliveries.next().await.unwrap().unwrap().acknowledge().await.unwrap();
    assert_eq!(inbox.unread(), ["n0"]);
    inbox.add(notification("n1", "t", 5));
    let next = deliveries.next().await.unwrap().unwrap();
    assert_eq!(next.notification().unwrap().id.as_str(), "n1");
    drop(next);
}

#[tokio::test]
async fn an_id_that_the_service_refuses_holds_no_other_up() {
    let (server, inbox) = Inbox::with(6).await;
    inbox.refuse("n2");
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(3);
    assert_eq!(handle(watch, 6, |_| false).await, ids(6));
    let unread = inbox.unread();
    assert!(unread.contains(&"n2".to_owned()) && unread.len() <= 4, "{unread:?}");
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(3);
    inbox.add(notification("n9", "n9", 9));
    let given = handle(watch, unread.len() + 1, |_| false).await;
    assert_eq!(given.len(), unread.len() + 1);
}

#[tokio::test]
async fn an_acknowledgement_dropped_at_once_is_made_later() {
    let (server, inbox) = Inbox::with(2).await;
    let mut deliveries = client(&server).inbox_watch().deliveries();
    drop(deliveries.next().await.unwrap().unwrap().acknowledge());
    let second = deliveries.next().await.unwrap().unwrap();
    assert_eq!(second.notification().unwrap().id.as_str(), "n1");
    assert_eq!(inbox.unread(), ["n1"]);
}

#[tokio::test]
async fn an_error_that_ends_the_watch_loses_no_acknowledgement() {
    let (server, inbox) = Inbox::with(1).await;
    let handler = async |_: Notification| {
        inbox.fail_list(ResponseTemplate::new(403).set_body_json(json!({"detail": "no"})));
        let lists = inbox.lists();
        while inbox.lists() == lists {
            tokio::task::yield_now().await;
        }
        Ok::<(), Error>(())
    };
    let error = client(&server).inbox_watch().concurrency(2).run(handler).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(inbox.unread(), [""; 0]);
}

#[tokio::test]
async fn a_delivery_is_acknowledged_through_an_outage() {
    let (server, inbox) = Inbox::with(1).await;
    for page in [html(200), html(404), ResponseTemplate::new(503), html(502)] {
        inbox.fail_acknowledgement(Effect::None, page);
    }
    let mut deliveries = client(&server).inbox_watch().deliveries();
    deliveries.next().await.unwrap().unwrap().acknowledge().await.unwrap();
    assert_eq!(inbox.unread(), [""; 0]);
}
