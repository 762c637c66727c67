//! The gate: fails closed, shares requests only in the safe way, ends work on a denial.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use machineid_client::{
    Client, ClientOptions, DecisionCode, ErrorKind, Gate, MockClock, Reason, Registration,
};
use serde_json::{Value, json};
use support::{allow, builder, client, deny, device, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, mpsc, oneshot};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn paced_client(url: &str) -> (Client, MockClock) {
    let clock = MockClock::new(0.5);
    let options = ClientOptions::new().clock(clock.clone());
    (builder(url).options(options).build().unwrap(), clock)
}

/// A server that allows `times` times and then gives `last` for ever.
async fn allowing(times: u64, last: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(allow()))
        .up_to_n_times(times)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(last).mount(&server).await;
    server
}

fn revoked() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(deny("DEVICE_REVOKED"))
}

/// Says so when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn a_permit_names_device_and_request() {
    let server = server(200, &allow()).await;
    let permit = Gate::new(&client(&server), device()).check().await.unwrap();
    assert_eq!(permit.device(), &device());
    assert_eq!(permit.request_id(), allow()["request_id"].as_str());
}

#[tokio::test]
async fn no_answer_at_all_denies_with_the_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(denied.is_outage());
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(std::error::Error::source(&denied).is_some());
}

#[tokio::test]
async fn a_server_that_hangs_denies_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = ClientOptions::new().timeout(Duration::from_millis(50));
    let gate = Gate::new(&builder(&url).options(options).build().unwrap(), device());
    let denied = gate.check().await.unwrap_err();
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_outage_denies_at_once_by_default() {
    let server = MockServer::start().await;
    let outage = ResponseTemplate::new(503).set_body_json(deny("SYSTEM_UNAVAILABLE"));
    Mock::given(any()).respond_with(outage).up_to_n_times(1).mount(&server).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(allow()))
        .mount(&server)
        .await;
    let (client, clock) = paced_client(&server.uri());
    let denied = Gate::new(&client, device()).check().await.unwrap_err();
    assert!(denied.is_outage());
    assert_eq!(requests(&server).await, 1);
    assert!(clock.slept().is_empty());
}

#[tokio::test]
async fn a_grace_outlasts_an_outage_but_not_for_longer() {
    for outage in [
        ResponseTemplate::new(503).set_body_json(deny("SYSTEM_UNAVAILABLE")),
        ResponseTemplate::new(200).set_body_json(deny("SYSTEM_UNAVAILABLE")),
        ResponseTemplate::new(502).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_string("{\"allowed\":tr"),
    ] {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(outage.clone()).up_to_n_times(5).mount(&server).await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(allow()))
            .mount(&server)
            .await;
        let (client, _) = paced_client(&server.uri());
        let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(30));
        assert!(gate.check().await.is_ok());
        assert_eq!(requests(&server).await, 6);

        let server = MockServer::start().await;
        Mock::given(any()).respond_with(outage).mount(&server).await;
        let (client, clock) = paced_client(&server.uri());
        let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(30));
        assert!(gate.check().await.unwrap_err().is_outage());
        let slept: Duration = clock.slept().iter().sum();
        assert!((Duration::from_secs(20)..Duration::from_secs(30)).contains(&slept), "{slept:?}");
    }
}

#[tokio::test]
async fn a_grace_never_delays_another_denial() {
    for code in ["ORG_DISABLED", "DEVICE_REVOKED", "INVALID_ORG_KEY", "SOMETHING_NEW"] {
        let server = server(200, &deny(code)).await;
        let (client, clock) = paced_client(&server.uri());
        let gate = Gate::new(&client, device()).outage_grace(Duration::from_hours(1));
        assert_eq!(gate.check().await.unwrap_err().code().as_str(), code);
        assert!(clock.slept().is_empty());
        assert_eq!(requests(&server).await, 1);
    }
}

/// A validate request that waits for the test to answer it.
type Held = oneshot::Sender<Value>;

