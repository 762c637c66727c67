//! A call that changes something and whose outcome is unknown: probe first, then decide.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{
    Call, ClientOptions, Error, ErrorKind, Method, Probe, ProbeResult, Transport,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Act, Received, scripted, transport};

/// `POST /trades/t1/accept`, with a probe that reads the trade.
fn accept() -> Call<Value> {
    Call::post("/trades/{id}/accept").segment("id", "t1").json().recover_with(|_| {
        Probe::new(Call::get("/trades/{id}").segment("id", "t1").json(), |found| {
            let trade: Value = found?;
            Ok(match trade["status"].as_str() {
                Some("proposed") => ProbeResult::Absent,
                Some("escrow_held") => ProbeResult::Done(trade),
                _ => ProbeResult::Failed(Error::new(ErrorKind::InvalidTransition, "rejected")),
            })
        })
    })
}

fn trade(status: &str) -> Act {
    Act::reply(200, &json!({"status": status}).to_string())
}

fn requests(received: &Received) -> Vec<String> {
    let received = received.lock().unwrap();
    received.iter().map(|request| request.split(" HTTP").next().unwrap().to_owned()).collect()
}

/// Accepts a trade on a server that plays these acts. Returns the result and the requests.
async fn accept_on(acts: Vec<Act>, options: ClientOptions) -> (Result<Value, Error>, Vec<String>) {
    let (url, received) = scripted(acts).await;
    let (transport, _) = transport(&url, options);
    let result = transport.send(accept()).await;
    (result, requests(&received))
}

const ACCEPT: &str = "POST /trades/t1/accept";
const PROBE: &str = "GET /trades/t1";

#[rstest]
#[case::connection_closed(Act::Drop)]
#[case::status_500(Act::reply(500, ""))]
#[case::unreadable_success(Act::reply(200, "<html>"))]
#[tokio::test]
async fn found_done_nothing_is_sent_again(#[case] in_doubt: Act) {
    let acts = vec![in_doubt, trade("escrow_held")];
    let (result, requests) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap()["status"], "escrow_held");
    assert_eq!(requests, [ACCEPT, PROBE]);
}

#[tokio::test]
async fn a_reply_about_something_else_is_in_doubt() {
    let acts = vec![trade("another"), trade("escrow_held")];
    let (url, received) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call = accept().check(|trade| trade["status"] != "another");
    assert_eq!(transport.send(call).await.unwrap()["status"], "escrow_held");
    assert_eq!(requests(&received), [ACCEPT, PROBE]);
}

#[tokio::test]
async fn found_absent_it_is_sent_again() {
    let acts = vec![Act::Drop, trade("proposed"), trade("escrow_held")];
    let (result, requests) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap()["status"], "escrow_held");
    assert_eq!(requests, [ACCEPT, PROBE, ACCEPT]);
}

