//! Failures on demand, kind by kind.

use std::time::Duration;

use machins_mock::{Fault, FaultError, MAX_FAULTS, MockServer, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{
    client, control, device, get, post, register, send, server_with_org, try_send,
};

use crate::support::platform::Platform;

const REGISTER: &str = "/api/v1/devices/register";

#[tokio::test]
async fn status_answers_without_handling_the_request() {
    let (server, org) = server_with_org(Plan::Free).await;
    let fault = Fault::status(503).retry_after(7).times(1);
    server.add_fault(fault).unwrap();
    let reply = send(&server, Method::POST, REGISTER, org.key(), device("a")).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.headers["retry-after"], "7");
    assert_eq!(reply.json()["code"], "FAULT");
    register(&server, &org, &["a"]).await;
}

#[tokio::test]
async fn a_status_fault_sends_text_as_it_is_and_anything_else_as_json() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::status(502).body("<html>bad</html>").times(1)).unwrap();
    server.add_fault(Fault::status(200).body(json!({"allowed": "true"})).times(1)).unwrap();
    let text = send(&server, Method::POST, REGISTER, org.key(), device("a")).await;
    assert_eq!((text.status.as_u16(), text.text.as_str()), (502, "<html>bad</html>"));
    assert!(text.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let object = send(&server, Method::POST, REGISTER, org.key(), device("a")).await;
    assert_eq!((object.status.as_u16(), object.json()), (200, json!({"allowed": "true"})));
}

#[tokio::test]
async fn delay_waits_before_handling_the_request() {
    let (server, org) = server_with_org(Plan::Free).await;
    let _slow = server.fault_scoped(Fault::delay(Duration::from_secs(5 * 60))).unwrap();
    let request =
        client().post(format!("{}{REGISTER}", server.url())).header("x-org-key", org.key());
    let call = tokio::spawn(request.json(&device("a")).send());
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let record = server.requests().pop().unwrap();
    assert_eq!((record.fault, record.status), (Some("delay"), None), "still under way");
    assert_eq!(org.state().unwrap().devices_used, 0, "nothing was done");
    assert!(!call.is_finished());
    call.abort();

    server.clear_faults();
    server.add_fault(Fault::delay(Duration::from_millis(1))).unwrap();
    register(&server, &org, &["a"]).await;
}

#[tokio::test]
async fn drop_before_closes_without_handling_the_request() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::drop_before().times(1)).unwrap();
    let error =
        try_send(&server, Method::POST, REGISTER, org.key(), device("a")).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(org.state().unwrap().devices_used, 0);
}

#[tokio::test]
async fn drop_after_handles_the_request_and_loses_the_reply() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::drop_after().times(1)).unwrap();
    let error =
        try_send(&server, Method::POST, REGISTER, org.key(), device("a")).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(org.state().unwrap().devices_used, 1);
    assert_eq!(server.requests()[0].status, None, "no reply was sent");
}

#[tokio::test]
async fn truncate_handles_the_request_and_cuts_the_reply() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::truncate().times(1)).unwrap();
    let request =
        client().post(format!("{}{REGISTER}", server.url())).header("x-org-key", org.key());
    let mut response = request.json(&device("a")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let announced = usize::try_from(response.content_length().unwrap()).unwrap();
    let mut received = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received.extend_from_slice(&chunk),
            Ok(None) => panic!("the body came whole"),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert!(received.starts_with(b"{\"status\":\"ok\""), "the first half is real");
    assert_eq!(received.len(), announced / 2);
    assert_eq!(org.state().unwrap().devices_used, 1);
}

#[tokio::test]
async fn garbage_handles_the_request_and_replies_without_json() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::garbage().times(1)).unwrap();
    let reply = send(&server, Method::POST, REGISTER, org.key(), device("a")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert!(serde_json::from_str::<Value>(&reply.text).is_err());
    assert_eq!(org.state().unwrap().devices_used, 1);
}