/// A server that hands each request to the test.
async fn held_server() -> (String, mpsc::UnboundedReceiver<Held>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel::<Held>();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                    let (held, answer) = oneshot::channel();
                    sender.send(held).unwrap();
                    let body = answer.await.unwrap().to_string();
                    let length = body.len();
                    let reply =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_decision_is_never_older_than_the_asking() {
    let (url, mut requests) = held_server().await;
    let gate = Gate::new(&builder(&url).build().unwrap(), device());

    let first = tokio::spawn({
        let gate = gate.clone();
        async move { gate.check().await.is_ok() }
    });
    let first_request = requests.recv().await.unwrap();

    // The first request is under way. Whoever asks now must not be given its answer.
    let late: Vec<_> = (0..100)
        .map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.check().await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    first_request.send(allow()).unwrap();
    assert!(first.await.unwrap());

    // All of them share one request, which began after they asked. The device is revoked now.
    requests.recv().await.unwrap().send(deny("DEVICE_REVOKED")).unwrap();
    for check in late {
        assert!(!check.await.unwrap(), "an old yes was handed to a new question");
    }
    assert!(requests.try_recv().is_err(), "one request served all hundred");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn those_who_are_ready_to_ask_share_one_request() {
    const CALLERS: usize = 10;
    const TIMES: usize = 20;
    let server = server(200, &allow()).await;
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
    // Two each time if the first to ask did not wait for the others. Now and then the runtime
    // lets the request go before all have come.
    let requests = requests(&server).await;
    assert!((TIMES..TIMES * 3 / 2).contains(&requests), "{requests}");
}

#[tokio::test]
async fn a_caller_who_gives_up_takes_nobody_along() {
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

#[test]
fn a_gate_outlives_the_runtime_that_asked_first() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let first = tokio::runtime::Runtime::new().unwrap();
    let asked = gate.clone();
    first.spawn(async move { asked.check().await.map(drop) });
    let _never_answered = servers.block_on(requests.recv()).unwrap();
    first.shutdown_background();

    servers.spawn(async move {
        while let Some(held) = requests.recv().await {
            held.send(allow()).unwrap();
        }
    });
    let second = tokio::runtime::Runtime::new().unwrap();
    // What was under way goes down with its runtime and denies. After that all is as before.
    let answer = second.block_on(async {
        let ask = async {
            loop {
                match gate.check().await {
                    Err(denied) if denied.is_outage() => tokio::task::yield_now().await,
                    answer => return answer,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ask).await
    });
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
}

#[test]
fn a_runtime_that_is_not_being_run_keeps_nobody_waiting() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let current_thread =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    // The first runtime asks, and is not run any more while its question is under way.
    let idle = current_thread();
    let asked = gate.clone();
    idle.spawn(async move { asked.check().await.map(drop) });
    let _unanswered = idle.block_on(requests.recv()).unwrap();

    servers.spawn(async move {
        while let Some(held) = requests.recv().await {
            held.send(allow()).unwrap();
        }
    });
    let answer = current_thread()
        .block_on(async { tokio::time::timeout(Duration::from_secs(20), gate.check()).await });
    assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
}

/// Work that is always ready uses up its task's budget at every turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_never_runs_dry_is_checked_and_ended_all_the_same() {
    async fn busy() {
        let (sender, mut queue) = mpsc::unbounded_channel();
        sender.send(()).unwrap();
        while let Some(job) = queue.recv().await {
            sender.send(job).unwrap();
        }
    }
    let server = allowing(1, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let supervised = tokio::spawn({
        let gate = gate.clone();
        async move { gate.supervise(Duration::from_millis(1), busy()).await }
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), supervised).await;
    assert!(matches!(ended, Ok(Ok(Err(_)))), "{ended:?}");

    let server = allowing(1, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let supervised = tokio::spawn(async move {
        let (every, grace) = (Duration::from_millis(1), Duration::from_millis(1));
        gate.supervise_gracefully(every, grace, |_| busy()).await
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), supervised).await;
    assert!(matches!(ended, Ok(Ok(Err(_)))), "the grace ends too: {ended:?}");
}

#[tokio::test]
async fn a_bad_or_missing_key_is_no_outage() {
    let refused = json!({"status": "error", "error": "invalid_org_key", "code": "INVALID_ORG_KEY"});
    let server = server(401, &refused).await;
    let (client, clock) = paced_client(&server.uri());
    let grace = Duration::from_hours(1);
    let gate = Gate::new(&client, device()).register_on_start().outage_grace(grace);
    assert_eq!(gate.check().await.unwrap_err().code(), &DecisionCode::InvalidOrgKey);
    let keyless =
        Client::builder().base_url(server.uri()).options(ClientOptions::new().clock(clock.clone()));
    let gate = Gate::new(&keyless.build().unwrap(), device()).outage_grace(grace);
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::InvalidOrgKey);
    assert!(denied.to_string().contains("MACHINEID_ORG_KEY"), "{denied}");
    assert!(clock.slept().is_empty(), "no grace for what will not pass");
}

#[tokio::test]
async fn a_denial_neither_says_allow_nor_speaks_to_the_terminal() {
    let server = server(200, &json!({"status": "ALLOW"})).await;
    let denied = Gate::new(&client(&server), device()).register().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    let server = support::server(200, &deny("\u{1b}]52;c;x\u{7}\nfake log line")).await;
    let denied = Gate::new(&client(&server), device()).check().await.unwrap_err();
    assert!(!denied.to_string().contains(char::is_control), "{denied:?}");
}

#[tokio::test]
async fn a_grace_waits_as_long_as_the_server_asked() {
    let server = MockServer::start().await;
    let outage = ResponseTemplate::new(503)
        .set_body_json(deny("SYSTEM_UNAVAILABLE"))
        .insert_header("retry-after", "9");
    Mock::given(any()).respond_with(outage).up_to_n_times(1).mount(&server).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(allow()))
        .mount(&server)
        .await;
    let (client, clock) = paced_client(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_mins(1));
    assert!(gate.check().await.is_ok());
    assert_eq!(clock.slept(), [Duration::from_secs(9)]);
}

#[test]
fn outside_a_runtime_it_denies_instead_of_panicking() {
    let gate = Gate::new(&builder("http://127.0.0.1:9").build().unwrap(), device());
    let mut check = Box::pin(gate.check());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(denied)) = check.as_mut().poll(&mut context) else {
        panic!("not denied at once")
    };
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "it is known that nothing was sent");
    assert!(denied.to_string().contains("tokio runtime"), "{denied}");
}

