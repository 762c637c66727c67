//! What a handler may be: it may borrow, return any error that can be displayed, be spawned and run
//! concurrently.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use machins_client::{CancellationToken, Notification};

use crate::support::client;
use crate::support::inbox::{Inbox, ids};

async fn one() -> (wiremock::MockServer, Inbox, CancellationToken) {
    let (server, inbox) = Inbox::with(1).await;
    (server, inbox, CancellationToken::new())
}

#[tokio::test]
async fn may_borrow_and_return_a_boxed_error() {
    let (server, inbox, stop) = one().await;
    let client = client(&server);
    let seen = Mutex::new(Vec::new());
    let handler = async |notification: Notification| {
        seen.lock().unwrap().push(notification.id.to_string());
        let _page = client.list_inbox(&machins_client::InboxQuery::new().limit(1)).await?;
        let _number: u32 = "5".parse()?;
        stop.cancel();
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    client.inbox_watch().stop(stop.clone()).run(handler).await.unwrap();
    assert_eq!((seen.into_inner().unwrap(), inbox.unread().len()), (ids(1), 0));
}

#[tokio::test]
async fn may_return_anyhow() {
    let (server, inbox, stop) = one().await;
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let (store, stopping) = (Arc::clone(&reasons), stop.clone());
    let watch = client(&server).inbox_watch().max_attempts(1).stop(stop).on_parked(move |it| {
        store.lock().unwrap().push(it.reason.clone());
        stopping.cancel();
    });
    let handler = async |_: Notification| -> anyhow::Result<()> {
        Err(anyhow::anyhow!("no disk").context("could not store the order"))
    };
    watch.run(handler).await.unwrap();
    assert_eq!(*reasons.lock().unwrap(), ["could not store the order: no disk"]);
    assert_eq!(inbox.unread(), ids(1));
}

#[tokio::test]
async fn may_be_spawned_and_run_concurrently() {
    type BoxError = Box<dyn std::error::Error + Send + Sync>;
    let (server, inbox) = Inbox::with(8).await;
    let (client, stop) = (client(&server), CancellationToken::new());
    let (stopping, handled) = (stop.clone(), Arc::new(AtomicUsize::new(0)));
    // The watch itself need not live on.
    let run = client.inbox_watch().stop(stop).concurrency(4).run(move |notification| {
        let (stopping, handled) = (stopping.clone(), Arc::clone(&handled));
        async move {
            let _number: u32 = notification.id.as_str()[1..].parse()?;
            if handled.fetch_add(1, Ordering::Relaxed) == 7 {
                stopping.cancel();
            }
            Ok::<(), BoxError>(())
        }
    });
    tokio::spawn(run).await.unwrap().unwrap();
    assert_eq!(inbox.unread(), [""; 0]);
}

#[tokio::test]
async fn may_be_a_function_and_may_return_text() {
    async fn handler(_: Notification) -> Result<(), String> {
        Ok(())
    }
    let (server, inbox, stop) = one().await;
    let watch = client(&server).inbox_watch().stop(stop.clone());
    let run = watch.run(handler);
    tokio::select! {
        result = run => panic!("{result:?}"),
        () = async {
            while !inbox.unread().is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
}
