//! How a watch ends.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use machins_client::{CancellationToken, ClientOptions, Error};
use rstest::rstest;
use wiremock::ResponseTemplate;

use crate::support::inbox::{Effect, Inbox, ids};
use crate::support::{builder, client, requests};

/// What `select!` does in a loop with a timer.
#[rstest]
#[case::while_handlers_run(1)]
#[case::with_several_at_once(2)]
#[tokio::test]
async fn a_cancelled_run_acknowledges_nothing(#[case] concurrency: usize) {
    let (server, inbox) = Inbox::with(2).await;
    let watch = client(&server).inbox_watch().concurrency(concurrency);
    for _ in 0..10 {
        let begun = tokio::sync::Notify::new();
        let handler = async |_| {
            begun.notify_one();
            pending::<Result<(), Error>>().await
        };
        tokio::select! {
            result = watch.run(handler) => panic!("{result:?}"),
            () = begun.notified() => {}
        }
    }
    assert_eq!(inbox.unread(), ids(2));
    assert!(inbox.acknowledged().is_empty());
    let stop = CancellationToken::new();
    let (watch, count) = (watch.stop(stop.clone()), AtomicUsize::new(0));
    let handler = async |_| {
        if count.fetch_add(1, Ordering::Relaxed) == 1 {
            stop.cancel();
        }
        Ok::<(), Error>(())
    };
    watch.run(handler).await.unwrap();
    assert_eq!(inbox.unread(), [""; 0], "the same watch handles them later");
}

#[tokio::test]
async fn a_stop_ends_the_watch_while_the_inbox_is_fetched() {
    let (server, inbox) = Inbox::with(1).await;
    inbox.fail_list(ResponseTemplate::new(200).set_delay(Duration::from_mins(10)));
    let stop = CancellationToken::new();
    let watch = client(&server).inbox_watch().stop(stop.clone());
    let run = watch.run(async |_| Ok::<(), Error>(()));
    let (result, ()) = tokio::join!(run, async { stop.cancel() });
    result.unwrap();
}

#[tokio::test]
async fn a_stop_waits_for_handlers_and_acknowledges_them() {
    let (server, inbox) = Inbox::with(5).await;
    let stop = CancellationToken::new();
    let begun = AtomicUsize::new(0);
    let handler = async |_| {
        if begun.fetch_add(1, Ordering::Relaxed) == 2 {
            stop.cancel();
        }
        stop.cancelled().await;
        tokio::task::yield_now().await;
        Ok::<(), Error>(())
    };
    let watch = client(&server).inbox_watch().stop(stop.clone()).concurrency(3);
    watch.run(handler).await.unwrap();
    assert_eq!(inbox.unread(), ["n3", "n4"]);
    assert_eq!(inbox.acknowledged().len(), 1, "in one call");
}

/// The acknowledgement under way never ends, and is tried once more after the stop.
#[tokio::test]
async fn a_stop_during_an_acknowledgement_tries_it_once_more() {
    let (server, inbox) = Inbox::with(2).await;
    let hangs = || ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
    inbox.fail_acknowledgement(Effect::None, hangs());
    let stop = CancellationToken::new();
    let mut deliveries = client(&server).inbox_watch().stop(stop.clone()).deliveries();
    let delivery = deliveries.next().await.unwrap().unwrap();
    let acknowledgement = async {
        let mut acknowledgement = Box::pin(delivery.acknowledge());
        while server.received_requests().await.unwrap().len() < 2 {
            assert!(acknowledgement.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        stop.cancel();
        acknowledgement.await
    };
    acknowledgement.await.unwrap();
    assert!(deliveries.next().await.is_none());
    assert_eq!(inbox.unread(), ["n1"]);
}

/// All last tries fail. The limit of an attempt bounds the last one here, five seconds otherwise.
#[tokio::test]
async fn a_stop_in_an_outage_tries_each_acknowledgement_once() {
    let (server, inbox) = Inbox::with(2).await;
    for _ in 0..100 {
        inbox.fail_acknowledgement(Effect::None, ResponseTemplate::new(503));
    }
    let stop = CancellationToken::new();
    let watch = client(&server).inbox_watch().stop(stop.clone()).concurrency(2);
    let begun = AtomicUsize::new(0);
    let handler = async |_| {
        if begun.fetch_add(1, Ordering::Relaxed) == 1 {
            stop.cancel();
        }
        stop.cancelled().await;
        Ok::<(), Error>(())
    };
    watch.run(handler).await.unwrap();
    let requests = requests(&server).await;
    let tries = requests.iter().filter(|request| request.starts_with("POST")).count();
    assert_eq!(tries, 1);
    assert_eq!(inbox.unread(), ids(2));
}

/// Neither the acknowledgement nor the last try is ever answered.
#[tokio::test]
async fn a_stop_ends_the_watch_though_nothing_is_answered() {
    let (server, inbox) = Inbox::with(1).await;
    for _ in 0..10 {
        let hangs = ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
        inbox.fail_acknowledgement(Effect::None, hangs);
    }
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(300)).max_attempts(1);
    let client = builder(&server).options(options).build().unwrap();
    let stop = CancellationToken::new();
    let watch = client.inbox_watch().stop(stop.clone());
    let mut run = std::pin::pin!(watch.run(async |_| Ok::<(), Error>(())));
    let tries = async || {
        let requests = requests(&server).await;
        requests.iter().filter(|request| request.starts_with("POST")).count()
    };
    while tries().await == 0 {
        assert!(run.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    stop.cancel();
    run.await.unwrap();
    assert_eq!(tries().await, 2, "one last try");
    assert_eq!(inbox.unread(), ids(1));
}
