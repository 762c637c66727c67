//! Concurrent checks share requests, but never one that began before the check.

use std::sync::Arc;
use std::time::Duration;

use machineid_client::{ClientOptions, ErrorKind, Gate, Reason};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::clock::{ManualClock, until};
use crate::servers::{client_with_clock, held_server, request_count};
use crate::support::{allow, allowing_server, builder, client, deny, device};

fn current_thread_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn a_decision_is_never_older_than_its_check() {
    let (url, mut requests) = held_server().await;
    let gate = Gate::new(&builder(&url).build().unwrap(), device());

    let first = tokio::spawn({
        let gate = gate.clone();
        async move { gate.check().await.is_ok() }
    });
    let first_request = requests.recv().await.unwrap();

    // The first request is in flight. Later checks must not get its answer.
    let late: Vec<_> = (0..100)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.check().await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    first_request.send(allow()).unwrap();
    assert!(first.await.unwrap());

    // All of them share one request, which began after they did. The device is revoked now.
    requests.recv().await.unwrap().send(deny("DEVICE_REVOKED")).unwrap();
    for check in late {
        assert!(!check.await.unwrap(), "an old permit was given to a later check");
    }
    assert!(requests.try_recv().is_err(), "all hundred checks share one request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn checks_that_start_together_share_one_request() {
    const CALLERS: usize = 10;
    const TIMES: usize = 20;
    let server = allowing_server().await;
    let gate = Gate::new(&client(&server), device());
    let ready = Arc::new(Barrier::new(CALLERS));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (gate, ready) = (gate.clone(), Arc::clone(&ready));
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    ready.wait().await;
                    let _permit = gate.check().await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    // Two each time if the first check did not wait for the others. Sometimes the runtime sends
    // the request before all checks have joined.
    let requests = request_count(&server).await;
    assert!((TIMES..TIMES * 3 / 2).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_caller_that_stops_waiting_cancels_no_other() {
    let (url, mut requests) = held_server().await;
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let check = |gate: &Gate| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.check().await.is_ok() })
    };
    let first = check(&gate);
    let held = requests.recv().await.unwrap();
    let (second, third) = (check(&gate), check(&gate));
    tokio::task::yield_now().await;
    first.abort();
    second.abort();
    held.send(allow()).unwrap();
    requests.recv().await.unwrap().send(allow()).unwrap();
    assert!(third.await.unwrap());
}

#[tokio::test]
async fn a_request_that_hangs_does_not_hold_up_the_next_check() {
    let (url, mut requests) = held_server().await;
    let clock = ManualClock::new();
    let options = ClientOptions::new().clock(clock.clone());
    let gate = Gate::new(&builder(&url).options(options).build().unwrap(), device());
    let check = |gate: &Gate| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.check().await.is_ok() })
    };
    let first = check(&gate);
    let hanging = requests.recv().await.unwrap();
    let second = check(&gate);
    until(async || clock.sleepers() == 1).await;
    assert!(requests.try_recv().is_err(), "it waits for the first for a while");

    clock.advance(Duration::from_secs(1));
    let other = tokio::time::timeout(Duration::from_secs(20), requests.recv()).await;
    other.expect("it is sent beside the first").unwrap().send(deny("DEVICE_REVOKED")).unwrap();
    assert!(!second.await.unwrap());
    hanging.send(allow()).unwrap();
    assert!(first.await.unwrap());
}

/// Reads from a connection until it is closed.
async fn is_closed(mut stream: TcpStream) -> bool {
    let closed = async { while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {} };
    tokio::time::timeout(Duration::from_secs(20), closed).await.is_ok()
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let checks = [(); 2].map(|()| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.check().await.map(drop) })
    });
    let (stream, _) = listener.accept().await.unwrap();
    for check in checks {
        check.abort();
    }
    assert!(is_closed(stream).await);
}

#[tokio::test]
async fn a_check_that_nobody_waits_for_asks_no_more() {
    let outage = ResponseTemplate::new(503).set_body_json(deny("SYSTEM_UNAVAILABLE"));
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(outage).mount(&server).await;
    let (client, _) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_hours(1_000_000));
    let check = tokio::spawn(async move { gate.check().await.map(drop) });
    until(async || request_count(&server).await > 2).await;
    check.abort();
    drop(client);

    assert!(check.await.unwrap_err().is_cancelled());
    let asked = request_count(&server).await;
    // The answers to other requests tell that time has passed.
    let (other, _) = client_with_clock(&server.uri());
    for _ in 0..20 {
        other.usage().await.unwrap_err();
    }
    let usage = "/api/v1/usage";
    let requests = server.received_requests().await.unwrap();
    let asked_later = requests.iter().filter(|request| request.url.path() != usage).count();
    assert!(asked_later <= asked + 1, "{asked} {asked_later}");
}

#[test]
fn a_gate_outlives_the_runtime_of_its_first_check() {
    let servers = Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let first = Runtime::new().unwrap();
    let checked = gate.clone();
    first.spawn(async move { checked.check().await.map(drop) });
    let _never_answered = servers.block_on(requests.recv()).unwrap();
    first.shutdown_background();

    servers.spawn(async move {
        while let Some(held) = requests.recv().await {
            held.send(allow()).unwrap();
        }
    });
    let second = Runtime::new().unwrap();
    // Checks that joined the lost request are denied. Later ones succeed.
    let answer = second.block_on(async {
        let check = async {
            loop {
                match gate.check().await {
                    Err(denied) if denied.is_outage() => tokio::task::yield_now().await,
                    answer => return answer,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), check).await
    });
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
}

#[test]
fn a_runtime_that_is_not_being_run_delays_no_other() {
    let servers = Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());

    // The first runtime is not run any more while its request is in flight.
    let idle = current_thread_runtime();
    let checked = gate.clone();
    idle.spawn(async move { checked.check().await.map(drop) });
    let _unanswered = idle.block_on(requests.recv()).unwrap();

    servers.spawn(async move {
        while let Some(held) = requests.recv().await {
            held.send(allow()).unwrap();
        }
    });
    let answer = current_thread_runtime()
        .block_on(async { tokio::time::timeout(Duration::from_secs(20), gate.check()).await });
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
}

#[test]
fn a_check_whose_task_ends_does_not_claim_it_was_not_sent() {
    let servers = Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let mut check = Box::pin(gate.check());
    let first = current_thread_runtime();
    let _never_answered = first.block_on(async {
        tokio::select! {
            biased;
            result = &mut check => panic!("there is no answer yet: {result:?}"),
            request = requests.recv() => request.unwrap(),
        }
    });
    drop(first);

    let denied = servers.block_on(check).unwrap_err();
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(denied.is_outage());
}
