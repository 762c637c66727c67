//! A call that changes something and whose fate is unknown: look first, then decide.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{Call, ClientOptions, Error, ErrorKind, Probe, ProbeResult, Transport};
use serde_json::{Value, json};
use support::{Act, scripted, transport};

/// `POST /trades/t1/accept`, with a look at the trade.
fn accept() -> Call<Value> {
    Call::post("/trades/{id}/accept").segment("id", "t1").json().recover_with(|_| {
        Probe::new(Call::get("/trades/{id}").segment("id", "t1").json(), |found| {
            let trade: Value = found?;
            Ok(match trade["status"].as_str() {
                Some("proposed") => ProbeResult::Absent,
                Some("escrow_held") => ProbeResult::Done(trade),
                _ => {
                    ProbeResult::Failed(Error::new(ErrorKind::InvalidTransition, "it was rejected"))
                }
            })
        })
    })
}

fn trade(status: &str) -> Act {
    Act::reply(200, &json!({"status": status}).to_string())
}

fn requests(received: &support::Received) -> Vec<String> {
    let received = received.lock().unwrap();
    received.iter().map(|request| request.split(" HTTP").next().unwrap().to_owned()).collect()
}

const ACCEPT: &str = "POST /trades/t1/accept";
const LOOK: &str = "GET /trades/t1";

#[tokio::test]
async fn found_done_it_is_the_reply_and_nothing_is_sent_again() {
    for doubt in [Act::Drop, Act::reply(500, ""), Act::reply(200, "<html>")] {
        let (url, received) = scripted(vec![doubt, trade("escrow_held")]).await;
        let (transport, _) = transport(&url, ClientOptions::new());
        assert_eq!(transport.send(accept()).await.unwrap()["status"], "escrow_held");
        assert_eq!(requests(&received), [ACCEPT, LOOK]);
    }
}

#[tokio::test]
async fn found_absent_it_is_sent_again() {
    let (url, received) = scripted(vec![Act::Drop, trade("proposed"), trade("escrow_held")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    assert_eq!(transport.send(accept()).await.unwrap()["status"], "escrow_held");
    assert_eq!(requests(&received), [ACCEPT, LOOK, ACCEPT]);
}

#[tokio::test]
async fn found_elsewhere_that_is_the_error() {
    let (url, _) = scripted(vec![Act::Drop, trade("rejected")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTransition);
}

#[tokio::test]
async fn not_there_after_the_last_attempt_is_not_never() {
    let (url, received) = scripted(vec![Act::Drop, trade("proposed")]).await;
    let (transport, _) = transport(&url, ClientOptions::new().max_attempts(1));
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it may still be on its way");
    assert_eq!(requests(&received), [ACCEPT, LOOK]);
}

#[tokio::test]
async fn a_look_that_fails_leaves_the_fate_unknown_and_says_so() {
    let (url, _) = scripted(vec![Act::Drop, Act::reply(404, "{}")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    let cause = std::error::Error::source(&error).unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(cause.kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn a_success_that_can_not_be_read_is_no_failure() {
    let (url, _) = scripted(vec![Act::reply(201, "<html>"), Act::reply(404, "{}")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_call_that_can_not_be_sent_again_is_still_in_doubt() {
    // The server takes the call, answers the look, and is gone.
    let (url, _) = scripted(vec![Act::Drop, trade("proposed")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_look_that_leads_on_for_ever_is_left() {
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
async fn a_look_may_take_several_calls() {
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
async fn a_refusal_needs_no_look() {
    let (url, received) = scripted(vec![Act::reply(422, r#"{"detail":"no"}"#)]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTransition);
    assert_eq!(requests(&received), [ACCEPT]);
}

#[tokio::test]
async fn a_refusal_after_a_doubt_is_looked_into() {
    // The first attempt arrives late: after the look, before the second attempt.
    let late = Act::reply(422, r#"{"detail":"not proposed"}"#);
    let acts = vec![Act::Drop, trade("proposed"), late.clone(), trade("escrow_held")];
    let (url, received) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    assert_eq!(transport.send(accept()).await.unwrap()["status"], "escrow_held");
    assert_eq!(requests(&received), [ACCEPT, LOOK, ACCEPT, LOOK]);

    let (url, _) = scripted(vec![Act::Drop, trade("proposed"), late, trade("proposed")]).await;
    let (transport, _) = support::transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTransition, "the refusal stands");
}

#[tokio::test]
async fn a_refusal_after_a_doubt_that_can_not_be_looked_into_leaves_the_fate_unknown() {
    let refused = Act::reply(422, r#"{"detail":"not proposed"}"#);
    let acts = vec![Act::Drop, trade("proposed"), refused, Act::reply(404, "{}")];
    let (url, _) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it may be about the first attempt");
}

#[tokio::test]
async fn too_many_calls_after_a_doubt_say_nothing_of_the_first_attempt() {
    let busy = Act::reply(429, "{}");
    let (url, _) = scripted(vec![Act::Drop, trade("proposed"), busy, trade("proposed")]).await;
    let (transport, _) = transport(&url, ClientOptions::new().max_attempts(2));
    let error = transport.send(accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn an_unknown_fate_comes_with_the_calls_own_advice() {
    let (url, _) = scripted(vec![Act::Drop]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call = Call::post("/join").json::<Value>().unknown_hint("its key is lost");
    let error = transport.send(call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().ends_with("; its key is lost"), "{error}");
}

#[tokio::test]
async fn a_repeated_reply_says_so() {
    let (url, _) = scripted(vec![Act::Drop, Act::reply(404, "")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let remove = Call::post("/remove").idempotent().decode(|reply| Ok(reply.is_repeated()));
    assert!(transport.send(remove).await.unwrap());
}
