//! How calls wait for rate limits, and what their retries cost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::retry::Budget;
use agent_client_core::{Async, Call, ClientOptions, ErrorKind, Transport};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use support::virtual_clock::VirtualClock;
use support::{get, send, transport, transport_with};
use wiremock::matchers::{any, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const SECOND: Duration = Duration::from_secs(1);

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({}))
}

/// A refusal that asks to wait this many seconds.
fn wait(status: u16, seconds: u32) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("retry-after", &*seconds.to_string())
}

async fn serve(
    respond: impl Fn(&Request) -> ResponseTemplate + Send + Sync + 'static,
) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(respond).mount(&server).await;
    server
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Call number `id`, to an endpoint that all of them share.
fn numbered(id: usize) -> Call<Value> {
    Call::get("/things/{id}").segment("id", &id.to_string()).json()
}

/// Makes this many calls at once. Returns the results and the durations.
async fn at_once(
    transport: &Async,
    clock: &VirtualClock,
    calls: usize,
) -> Vec<(Result<Value, agent_client_core::Error>, Duration)> {
    clock.set_running(calls);
    join_all((0..calls).map(|id| clock.call(transport.send(numbered(id))))).await
}

/// Whether a limiter lets a request through at this time, given the times of those before it.
type Limiter = fn(now: Duration, admitted: &[Duration]) -> bool;

/// Twenty in each second that begins when the clock's does.
fn fixed_window(now: Duration, admitted: &[Duration]) -> bool {
    admitted.iter().filter(|time| time.as_secs() == now.as_secs()).count() < 20
}

/// Twenty within any second.
fn sliding_window(now: Duration, admitted: &[Duration]) -> bool {
    admitted.iter().filter(|time| **time + SECOND > now).count() < 20
}

#[rstest]
#[case::of_a_fixed_window(fixed_window)]
#[case::of_a_sliding_window(sliding_window)]
#[tokio::test]
async fn a_hundred_calls_at_once_fit_a_limiter(#[case] limiter: Limiter) {
    let clock = VirtualClock::new(100);
    let (time, admitted) = (clock.clone(), Mutex::new(Vec::new()));
    let server = serve(move |_| {
        let mut admitted = admitted.lock().unwrap();
        if limiter(time.elapsed(), &admitted) {
            admitted.push(time.elapsed());
            return ok();
        }
        wait(429, 1)
    })
    .await;
    let options = ClientOptions::new().max_attempts(10).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    for (result, duration) in at_once(&transport, &clock, 100).await {
        result.expect("no call fails");
        assert!(duration <= Duration::from_mins(1), "{duration:?}");
    }
}

#[rstest]
#[case::rate_limited(429)]
#[case::unavailable(503)]
#[tokio::test]
async fn waits_that_the_server_names_cost_nothing(#[case] status: u16) {
    let seen = Mutex::new(HashSet::new());
    let server = serve(move |request| {
        let is_new = seen.lock().unwrap().insert(request.url.path().to_owned());
        if is_new { wait(status, 1) } else { ok() }
    })
    .await;
    let clock = VirtualClock::new(0);
    let options = ClientOptions::new().retry_budget(Budget::new(0)).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    for (result, _) in at_once(&transport, &clock, 200).await {
        result.expect("each call is sent again after the wait");
    }
}

#[tokio::test]
async fn a_wait_of_zero_seconds_is_none_that_the_server_names() {
    let server = serve(|_| wait(429, 0)).await;
    let options = ClientOptions::new().retry_budget(Budget::new(0));
    let (transport, _) = transport(&server.uri(), options);
    send(&transport, get()).await.unwrap_err();
    assert_eq!(count(&server).await, 1);
}