#[tokio::test]
async fn a_put_that_can_be_asked_about_is_not_sent_again_before() {
    let call: Call<Value> = Call::new(Method::PUT, "/trades/t1").json().recover_with(|_| {
        Probe::new(Call::get("/trades/t1").json(), |found| Ok(ProbeResult::Done(found?)))
    });
    let (url, received) = scripted(vec![Act::Drop, trade("changed")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    assert_eq!(transport.send(call).await.unwrap()["status"], "changed");
    assert_eq!(requests(&received), ["PUT /trades/t1", PROBE]);
}

#[tokio::test]
async fn found_impossible_it_fails_with_the_reason() {
    let acts = vec![Act::Drop, trade("rejected")];
    let (result, _) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidTransition);
}

/// Each of these may still be on its way, or have taken effect.
#[rstest]
#[case::probe_fails(vec![Act::Drop, Act::reply(404, "{}")])]
#[case::unreadable_success(vec![Act::reply(201, "<html>"), Act::reply(404, "{}")])]
#[case::server_gone_after_the_probe(vec![Act::Drop, trade("proposed")])]
#[case::refusal_that_can_not_be_probed(
    vec![Act::Drop, trade("proposed"), Act::reply(422, "{}"), Act::reply(404, "{}")]
)]
#[tokio::test]
async fn without_a_conclusion_the_outcome_is_unknown(#[case] acts: Vec<Act>) {
    let (result, _) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn absent_after_the_last_attempt_is_unknown() {
    let acts = vec![Act::Drop, trade("proposed")];
    let (result, requests) = accept_on(acts, ClientOptions::new().max_attempts(1)).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it may still be on its way");
    assert_eq!(requests, [ACCEPT, PROBE]);
}

#[tokio::test]
async fn an_unknown_outcome_has_the_first_error_as_its_source() {
    let acts = vec![Act::Drop, Act::reply(404, "{}")];
    let (result, _) = accept_on(acts, ClientOptions::new()).await;
    let error = result.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(cause.kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn an_endless_chain_of_probes_is_cut_off() {
    fn forever() -> Probe<Value> {
        Probe::new(Call::get("/trades").json::<Value>(), |_| Ok(ProbeResult::Next(forever())))
    }
    let acts = std::iter::once(Act::Drop).chain(std::iter::repeat_n(Act::reply(200, "{}"), 60));
    let (url, received) = scripted(acts.collect()).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call: Call<Value> = Call::post("/trades").json().recover_with(|_| forever());
    assert_eq!(transport.send(call).await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(received.lock().unwrap().len(), 51);
}

#[tokio::test]
async fn a_probe_may_take_several_calls() {
    fn page(number: u32) -> Probe<Value> {
        Probe::new(Call::get("/trades").query(&[("page", number)]).json(), move |found| {
            let body: Value = found?;
            Ok(match body.get("found") {
                Some(found) => ProbeResult::Done(found.clone()),
                None => ProbeResult::Next(page(number + 1)),
            })
        })
    }
    let acts = vec![Act::Drop, Act::reply(200, "{}"), Act::reply(200, r#"{"found":"t9"}"#)];
    let (url, received) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call: Call<Value> = Call::post("/trades").json().recover_with(|_| page(0));
    assert_eq!(transport.send(call).await.unwrap(), "t9");
    assert_eq!(requests(&received), ["POST /trades", "GET /trades?page=0", "GET /trades?page=1"]);
}

#[tokio::test]
async fn a_refusal_of_the_first_attempt_needs_no_probe() {
    let acts = vec![Act::reply(422, r#"{"detail":"no"}"#)];
    let (result, requests) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidTransition);
    assert_eq!(requests, [ACCEPT]);
}

#[tokio::test]
async fn a_refusal_after_a_doubt_is_probed() {
    // The first attempt arrives late: after the probe, before the second attempt.
    let refused = Act::reply(422, r#"{"detail":"not proposed"}"#);
    let acts = vec![Act::Drop, trade("proposed"), refused, trade("escrow_held")];
    let (result, requests) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap()["status"], "escrow_held");
    assert_eq!(requests, [ACCEPT, PROBE, ACCEPT, PROBE]);
}

#[tokio::test]
async fn a_refusal_after_a_doubt_stands_if_the_probe_finds_nothing() {
    let refused = Act::reply(400, r#"{"detail":"no such field"}"#);
    let acts = vec![Act::Drop, trade("proposed"), refused, trade("proposed")];
    let (result, _) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::BadRequest);
}

/// The first attempt may be what it is in conflict with, and arrive after the probe.
#[rstest]
#[tokio::test]
async fn a_conflict_after_a_doubt_does_not_settle_it(
    #[values(303, 402, 403, 409, 422, 423)] status: u16,
) {
    let refused = Act::reply(status, r#"{"detail":"no"}"#);
    let acts = vec![Act::Drop, trade("proposed"), refused, trade("proposed")];
    let (result, _) = accept_on(acts, ClientOptions::new()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_rate_limit_after_a_doubt_does_not_settle_it() {
    let acts = vec![Act::Drop, trade("proposed"), Act::reply(429, "{}"), trade("proposed")];
    let (result, _) = accept_on(acts, ClientOptions::new().max_attempts(2)).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn an_unknown_outcome_shows_the_hint_of_the_call() {
    let (url, _) = scripted(vec![Act::Drop]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call = Call::post("/join").json::<Value>().unknown_hint("its key is lost");
    let error = transport.send(call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().ends_with("; its key is lost"), "{error}");
}

#[tokio::test]
async fn a_reply_to_a_repeated_call_says_so() {
    let (url, _) = scripted(vec![Act::Drop, Act::reply(404, "")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let remove = Call::post("/remove").idempotent().decode(|reply| Ok(reply.is_repeated()));
    assert!(transport.send(remove).await.unwrap());
}
