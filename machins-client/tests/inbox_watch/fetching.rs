//! Fetching the inbox: pages that are none, errors, and the wait between two looks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use machins_client::{CancellationToken, Client, ClientOptions, Error, ErrorKind, MockClock};
use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::inbox::{Effect, Inbox, ids, notification};
use crate::support::{builder, client};
use crate::{handle, html};

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
