//! The inbox watch: each notification at least once, the oldest first, acknowledged after it was
//! handled.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod support;

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use machins_client::{
    CancellationToken, Client, ClientOptions, Error, ErrorKind, Event, EventType, InboxWatch,
    MockClock, Notification, ParkedNotification,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::inbox::{Effect, Inbox, ids, notification};
use support::{builder, client};
use wiremock::ResponseTemplate;

/// A page such as a proxy answers.
fn html(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html>Please wait</html>", "text/html")
}

/// Runs the watch until the handler has succeeded this many times. Returns the ids in the order in
/// which they were given to the handler.
async fn handle(
    watch: impl FnOnce(CancellationToken) -> InboxWatch,
    count: usize,
    fails: impl Fn(&Notification) -> bool,
) -> Vec<String> {
    let stop = CancellationToken::new();
    let (given, done) = (RefCell::new(Vec::new()), RefCell::new(0));
    let handler = |notification: Notification| {
        given.borrow_mut().push(notification.id.to_string());
        let result = if fails(&notification) { Err("not now") } else { Ok(()) };
        if result.is_ok() {
            *done.borrow_mut() += 1;
        }
        if *done.borrow() == count {
            stop.cancel();
        }
        ready(result)
    };
    watch(stop.clone()).run(handler).await.unwrap();
    given.into_inner()
}

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
#[case::html(html(200), Effect::None)]
#[case::html_502(html(502), Effect::None)]
#[case::html_404(html(404), Effect::None)]
#[case::html_403(html(403), Effect::None)]
#[case::redirect(ResponseTemplate::new(302).insert_header("location", "/login"), Effect::None)]
#[case::unavailable(ResponseTemplate::new(503), Effect::None)]
#[case::rate_limited(ResponseTemplate::new(429).insert_header("retry-after", "7"), Effect::None)]
#[case::not_a_page(ResponseTemplate::new(200).set_body_json(json!({"items": 5})), Effect::Done)]
#[case::cut_off(ResponseTemplate::new(200).set_body_string("{\"items\": ["), Effect::None)]
#[tokio::test]
async fn a_page_in_between_does_not_end_the_watch(
    #[case] page: ResponseTemplate,
    #[case] effect: Effect,
) {
    let (server, inbox) = Inbox::with(3).await;
    for _ in 0..4 {
        inbox.fail_list(page.clone());
    }
    inbox.fail_acknowledgement(effect, page.clone());
    let errors = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&errors);
    let watch = |stop| {
        client(&server).inbox_watch().stop(stop).on_error(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    };
    assert_eq!(handle(watch, 3, |_| false).await, ids(3));
    assert_eq!(inbox.unread(), [""; 0]);
    assert!(errors.load(Ordering::Relaxed) > 0, "errors are reported");
}

#[tokio::test]
async fn an_error_and_an_empty_page_are_told() {
    let (server, inbox) = Inbox::with(0).await;
    inbox.fail_list(html(404));
    let (stop, told) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
    let (stopping, errors, pages) = (stop.clone(), Arc::clone(&told), Arc::clone(&told));
    let watch = client(&server).inbox_watch().stop(stop);
    let watch = watch.on_error(move |_| errors.lock().unwrap().push("error")).on_page(move || {
        pages.lock().unwrap().push("page");
        stopping.cancel();
    });
    watch.run(async |_| Ok::<(), Error>(())).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["error", "page"]);
}

#[rstest]
#[case::unauthorized(401, ErrorKind::Unauthorized)]
#[case::forbidden(403, ErrorKind::Forbidden)]
#[case::not_found(404, ErrorKind::NotFound)]
#[case::bad_request(400, ErrorKind::BadRequest)]
#[tokio::test]
async fn an_error_that_will_not_pass_ends_the_watch(#[case] status: u16, #[case] kind: ErrorKind) {
    let (server, inbox) = Inbox::with(1).await;
    inbox.fail_list(ResponseTemplate::new(status).set_body_json(json!({"detail": "no"})));
    let watch = client(&server).inbox_watch();
    let error = watch.run(async |_| Ok::<(), Error>(())).await.unwrap_err();
    assert_eq!(error.kind(), kind);
}

#[tokio::test]
async fn a_watch_without_a_key_ends() {
    let (server, _inbox) = Inbox::with(1).await;
    let url = format!("{}/api/v1", server.uri());
    let client = Client::builder().base_url(url).build().unwrap();
    let error = client.inbox_watch().run(async |_| Ok::<(), Error>(())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
}

#[tokio::test]
async fn an_empty_inbox_is_fetched_again_after_a_growing_wait() {
    let (server, inbox) = Inbox::with(0).await;
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().clock(clock.clone());
    let client = builder(&server).options(options).build().unwrap();
    let watch = client.inbox_watch().every(Duration::from_secs(2), Duration::from_secs(9));
    let mut deliveries = watch.deliveries();
    while clock.slept().len() < 5 {
        assert!(deliveries.next().now_or_never().is_none(), "nothing is there");
        tokio::task::yield_now().await;
    }
    let slept: Vec<u64> = clock.slept().iter().map(Duration::as_secs).collect();
    assert_eq!(slept[..5], [2, 4, 8, 9, 9]);
    inbox.add(notification("n0", "t", 0));
    assert_eq!(deliveries.next().await.unwrap().unwrap().notification().unwrap().id.as_str(), "n0");
}

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
    let requests = support::requests(&server).await;
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
        let requests = support::requests(&server).await;
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
async fn a_waker_ends_the_wait_for_the_next_look() {
    let (server, inbox) = Inbox::with(0).await;
    let client = builder(&server).options(ClientOptions::new()).build().unwrap();
    let hour = Duration::from_secs(60 * 60);
    let watch = client.inbox_watch().every(hour, hour);
    let (waker, mut deliveries) = (watch.waker(), watch.deliveries());
    let wake = async {
        // It has looked, and waits.
        while server.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        inbox.add(notification("n1", "t1", 1));
        waker.wake();
    };
    let next = async { tokio::join!(deliveries.next(), wake).0 };
    let next = tokio::time::timeout(Duration::from_secs(30), next).await;
    let delivery = next.expect("it looks again").unwrap().unwrap();
    assert_eq!(delivery.notification().unwrap().id.as_str(), "n1");
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
async fn an_acknowledgement_dropped_at_once_is_made_later() {
    let (server, inbox) = Inbox::with(2).await;
    let mut deliveries = client(&server).inbox_watch().deliveries();
    drop(deliveries.next().await.unwrap().unwrap().acknowledge());
    let second = deliveries.next().await.unwrap().unwrap();
    assert_eq!(second.notification().unwrap().id.as_str(), "n1");
    assert_eq!(inbox.unread(), ["n1"]);
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

/// A handler may borrow, return any error that can be displayed, be spawned and run concurrently.
mod handlers {
    use super::*;

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
}

#[cfg(feature = "blocking")]
mod blocking {
    use super::*;

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
}
