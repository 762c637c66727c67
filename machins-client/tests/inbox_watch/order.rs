//! In which order notifications are handled, and that none comes twice.

use std::cell::RefCell;
use std::collections::HashSet;

use machins_client::{CancellationToken, ClientOptions, EventType, MockClock, Notification};
use rstest::rstest;
use serde_json::{Value, json};

use crate::handle;
use crate::support::inbox::{Inbox, ids, notification};
use crate::support::{builder, client};

fn say_time(entries: &mut [Value], time: &Value) {
    for entry in entries {
        entry["created_at"] = time.clone();
    }
}

#[rstest]
#[case::newest_first(|entries: &mut Vec<Value>| entries.reverse())]
#[case::oldest_first(|_: &mut Vec<Value>| {})]
#[case::in_any_order(|entries: &mut Vec<Value>| entries.sort_by_key(|entry| {
    let id = entry["id"].as_str().unwrap().to_owned();
    id.chars().rev().collect::<String>()
}))]
#[case::newest_first_without_times(|entries: &mut Vec<Value>| {
    entries.reverse();
    say_time(entries, &Value::Null);
})]
#[case::newest_first_of_one_moment(|entries: &mut Vec<Value>| {
    entries.reverse();
    say_time(entries, &json!("2026-03-01T12:00:00Z"));
})]
#[tokio::test]
async fn the_oldest_of_all_pages_comes_first(#[case] order: fn(&mut Vec<Value>)) {
    let ids = ids(405);
    let mut entries: Vec<_> =
        ids.iter().enumerate().map(|(minute, id)| notification(id, id, minute)).collect();
    order(&mut entries);
    let (server, inbox) = Inbox::start(entries).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(20);
    assert_eq!(handle(watch, 405, |_| false).await, ids);
    assert_eq!(inbox.unread(), [""; 0]);
}

#[tokio::test]
async fn more_than_the_watch_holds_are_handled_in_order() {
    let (server, inbox) = Inbox::with(1_100).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop).concurrency(100);
    assert_eq!(handle(watch, 1_100, |_| false).await, ids(1_100));
    assert_eq!(inbox.unread(), [""; 0]);
    assert!(inbox.lists() < 100, "{}", inbox.lists());
}

#[tokio::test]
async fn arrivals_meanwhile_are_handled_after_the_older() {
    let (server, inbox) = Inbox::with(60).await;
    let arriving = RefCell::new((100..160).map(|minute| format!("n{minute}")));
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    let given = handle(watch, 120, |_| {
        if let Some(id) = arriving.borrow_mut().next() {
            inbox.add(notification(&id, &id, id[1..].parse().unwrap()));
        }
        false
    });
    let expected: Vec<String> =
        ids(60).into_iter().chain((100..160).map(|minute| format!("n{minute}"))).collect();
    assert_eq!(given.await, expected);
}

#[tokio::test]
async fn another_type_of_event_stays_unread() {
    let (server, inbox) = Inbox::with(2).await;
    let mut other = notification("other", "other", 0);
    other["event_type"] = json!("trade_completed");
    inbox.add(other);
    let watch =
        |stop| client(&server).inbox_watch().stop(stop).event_type(EventType::TradeProposed);
    assert_eq!(handle(watch, 2, |_| false).await, ids(2));
    assert_eq!(inbox.unread(), ["other"]);
    let query = server.received_requests().await.unwrap()[0].url.query().unwrap().to_owned();
    assert_eq!(query, "unread=true&event_type=trade_proposed&limit=200");
}

#[tokio::test]
async fn events_of_one_trade_keep_their_order() {
    // Of each of 4 trades there are 10 events, and 8 handlers run at once.
    let entries = (0..40)
        .rev()
        .map(|number| notification(&format!("n{number}"), &format!("t{}", number % 4), number));
    let (server, _inbox) = Inbox::start(entries.collect()).await;
    let (running, given) = (RefCell::new(HashSet::new()), RefCell::new(Vec::new()));
    let stop = CancellationToken::new();
    let (failures, most) = (RefCell::new(0), RefCell::new(0));
    let handler = async |notification: Notification| {
        let number: usize = notification.id.as_str()[1..].parse().unwrap();
        assert!(running.borrow_mut().insert(number % 4), "two of one trade at once");
        let at_once = running.borrow().len();
        most.replace_with(|most| at_once.max(*most));
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        running.borrow_mut().remove(&(number % 4));
        if number == 5 && *failures.borrow() < 3 {
            *failures.borrow_mut() += 1;
            return Err("not yet");
        }
        given.borrow_mut().push(number);
        if given.borrow().len() == 40 {
            stop.cancel();
        }
        Ok(())
    };
    client(&server).inbox_watch().stop(stop.clone()).concurrency(8).run(handler).await.unwrap();
    for trade in 0..4 {
        let numbers: Vec<usize> =
            given.borrow().iter().copied().filter(|number| number % 4 == trade).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    assert_eq!(most.into_inner(), 4, "trades are handled at once");
}

/// The page was fetched by both before either handled anything.
#[rstest]
#[case::one(2)]
#[case::many(80)]
#[tokio::test]
async fn two_watches_do_not_repeat_what_is_acknowledged(#[case] count: usize) {
    let (server, inbox) = Inbox::with(count).await;
    let (one, two) = (client(&server).inbox_watch(), client(&server).inbox_watch());
    let (mut one, mut two) = (one.deliveries(), two.deliveries());
    let id =
        |delivery: &machins_client::InboxDelivery| delivery.notification().unwrap().id.to_string();
    let mut given = Vec::new();
    while !inbox.unread().is_empty() {
        for deliveries in [&mut one, &mut two] {
            if inbox.unread().is_empty() {
                break;
            }
            let delivery = deliveries.next().await.unwrap().unwrap();
            given.push(id(&delivery));
            delivery.acknowledge().await.unwrap();
        }
    }
    assert_eq!(given, ids(count));
}

#[tokio::test]
async fn what_another_program_reads_meanwhile_is_left_out() {
    let (server, inbox) = Inbox::with(210).await;
    let watch = |stop| client(&server).inbox_watch().stop(stop);
    let given = handle(watch, 106, |notification| {
        // Handling one, somebody else handles the next one, and in the middle many.
        let number: usize = notification.id.as_str()[1..].parse().unwrap();
        inbox.read(&format!("n{}", number + 1));
        false
    });
    let expected: Vec<String> = ids(212).into_iter().step_by(2).collect();
    inbox.add(notification("n210", "n210", 210));
    assert_eq!(given.await, expected);
}

#[tokio::test]
async fn entries_too_large_for_one_page_are_fetched_in_smaller_ones() {
    let mut entries: Vec<Value> = (0..60).map(|n| notification(&format!("n{n}"), "t", n)).collect();
    for entry in &mut entries {
        entry["payload"]["terms"] = "x".repeat(2_000).into();
    }
    let (server, inbox) = Inbox::start(entries).await;
    let options = ClientOptions::new().max_reply_bytes(10_000).clock(MockClock::new(0.0));
    let client = builder(&server).options(options).build().unwrap();
    let watch = |stop| client.inbox_watch().stop(stop);
    assert_eq!(handle(watch, 60, |_| false).await, ids(60));
    assert_eq!(inbox.unread(), [""; 0]);
}