/// Pauses a client for a second and makes 200 calls during the pause. Returns when they arrived.
async fn departures(options: ClientOptions) -> Vec<Duration> {
    let clock = VirtualClock::new(200);
    let (time, times) = (clock.clone(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&times);
    let server = serve(move |_| {
        let mut log = log.lock().unwrap();
        log.push(time.elapsed());
        if log.len() == 1 { wait(429, 1) } else { ok() }
    })
    .await;
    let transport = transport_with(&server.uri(), options.clock(clock.clone()));
    transport.send(numbered(0).single_attempt()).await.unwrap_err();
    for (result, _) in at_once(&transport, &clock, 200).await {
        result.unwrap();
    }
    times.lock().unwrap().split_off(1)
}

#[tokio::test]
async fn after_a_pause_callers_leave_spread_out() {
    let times = departures(ClientOptions::new()).await;
    let mut tenths = HashMap::new();
    for time in times {
        assert!((SECOND..=2 * SECOND).contains(&time), "{time:?}");
        *tenths.entry(time.as_millis() / 100).or_insert(0) += 1;
    }
    let most = tenths.values().max().unwrap();
    assert!(tenths.len() >= 10 && *most <= 40, "{tenths:?}");
}

#[tokio::test]
async fn no_caller_leaves_later_than_its_limit_allows() {
    let limit = SECOND + Duration::from_millis(100);
    let clock = VirtualClock::new(200);
    let server = serve(|_| wait(429, 1)).await;
    let options = ClientOptions::new().timeout(limit).max_attempts(1).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    transport.send(numbered(0).single_attempt()).await.unwrap_err();
    at_once(&transport, &clock, 200).await;
    // What is left of the limit then is real time, in which a reply may come or not.
    assert!(clock.elapsed() >= SECOND, "they wait");
    assert!(clock.elapsed() < limit, "{:?}", clock.elapsed());
}

#[rstest]
#[case::of_another_family("/inbox", false)]
#[case::of_another_family_after_a_prefix("/api/v1/org/create", false)]
#[case::of_the_same_family("/trades", true)]
#[case::of_the_same_family_after_a_prefix("/api/v1/trades/t1/accept", true)]
#[tokio::test]
async fn a_pause_holds_for_a_family_of_endpoints(#[case] path: &'static str, #[case] waits: bool) {
    let server = MockServer::start().await;
    Mock::given(path_regex("^/trades/")).respond_with(wait(429, 20)).mount(&server).await;
    Mock::given(any()).respond_with(ok()).mount(&server).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new().max_attempts(1));
    let limited = Call::get("/trades/{id}").segment("id", "t2").json::<Value>();
    transport.send(limited).await.unwrap_err();
    transport.send(Call::get(path).json::<Value>()).await.unwrap();
    assert_eq!(!clock.slept().is_empty(), waits);
}

#[tokio::test]
async fn a_pause_that_grows_while_a_call_waits_is_waited_out() {
    let clock = VirtualClock::new(usize::MAX);
    let (time, times) = (clock.clone(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&times);
    let server = serve(move |_| {
        let mut log = log.lock().unwrap();
        log.push(time.elapsed());
        if log.len() <= 2 { wait(429, 4 * u32::try_from(log.len()).unwrap()) } else { ok() }
    })
    .await;
    let transport = transport_with(&server.uri(), ClientOptions::new().clock(clock.clone()));
    transport.send(numbered(0).single_attempt()).await.unwrap_err();
    let waiting = tokio::spawn(transport.send(numbered(1)));
    while clock.sleeping() == 0 {
        tokio::task::yield_now().await;
    }
    transport.send(numbered(2).single_attempt().ignore_pause()).await.unwrap_err();
    clock.set_running(1);
    waiting.await.unwrap().unwrap();
    assert!(times.lock().unwrap()[2] >= Duration::from_secs(8), "{times:?}");
}

#[rstest]
#[case::none(Budget::new(0), 20)]
#[case::three(Budget::new(3), 23)]
#[case::no_limit(Budget::unlimited(), 60)]
#[tokio::test]
async fn the_retry_budget_can_be_set(#[case] budget: Budget, #[case] requests: usize) {
    let server = serve(|_| ResponseTemplate::new(503)).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new().retry_budget(budget));
    for _ in 0..20 {
        send(&transport, get()).await.unwrap_err();
    }
    assert_eq!(count(&server).await, requests);
}

#[tokio::test]
async fn a_call_dropped_before_it_is_sent_again_costs_nothing() {
    let server = serve(|_| ResponseTemplate::new(503)).await;
    let clock = VirtualClock::new(usize::MAX);
    let options = ClientOptions::new().retry_budget(Budget::new(5)).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    for _ in 0..10 {
        let calls: Vec<_> = (0..5).map(|id| tokio::spawn(transport.send(numbered(id)))).collect();
        while clock.sleeping() < 5 {
            tokio::task::yield_now().await;
        }
        for call in calls {
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
        }
    }
    for (result, _) in at_once(&transport, &clock, 20).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(count(&server).await, 50 + 20 + 5, "the budget was still whole");
}