#[test]
fn a_check_whose_runtime_ends_does_not_claim_that_nothing_was_sent() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let (url, mut requests) = servers.block_on(held_server());
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let mut check = Box::pin(gate.check());
    let first = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
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

#[tokio::test]
async fn run_does_not_begin_work_that_is_denied() {
    let begun = AtomicBool::new(false);
    let work = async { begun.store(true, Ordering::SeqCst) };
    let server = server(200, &deny("PLAN_FROZEN")).await;
    let denied = Gate::new(&client(&server), device()).run(work).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::PlanFrozen);
    assert!(!begun.load(Ordering::SeqCst));

    let server = support::server(200, &allow()).await;
    assert_eq!(Gate::new(&client(&server), device()).run(async { 42 }).await.unwrap(), 42);
}

#[tokio::test]
async fn supervise_drops_the_work_on_the_first_denial() {
    let server = allowing(3, revoked()).await;
    let (client, clock) = paced_client(&server.uri());
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
    assert_eq!(requests(&server).await, 4, "one check at first and one every interval");
    assert_eq!(clock.slept(), [Duration::from_secs(30); 3]);
}

#[tokio::test]
async fn supervise_denied_at_first_does_not_begin() {
    let server = server(200, &deny("DEVICE_NOT_FOUND")).await;
    let begun = AtomicBool::new(false);
    let work = async { begun.store(true, Ordering::SeqCst) };
    let gate = Gate::new(&client(&server), device());
    gate.supervise(Duration::from_secs(1), work).await.unwrap_err();
    assert!(!begun.load(Ordering::SeqCst));
}

