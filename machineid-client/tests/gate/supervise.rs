//! Work that runs only as long as it is allowed to.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machineid_client::{ClientOptions, Clock, DecisionCode, Gate};
use rstest::rstest;
use tokio::sync::mpsc;

use crate::servers::{client_with_clock, held_server, request_count, revoked, server_with};
use crate::support::{Allow, allow, allowing_server, builder, client, deny, device};
use test_support::server;

/// Records that it was dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Work that is always ready, and so uses up the cooperative budget of its task at every poll.
async fn busy() {
    let (sender, mut queue) = mpsc::unbounded_channel();
    sender.send(()).unwrap();
    while let Some(job) = queue.recv().await {
        sender.send(job).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_work_is_checked_and_dropped() {
    let server = server_with(1, Allow, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let supervised = tokio::spawn({
        let gate = gate.clone();
        async move { gate.supervise(Duration::from_millis(1), busy()).await }
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), supervised).await;
    assert!(matches!(ended, Ok(Ok(Err(_)))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_work_is_dropped_after_the_grace() {
    let server = server_with(1, Allow, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let supervised = tokio::spawn(async move {
        let (every, grace) = (Duration::from_millis(1), Duration::from_millis(1));
        gate.supervise_gracefully(every, grace, |_| busy()).await
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), supervised).await;
    assert!(matches!(ended, Ok(Ok(Err(_)))), "{ended:?}");
}

#[tokio::test]
async fn supervise_drops_the_work_on_the_first_denial() {
    let server = server_with(3, Allow, revoked()).await;
    let (client, clock) = client_with_clock(&server.uri());
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&dropped));
    let work = async move {
        let _guard = guard;
        pending::<()>().await;
    };
    let gate = Gate::new(&client, device());
    let denied = gate.supervise(Duration::from_secs(30), work).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert!(dropped.load(Ordering::SeqCst));
    assert_eq!(request_count(&server).await, 4, "one check at the start and one every interval");
    assert_eq!(clock.slept(), [Duration::from_secs(30); 3]);
}

#[tokio::test]
async fn supervise_asks_at_most_ten_times_a_second() {
    let server = server_with(4, Allow, revoked()).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device());
    gate.supervise(Duration::ZERO, pending::<()>()).await.unwrap_err();
    assert_eq!(clock.slept(), [Duration::from_millis(100); 4]);
}

#[rstest]
#[case::revoked_meanwhile(1, Err(DecisionCode::DeviceRevoked))]
#[case::still_allowed(2, Ok("done"))]
#[tokio::test]
async fn work_that_blocked_its_thread_is_checked_once_more(
    #[case] allowed: u64,
    #[case] expected: Result<&str, DecisionCode>,
) {
    let server = server_with(allowed, Allow, revoked()).await;
    let (client, clock) = client_with_clock(&server.uri());
    let work = async {
        // Time passes without an await.
        drop(clock.sleep(Duration::from_secs(31)));
        "done"
    };
    let gate = Gate::new(&client, device());
    let result = gate.supervise(Duration::from_secs(30), work).await;
    assert_eq!(result.map_err(|denied| denied.code().clone()), expected);
    assert_eq!(request_count(&server).await, 2);
}

#[tokio::test]
async fn supervise_does_not_start_work_that_is_denied() {
    let server = server(200, &deny("DEVICE_NOT_FOUND")).await;
    let started = AtomicBool::new(false);
    let work = async { started.store(true, Ordering::SeqCst) };
    let gate = Gate::new(&client(&server), device());
    gate.supervise(Duration::from_secs(1), work).await.unwrap_err();
    assert!(!started.load(Ordering::SeqCst));
}

#[tokio::test]
async fn supervise_returns_the_result_of_the_work() {
    let server = allowing_server().await;
    let gate = Gate::new(&client(&server), device());
    assert_eq!(gate.supervise(Duration::from_secs(30), async { "done" }).await.unwrap(), "done");
    assert_eq!(request_count(&server).await, 1);
}

#[tokio::test]
async fn a_check_that_hangs_ends_the_work_within_the_time_limit() {
    let (url, mut requests) = held_server().await;
    let options = ClientOptions::new().timeout(Duration::from_secs(1));
    let gate = Gate::new(&builder(&url).options(options).build().unwrap(), device());
    let supervised = tokio::spawn(async move {
        gate.supervise(Duration::from_millis(1), pending::<()>()).await.unwrap_err()
    });
    requests.recv().await.unwrap().send(allow()).unwrap();
    let _never_answered = requests.recv().await.unwrap();
    assert!(supervised.await.unwrap().is_outage());
}

#[tokio::test]
async fn work_can_stop_by_itself_when_its_token_is_cancelled() {
    let server = server_with(1, Allow, revoked()).await;
    let (client, _) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device());
    let cleaned_up = AtomicBool::new(false);
    let denied = gate
        .supervise_gracefully(Duration::from_secs(1), Duration::from_hours(1), async |stop| {
            stop.cancelled().await;
            cleaned_up.store(true, Ordering::SeqCst);
        })
        .await
        .unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert!(cleaned_up.load(Ordering::SeqCst));
}

#[tokio::test]
async fn work_that_ignores_its_token_is_dropped_after_the_grace() {
    let server = server_with(1, Allow, revoked()).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device());
    let (every, grace) = (Duration::from_secs(1), Duration::from_secs(7));
    gate.supervise_gracefully(every, grace, |_| pending::<()>()).await.unwrap_err();
    assert_eq!(clock.slept(), [every, grace]);
}