#[tokio::test]
async fn a_call_out_of_time_before_it_is_sent_again_costs_nothing() {
    let server = serve(|request| {
        // A pause that is longer than calls may take.
        if request.url.path() == "/things/0" { wait(429, 120) } else { ResponseTemplate::new(503) }
    })
    .await;
    let clock = VirtualClock::new(usize::MAX);
    let options = ClientOptions::new().retry_budget(Budget::new(1)).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    let waiting = tokio::spawn(transport.send(numbered(1)));
    while clock.sleeping() == 0 {
        tokio::task::yield_now().await;
    }
    transport.send(numbered(0).single_attempt()).await.unwrap_err();
    clock.set_running(1);
    waiting.await.unwrap().unwrap_err();
    assert_eq!(count(&server).await, 2, "the pause kept it from being sent again");
    transport.send(Call::get("/others/1").json::<Value>()).await.unwrap_err();
    assert_eq!(count(&server).await, 4, "the retry was left");
}

#[tokio::test]
async fn a_call_may_have_a_shorter_limit_than_its_client() {
    let server = serve(|_| wait(503, 9)).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new().max_attempts(9));
    let call = get().time_limit(Duration::from_secs(20));
    assert_eq!(send(&transport, call).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(clock.slept(), [Duration::from_secs(9); 2]);
}

/// How a limiter refuses, in turn. Returns the reply and whether it names a wait.
fn refusal(number: usize) -> (ResponseTemplate, bool) {
    let dated = ResponseTemplate::new(429)
        .insert_header("date", "Wed, 21 Oct 2026 07:28:00 GMT")
        .insert_header("retry-after", "Wed, 21 Oct 2026 07:28:02 GMT");
    match number % 6 {
        0 => (wait(429, 1), true),
        1 => (ResponseTemplate::new(503), false),
        2 => (dated, true),
        3 => (ResponseTemplate::new(429), false),
        4 => (wait(503, 2), true),
        _ => (wait(429, 0), false),
    }
}

#[tokio::test]
async fn under_limiters_of_every_kind_no_retry_is_lost_or_made_up() {
    const BUDGET: usize = 40;
    const CALLS: usize = 30;
    #[derive(Default)]
    struct Seen {
        requests: usize,
        /// The calls that were refused without a wait, by path.
        unnamed: HashSet<String>,
        paid_retries: usize,
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let log = Arc::clone(&seen);
    let server = serve(move |request| {
        let mut seen = log.lock().unwrap();
        let path = request.url.path().to_owned();
        if seen.unnamed.remove(&path) {
            seen.paid_retries += 1;
        }
        seen.requests += 1;
        let (reply, is_named) = refusal(seen.requests);
        if !is_named {
            seen.unnamed.insert(path);
        }
        reply
    })
    .await;
    let clock = VirtualClock::new(usize::MAX);
    let budget = Budget::new(u32::try_from(BUDGET).unwrap());
    let options = ClientOptions::new().retry_budget(budget).max_attempts(5).clock(clock.clone());
    let transport = transport_with(&server.uri(), options);
    let mut random = fastrand::Rng::with_seed(3);
    for wave in 0..8 {
        clock.set_running(usize::MAX);
        let mut calls: Vec<_> = (0..CALLS)
            .map(|id| {
                let (clock, call) = (clock.clone(), transport.send(numbered(wave * CALLS + id)));
                tokio::spawn(async move { clock.call(call).await })
            })
            .collect();
        let ended = |calls: &[tokio::task::JoinHandle<_>]| {
            calls.iter().filter(|call| call.is_finished()).count()
        };
        while clock.sleeping() + ended(&calls) < CALLS {
            tokio::task::yield_now().await;
        }
        // All that have not ended sleep. The last wave is left alone, so that it uses up the budget.
        random.shuffle(&mut calls);
        let dropped = if wave < 7 { calls.split_off(random.usize(..CALLS)) } else { Vec::new() };
        for call in dropped {
            call.abort();
            let _ = call.await;
        }
        clock.set_running(calls.len() - ended(&calls));
        for call in calls {
            let (result, duration) = call.await.unwrap();
            result.unwrap_err();
            assert!(duration <= Duration::from_mins(1), "{duration:?}");
        }
    }
    assert_eq!(seen.lock().unwrap().paid_retries, BUDGET);
}