#[tokio::test]
async fn supervise_gives_the_works_result() {
    let server = server(200, &allow()).await;
    let gate = Gate::new(&client(&server), device());
    assert_eq!(gate.supervise(Duration::from_secs(30), async { "done" }).await.unwrap(), "done");
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_hung_check_ends_the_work_within_interval_and_time_limit() {
    let (url, mut requests) = held_server().await;
    let options = ClientOptions::new().timeout(Duration::from_millis(50));
    let gate = Gate::new(&builder(&url).options(options).build().unwrap(), device());
    let supervised = tokio::spawn(async move {
        gate.supervise(Duration::from_millis(1), pending::<()>()).await.unwrap_err()
    });
    requests.recv().await.unwrap().send(allow()).unwrap();
    let _never_answered = requests.recv().await.unwrap();
    assert!(supervised.await.unwrap().is_outage());
}

#[tokio::test]
async fn a_token_lets_the_work_stop_by_itself() {
    let server = allowing(1, revoked()).await;
    let (client, _) = paced_client(&server.uri());
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
    let server = allowing(1, revoked()).await;
    let (client, clock) = paced_client(&server.uri());
    let gate = Gate::new(&client, device());
    let (every, grace) = (Duration::from_secs(1), Duration::from_secs(7));
    gate.supervise_gracefully(every, grace, |_| pending::<()>()).await.unwrap_err();
    assert_eq!(clock.slept(), [every, grace]);
}

#[tokio::test]
async fn registering_on_start_comes_before_the_first_check_and_once() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/devices/register"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"status": "ok"})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/v1/devices/validate"))
        .respond_with(ResponseTemplate::new(200).set_body_json(allow()))
        .expect(2)
        .mount(&server)
        .await;
    let gate = Gate::new(&client(&server), device()).register_on_start();
    let _first = gate.check().await.unwrap();
    let _second = gate.check().await.unwrap();
    assert_eq!(server.received_requests().await.unwrap()[0].url.path(), "/api/v1/devices/register");
}

#[tokio::test]
async fn a_device_that_can_not_be_registered_is_denied() {
    for (body, code) in [
        (json!({"status": "blocked", "error": "device_limit_reached"}), "device_limit_reached"),
        (json!({"status": "limit_reached"}), "limit_reached"),
        (json!({"status": "revoked", "error": "device_revoked"}), "DEVICE_REVOKED"),
        (json!({"status": "error", "error": "plan_frozen"}), "PLAN_FROZEN"),
    ] {
        let server = server(403, &body).await;
        let gate = Gate::new(&client(&server), device()).register_on_start();
        let denied = gate.check().await.unwrap_err();
        assert_eq!(denied.code().as_str(), code);
        assert!(matches!(denied.reason(), Reason::NotRegistered(_)));
        assert!(!denied.is_outage());
        assert_eq!(requests(&server).await, 1, "validate is not even asked");
    }
    let server = server(200, &json!({"status": "exists"})).await;
    let gate = Gate::new(&client(&server), device());
    assert!(matches!(gate.register().await.unwrap(), Registration::Exists(_)));
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn the_layer_checks_before_each_request() {
    use machineid_client::{Denied, GateLayer};
    use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

    let server = allowing(2, revoked()).await;
    let jobs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&jobs);
    let mut service = ServiceBuilder::new()
        .layer(GateLayer::new(Gate::new(&client(&server), device())))
        .service(service_fn(move |job: u32| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, std::io::Error>(job * 2))
        }));
    for job in [1, 2] {
        assert_eq!(service.ready().await.unwrap().call(job).await.unwrap(), job * 2);
    }
    let error = service.ready().await.unwrap().call(3).await.unwrap_err();
    let denied = error.downcast_ref::<Denied>().unwrap();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert_eq!(jobs.load(Ordering::SeqCst), 2, "the denied request never reached the service");
}

#[cfg(feature = "blocking")]
mod blocking {
    use machineid_client::blocking::Gate;
    use tokio::runtime::Runtime;

    use super::*;

    fn gate(server: &MockServer) -> Gate {
        Gate::new(&builder(&server.uri()).build_blocking().unwrap(), device())
    }

    #[test]
    fn check_and_run() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(allowing(2, revoked()));
        let gate = gate(&server);
        assert_eq!(gate.check().unwrap().device(), &device());
        assert_eq!(gate.run(|| 42).unwrap(), 42);
        let denied = gate.run(|| panic!("denied work began")).unwrap_err();
        assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    }

    #[test]
    fn supervise_cancels_the_token_on_the_first_denial() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(allowing(3, revoked()));
        let denied = gate(&server)
            .supervise(Duration::from_millis(1), |stop| runtime.block_on(stop.cancelled()))
            .unwrap_err();
        assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    }

    #[test]
    fn supervise_gives_the_works_result() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(allowing(1, revoked()));
        let output = gate(&server).supervise(Duration::from_hours(1), |_| "done").unwrap();
        assert_eq!(output, "done");
    }

    #[test]
    fn checks_from_many_threads() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(server(200, &allow()));
        let gate = gate(&server);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..20).for_each(|_| drop(gate.check().unwrap())));
            }
        });
    }
}
