//! An inbox with more unread notifications than a watch holds: it reads them from the oldest, in few
//! requests, whatever others do meanwhile.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod support;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::ready;

use fastrand::Rng;
use machins_client::{
    ApiKey, CancellationToken, Client, Error, EventType, InboxWatch, ListingType, Money,
    NewListing, Notification, Proposal,
};
use machins_mock::{MockServer, NewAgent};
use support::client;
use support::inbox::{Inbox, ids, notification};

/// Runs the watch until it has handed over this many notifications. Returns their ids.
async fn handle(
    watch: impl FnOnce(CancellationToken) -> InboxWatch,
    count: usize,
    mut each: impl FnMut(&Notification),
) -> Vec<String> {
    let stop = CancellationToken::new();
    let mut given = Vec::new();
    let handler = |notification: Notification| {
        each(&notification);
        given.push(notification.id.to_string());
        if given.len() == count {
            stop.cancel();
        }
        ready(Ok::<(), Error>(()))
    };
    watch(stop.clone()).run(handler).await.unwrap();
    given
}

/// The number of whole pages that were requested. Smaller ones show what is still unread.
async fn whole_pages(server: &wiremock::MockServer) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .filter(|request| request.url.query().unwrap_or("").contains("limit=200"))
        .count()
}

#[tokio::test]
async fn a_backlog_takes_nine_pages_a_thousand() {
    let (server, inbox) = Inbox::with(10_000).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(64);
    assert_eq!(handle(watch, 10_000, |_| {}).await, ids(10_000));
    assert_eq!(inbox.unread(), [""; 0]);
    // One that states the count, six at the end, and two because the total counts those that are read.
    // The pages of the whole list would be 275.
    let pages = whole_pages(&server).await;
    assert!(pages <= 9 * 10, "{pages} pages");
    assert!(inbox.lists() <= 9 * 10 + 10_000 / 64 + 20, "{} requests", inbox.lists());
}

#[tokio::test]
async fn what_others_do_meanwhile_changes_no_order() {
    let trade = |number: usize| format!("t{}", number % 50);
    let entry = |number: usize| notification(&format!("n{number}"), &trade(number), number);
    let (server, inbox) = Inbox::start((0..3_000).rev().map(entry).collect()).await;
    let rng = RefCell::new(Rng::with_seed(7));
    let (mut arrived, mut read_by_others, mut last_of_trade) =
        (3_000, HashSet::new(), HashMap::new());
    let stop = CancellationToken::new();
    let mut given = HashSet::new();
    let handler = |notification: Notification| {
        let number: usize = notification.id.as_str()[1..].parse().unwrap();
        assert!(given.insert(number), "{number} came twice");
        let last = last_of_trade.insert(number % 50, number);
        assert!(last < Some(number), "{number} came after {last:?}");
        let mut rng = rng.borrow_mut();
        if rng.u8(0..10) == 0 && arrived < 3_500 {
            for _ in 0..rng.usize(1..20) {
                inbox.add(entry(arrived));
                arrived += 1;
            }
        }
        if rng.u8(0..20) == 0 {
            // Somebody reads some of those that are not handled yet.
            let first = rng.usize(number + 70..number + 3_000);
            for number in first..first + rng.usize(1..30) {
                if number < arrived {
                    inbox.read(&format!("n{number}"));
                    read_by_others.insert(number);
                }
            }
        }
        if given.union(&read_by_others).count() == arrived {
            stop.cancel();
        }
        ready(Ok::<(), Error>(()))
    };
    let watch = client(&server).inbox_watch().stop(stop.clone()).concurrency(20);
    watch.run(handler).await.unwrap();
    assert_eq!(inbox.unread(), [""; 0]);
}

#[tokio::test]
async fn a_place_behind_the_end_that_is_refused_ends_nothing() {
    let (server, inbox) = Inbox::with(1_700).await;
    inbox.miscount(5_000);
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(64);
    assert_eq!(handle(watch, 1_700, |_| {}).await, ids(1_700));
}

/// The counts of the mock server are those of the whole inbox, whatever the filters.
#[tokio::test]
async fn one_type_of_many_is_read_from_the_oldest() {
    let market = MockServer::start().await;
    let join = |slug: &str| {
        let agent = market.create_agent(NewAgent::new().slug(slug).credits(10_000)).unwrap();
        let key = ApiKey::new(&agent.api_key).unwrap();
        Client::builder().base_url(market.machins_base_url()).api_key(key).build().unwrap()
    };
    let (seller, buyer) = (join("ada"), join("bob"));
    let offer = NewListing::new("Task", "task", ListingType::Task, Money::credits(1));
    let listing = seller.create_listing(&offer).await.unwrap();
    let mut proposed = Vec::new();
    for number in 0..1_600 {
        let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
        if number % 4 == 0 {
            seller.accept_trade(&trade.id).await.unwrap();
            buyer.cancel_trade(&trade.id, None).await.unwrap();
        }
        proposed.push(trade.id.to_string());
    }
    let watch = |stop| {
        let watch = seller.inbox_watch().stop(stop).concurrency(64);
        watch.event_type(EventType::TradeProposed)
    };
    let mut trades = Vec::new();
    let given = handle(watch, 1_600, |notification| {
        trades.push(notification.payload["trade_id"].as_str().unwrap().to_owned());
    });
    assert_eq!(given.await.len(), 1_600);
    assert_eq!(trades, proposed);
}