#[tokio::test]
async fn slow_body_sends_the_reply_piece_by_piece() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::slow_body(Duration::from_millis(20)).times(1)).unwrap();
    let url = format!("{}{REGISTER}", server.url());
    let request = client().post(url).header("x-org-key", org.key()).json(&device("a"));
    let mut response = request.send().await.unwrap();
    let mut pieces = 0;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        pieces += 1;
        body.extend_from_slice(&chunk);
    }
    assert!(pieces > 1, "in one piece");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["status"], "ok");
}

#[rstest]
#[case::any(Fault::status(418), &["usage", "list", "register"])]
#[case::method(Fault::status(418).method(Method::GET), &["usage", "list"])]
#[case::path(Fault::status(418).path("/api/v1/usage"), &["usage"])]
#[case::one_segment(Fault::status(418).path("/api/v1/*"), &["usage"])]
#[case::any_segments(Fault::status(418).path("/api/**"), &["usage", "list", "register"])]
#[case::alternatives(Fault::status(418).path("/api/*/devices/{list,usage}"), &["list"])]
#[case::path_and_method(Fault::status(418).path("**/register").method("POST"), &["register"])]
#[case::another_path(Fault::status(418).path("/other"), &[])]
#[tokio::test]
async fn a_fault_applies_to_its_method_and_glob(#[case] fault: Fault, #[case] expected: &[&str]) {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(fault).unwrap();
    let replies = [
        ("usage", get(&server, &org, "usage").await),
        ("list", get(&server, &org, "devices/list").await),
        ("register", post(&server, &org, "devices/register", device("a")).await),
    ];
    let with_fault = replies.iter().filter(|(_, (status, _))| *status == 418);
    assert_eq!(with_fault.map(|(call, _)| *call).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn faults_never_apply_to_the_control_api() {
    let server = MockServer::start().await;
    server.add_fault(Fault::drop_before()).unwrap();
    let docs = if cfg!(feature = "swagger-ui") { 200 } else { 404 };
    for (path, status) in [("/_mock/health", 200), ("/openapi.json", 200), ("/docs", docs)] {
        let reply = send(&server, Method::GET, path, "", Value::Null).await;
        assert_eq!(reply.status, status, "{path}");
    }
    assert!(server.requests().is_empty(), "and are not in the journal");
}

#[tokio::test]
async fn faults_apply_in_order_and_a_limited_number_of_times() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::status(500).times(2)).unwrap();
    server.add_fault(Fault::status(501).times(1)).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(&server, &org, "usage").await.0);
    }
    assert_eq!(statuses, [500, 500, 501, 200]);
    let hits: Vec<_> =
        server.faults().iter().map(|active| (active.hits, active.fault.kind())).collect();
    assert_eq!(hits, [(2, "status"), (1, "status")]);
}

#[tokio::test]
async fn the_seed_decides_probabilities() {
    let run = async |seed| {
        let server = MockServer::builder().seed(seed).start().unwrap();
        let org = server.create_org(Plan::Free);
        server.add_fault(Fault::status(500).probability(0.5)).unwrap();
        let mut hits = Vec::new();
        for _ in 0..40 {
            hits.push(get(&server, &org, "usage").await.0 == 500);
        }
        hits
    };
    let hits = run(1).await;
    assert_eq!(hits, run(1).await);
    assert_ne!(hits, run(2).await);
    assert!(hits.contains(&true) && hits.contains(&false));
    for (probability, expected) in [(0.0, 200), (1.0, 500)] {
        let (server, org) = server_with_org(Plan::Free).await;
        server.add_fault(Fault::status(500).probability(probability)).unwrap();
        for _ in 0..20 {
            assert_eq!(get(&server, &org, "usage").await.0, expected);
        }
    }
}

#[tokio::test]
async fn a_guard_removes_its_own_fault_only() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::status(501)).unwrap();
    let guard = server.fault_scoped(Fault::status(500)).unwrap();
    assert_eq!(get(&server, &org, "usage").await.0, 501);
    drop(guard);
    assert_eq!(get(&server, &org, "usage").await.0, 501);
    server.clear_faults();
    assert_eq!(get(&server, &org, "usage").await.0, 200);
    let guard = server.fault_scoped(Fault::status(500)).unwrap();
    drop(server);
    drop(guard);
}

