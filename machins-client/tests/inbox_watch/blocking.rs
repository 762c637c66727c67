//! The watch of a blocking client.

use machins_client::{CancellationToken, Error};

use crate::support::builder;
use crate::support::inbox::{Inbox, ids};

fn inbox(count: usize) -> (tokio::runtime::Runtime, wiremock::MockServer, Inbox) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, inbox) = runtime.block_on(Inbox::with(count));
    (runtime, server, inbox)
}

#[test]
fn a_handler_may_make_calls_and_fail() {
    let (_runtime, server, inbox) = inbox(3);
    let client = builder(&server).build_blocking().unwrap();
    let stop = CancellationToken::new();
    let mut given = Vec::new();
    let watch = client.inbox_watch().stop(stop.clone()).concurrency(5);
    watch
        .run(|notification| {
            client.list_inbox(&machins_client::InboxQuery::new().limit(1))?;
            given.push(notification.id.to_string());
            if given.len() == 2 {
                return Err("not now".into());
            }
            if given.len() == 4 {
                stop.cancel();
            }
            Ok::<(), Box<dyn std::error::Error>>(())
        })
        .unwrap();
    assert_eq!(given, ["n0", "n1", "n2", "n1"]);
    assert_eq!(inbox.acknowledged(), [["n0"], ["n2"], ["n1"]]);
}

#[test]
fn a_panicking_handler_acknowledges_nothing() {
    let (_runtime, server, inbox) = inbox(2);
    let client = builder(&server).build_blocking().unwrap();
    let watch = client.inbox_watch();
    let run = std::panic::AssertUnwindSafe(|| {
        watch.run(|_| -> Result<(), Error> { panic!("the handler's mistake") })
    });
    std::panic::catch_unwind(run).unwrap_err();
    assert_eq!((inbox.unread(), inbox.acknowledged().len()), (ids(2), 0));
}

#[test]
fn deliveries_are_an_iterator() {
    let (_runtime, server, inbox) = inbox(3);
    let client = builder(&server).build_blocking().unwrap();
    let stop = CancellationToken::new();
    for delivery in client.inbox_watch().stop(stop.clone()).deliveries() {
        let delivery = delivery.unwrap();
        match delivery.notification().unwrap().id.as_str() {
            "n1" => delivery.park("not for this agent"),
            "n2" => {
                delivery.acknowledge().unwrap();
                stop.cancel();
            }
            _ => delivery.acknowledge().unwrap(),
        }
    }
    assert_eq!(inbox.unread(), ["n1"]);
}
