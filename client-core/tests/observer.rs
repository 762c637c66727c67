//! What an observer is told about a call.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use agent_client_core::{
    Call, CallOutcome, CallSummary, ClientOptions, ErrorKind, Probe, ProbeResult, operation,
};
use rstest::rstest;
use serde_json::Value;
use support::{Act, get, post, scripted, send, transport};

type Summaries = Arc<Mutex<Vec<CallSummary>>>;

fn observed() -> (ClientOptions, Summaries) {
    let summaries = Summaries::default();
    let seen = Arc::clone(&summaries);
    let options = ClientOptions::new()
        .observer(move |summary: &CallSummary| seen.lock().unwrap().push(summary.clone()));
    (options, summaries)
}

#[rstest]
#[case::at_once(vec![Act::reply(200, "{}")], CallOutcome::Success, 1, Some(200))]
#[case::after_a_retry(
    vec![Act::reply(503, "{}"), Act::reply(200, "{}")], CallOutcome::Success, 2, Some(200)
)]
#[case::refused(
    vec![Act::reply(404, "{}")], CallOutcome::Failed(ErrorKind::NotFound), 1, Some(404)
)]
#[case::broken(
    vec![Act::Drop, Act::Drop, Act::Drop], CallOutcome::Failed(ErrorKind::Interrupted), 3, None
)]
#[tokio::test]
async fn a_call_is_summed_up_once(
    #[case] acts: Vec<Act>,
    #[case] outcome: CallOutcome,
    #[case] attempts: u32,
    #[case] status: Option<u16>,
) {
    let (url, _) = scripted(acts).await;
    let (options, summaries) = observed();
    let (client, _) = transport(&url, options);
    let _ = send(&client, get().operation(operation!("test.get_thing"))).await;
    let summaries = summaries.lock().unwrap();
    let [summary] = &summaries[..] else { panic!("{summaries:?}") };
    assert_eq!(summary.operation, "test.get_thing");
    assert_eq!((summary.outcome, summary.attempts), (outcome, attempts));
    assert_eq!(summary.status, status);
    assert_eq!((summary.method.as_str(), summary.template.as_str()), ("GET", "/thing"));
}

#[tokio::test]
async fn a_dropped_call_is_cancelled() {
    let (url, received) = scripted(vec![Act::Hang]).await;
    let (options, summaries) = observed();
    let (client, _) = transport(&url, options);
    let call = tokio::spawn(async move { send(&client, get()).await });
    while received.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    call.abort();
    call.await.unwrap_err();
    let summaries = summaries.lock().unwrap();
    let [summary] = &summaries[..] else { panic!("{summaries:?}") };
    assert_eq!((summary.outcome, summary.attempts), (CallOutcome::Cancelled, 1));
    assert_eq!(summary.operation, "call");
}

#[tokio::test]
async fn a_probe_is_not_a_call_of_its_own() {
    let (url, received) = scripted(vec![Act::Drop, Act::reply(200, "{}")]).await;
    let (options, summaries) = observed();
    let (client, _) = transport(&url, options);
    let call = post().recover_with(|_| {
        Probe::new(Call::get("/thing").json::<Value>(), |found| Ok(ProbeResult::Done(found?)))
    });
    send(&client, call).await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 2);
    let summaries = summaries.lock().unwrap();
    let [summary] = &summaries[..] else { panic!("{summaries:?}") };
    assert_eq!((summary.outcome, summary.attempts), (CallOutcome::Success, 1));
}