#[tokio::test]
async fn the_control_api_adds_lists_and_removes_faults() {
    let (server, org) = server_with_org(Plan::Free).await;
    let fault = json!({
        "match": {"method": "GET", "path": "/api/v1/usage"},
        "times": 2, "probability": 1, "kind": "status", "status": 429,
        "body": {"detail": "slow down"}, "retry_after": 3,
    });
    let (status, added) = control(&server, Method::POST, "faults", fault).await;
    assert_eq!((status, &added["kind"], &added["hits"]), (201, &json!("status"), &json!(0)));
    let reply = send(&server, Method::GET, "/api/v1/usage", org.key(), Value::Null).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (429, json!({"detail": "slow down"})));
    assert_eq!(reply.headers["retry-after"], "3");
    let (_, list) = control(&server, Method::GET, "faults", Value::Null).await;
    assert_eq!(list["faults"][0]["hits"], 1);
    assert_eq!(list["faults"][0]["match"], json!({"method": "GET", "path": "/api/v1/usage"}));
    control(&server, Method::DELETE, "faults", Value::Null).await;
    let (_, list) = control(&server, Method::GET, "faults", Value::Null).await;
    assert_eq!(list, json!({"faults": []}));
}

#[rstest]
#[case::drop_before(json!({"kind": "drop_before"}))]
#[case::drop_after(json!({"kind": "drop_after"}))]
#[case::truncate(json!({"kind": "truncate"}))]
#[case::garbage(json!({"kind": "garbage"}))]
#[case::slow_body(json!({"kind": "slow_body"}))]
#[case::delay(json!({"kind": "delay", "millis": 1, "times": null}))]
#[tokio::test]
async fn the_control_api_adds_each_kind_of_fault(#[case] fault: Value) {
    let server = MockServer::start().await;
    let (status, added) = control(&server, Method::POST, "faults", fault.clone()).await;
    assert_eq!((status, &added["kind"]), (201, &fault["kind"]));
}

#[rstest]
#[case::no_kind(json!({}))]
#[case::unknown_kind(json!({"kind": "explode"}))]
#[case::no_status(json!({"kind": "status"}))]
#[case::status_below_100(json!({"kind": "status", "status": 99}))]
#[case::status_above_599(json!({"kind": "status", "status": 600}))]
#[case::informational_status(json!({"kind": "status", "status": 101}))]
#[case::status_as_text(json!({"kind": "status", "status": "500"}))]
#[case::retry_after_with_a_break(json!({"kind": "status", "status": 500, "retry_after": "a\nb"}))]
#[case::no_delay(json!({"kind": "delay"}))]
#[case::long_delay(json!({"kind": "delay", "millis": 600_001}))]
#[case::negative_delay(json!({"kind": "delay", "millis": -1}))]
#[case::endless_slow_body(json!({"kind": "slow_body", "millis": 1e300}))]
#[case::no_times(json!({"kind": "garbage", "times": 0}))]
#[case::negative_times(json!({"kind": "garbage", "times": -1}))]
#[case::probability_above_1(json!({"kind": "garbage", "probability": 1.5}))]
#[case::probability_as_text(json!({"kind": "garbage", "probability": "1"}))]
#[case::invalid_method(json!({"kind": "garbage", "match": {"method": "G T"}}))]
#[case::invalid_glob(json!({"kind": "garbage", "match": {"path": "/a[b"}}))]
#[case::long_glob(json!({"kind": "garbage", "match": {"path": "*".repeat(2000)}}))]
#[tokio::test]
async fn invalid_faults_are_refused(#[case] fault: Value) {
    let server = MockServer::start().await;
    let (status, reply) = control(&server, Method::POST, "faults", fault).await;
    assert_eq!((status, &reply["code"]), (400, &json!("BAD_REQUEST")));
    assert!(server.faults().is_empty());
}

#[tokio::test]
async fn a_probability_that_is_no_number_is_refused() {
    let server = MockServer::start().await;
    let added = server.add_fault(Fault::garbage().probability(f64::NAN));
    assert_eq!(added, Err(FaultError::Probability));
}

#[tokio::test]
async fn a_server_has_a_maximum_of_faults() {
    let server = MockServer::start().await;
    for _ in 0..MAX_FAULTS {
        server.add_fault(Fault::garbage()).unwrap();
    }
    assert_eq!(server.add_fault(Fault::garbage()), Err(FaultError::TooMany));
}

#[rstest]
#[case::agent(json!({"agent": "buyer"}), [false, true])]
#[case::glob(json!({"agent": "b*"}), [false, true])]
#[case::query(json!({"query": {"status": "proposed"}}), [true, false])]
#[case::header(json!({"header": {"X-Trace": "1"}}), [true, false])]
#[case::no_such_agent(json!({"agent": "nobody"}), [false, false])]
#[case::all_of_them(json!({"agent": "seller", "query": {"status": "proposed"}, "method": "get"}), [true, false])]
#[tokio::test]
async fn a_fault_hits_what_meets_its_conditions(#[case] matching: Value, #[case] hit: [bool; 2]) {
    let platform = Platform::start().await;
    let fault = json!({"match": matching, "kind": "status", "status": 503});
    let (status, error) = control(&platform.server, Method::POST, "faults", fault).await;
    assert_eq!(status, 201, "{error}");
    let agents = [platform.agent("seller"), platform.agent("buyer")];
    for (agent, hit) in agents.iter().zip(hit) {
        let query = if agent.slug == "seller" { "?status=proposed" } else { "" };
        let url = format!("{}/trades{query}", platform.server.machins_base_url());
        let mut request = client().get(url).header("x-api-key", &agent.api_key);
        if agent.slug == "seller" {
            request = request.header("x-trace", "1");
        }
        let status = request.send().await.unwrap().status();
        assert_eq!(status, if hit { 503 } else { 200 }, "{}", agent.slug);
    }
}

#[rstest]
#[case::device(json!({"device": "dev-1"}), [true, false])]
#[case::glob(json!({"device": "dev-*"}), [true, true])]
#[case::body(json!({"body": {"deviceId": "dev-2"}}), [false, true])]
#[case::more_than_the_body(json!({"body": {"deviceId": "dev-2", "more": 1}}), [false, false])]
#[tokio::test]
async fn a_fault_hits_one_device(#[case] matching: Value, #[case] hit: [bool; 2]) {
    let (server, org) = server_with_org(Plan::Free).await;
    let fault = json!({"match": matching, "kind": "status", "status": 503});
    control(&server, Method::POST, "faults", fault).await;
    for (id, hit) in ["dev-1", "dev-2"].into_iter().zip(hit) {
        let (status, _) = post(&server, &org, "devices/register", device(id)).await;
        assert_eq!(status, if hit { 503 } else { 200 }, "{id}");
        let batch = json!({"deviceIds": [id]});
        let (status, _) = post(&server, &org, "devices/revoke_batch", batch).await;
        let by_device = matching.get("device").is_some();
        assert_eq!(status, if hit && by_device { 503 } else { 200 }, "a batch with {id}");
    }
}

#[tokio::test]
async fn a_fault_begins_after_some_matches() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.add_fault(Fault::status(503).path("**/usage").after(2).times(1)).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(&server, &org, "usage").await.0);
        get(&server, &org, "devices/list").await;
    }
    assert_eq!(statuses, [200, 200, 503, 200]);
}

#[tokio::test]
async fn one_fault_is_removed() {
    let (server, org) = server_with_org(Plan::Free).await;
    let add = async |status: u16| {
        let fault = json!({"kind": "status", "status": status});
        control(&server, Method::POST, "faults", fault).await.1["id"].clone()
    };
    let (first, second) = (add(501).await, add(502).await);
    assert_ne!(first, second);
    assert_eq!(get(&server, &org, "usage").await.0, 501);
    let path = format!("faults/{first}");
    assert_eq!(control(&server, Method::DELETE, &path, Value::Null).await.0, 200);
    assert_eq!(get(&server, &org, "usage").await.0, 502);
    for path in [path.as_str(), "faults/x"] {
        assert_eq!(control(&server, Method::DELETE, path, Value::Null).await.0, 404, "{path}");
    }
}
