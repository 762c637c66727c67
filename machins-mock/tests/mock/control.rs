//! The control API and its typed twin: orgs, clock, journal, snapshots, reset.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use machins_mock::{
    ClockOutOfRange, Fault, MAX_ADVANCE, MockServer, OrgUpdate, Plan, Snapshot, UnknownOrg,
};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{control, device, get, post, register, send, server_with_org};

#[tokio::test]
async fn health_is_ok() {
    let server = MockServer::start().await;
    let health = control(&server, Method::GET, "health", Value::Null).await;
    assert_eq!(health, (200, json!({"status": "ok"})));
}

#[tokio::test]
async fn orgs_are_created_and_changed() {
    let server = MockServer::start().await;
    let (status, org) =
        control(&server, Method::POST, "machineid/orgs", json!({"plan": "pro"})).await;
    assert_eq!((status, &org["plan"], &org["limit"]), (201, &json!("pro"), &json!(25)));
    let key = org["org_key"].as_str().unwrap();
    assert!(key.starts_with("org_"));
    let path = format!("machineid/orgs/{key}");
    for (field, value) in [
        ("plan", json!("scale")),
        ("execution_enabled", json!(false)),
        ("frozen", json!(true)),
        ("entitlement_active", json!(false)),
        ("available", json!(false)),
    ] {
        let (status, state) = control(&server, Method::PATCH, &path, json!({field: value})).await;
        assert_eq!((status, &state[field]), (200, &value), "{field}");
        assert_eq!(state["org_key"], key, "{field}");
    }
    let state = server.org(key).unwrap().state().unwrap();
    assert_eq!(
        serde_json::to_value(&state).unwrap(),
        control(&server, Method::PATCH, &path, json!({})).await.1
    );
    let (status, org) = control(&server, Method::POST, "machineid/orgs", json!({})).await;
    assert_eq!((status, &org["plan"]), (201, &json!("free")));
}

#[tokio::test]
async fn an_unknown_plan_is_refused_with_the_valid_ones() {
    let (server, org) = server_with_org(Plan::Free).await;
    let path = format!("machineid/orgs/{}", org.key());
    for (method, path) in [(Method::POST, "machineid/orgs"), (Method::PATCH, path.as_str())] {
        let (status, error) = control(&server, method, path, json!({"plan": "gold"})).await;
        let detail = error["detail"].as_str().unwrap();
        assert_eq!(status, 400, "{path}");
        for plan in ["free", "pro", "scale", "max"] {
            assert!(detail.contains(plan), "{path}: {detail}");
        }
    }
}

#[rstest]
#[case::text_as_switch(json!({"frozen": "yes"}))]
#[case::number_as_plan(json!({"plan": 3}))]
#[case::list(json!([]))]
#[case::text(json!("x"))]
#[tokio::test]
async fn an_invalid_change_of_an_org_is_refused(#[case] body: Value) {
    let (server, org) = server_with_org(Plan::Free).await;
    let path = format!("machineid/orgs/{}", org.key());
    assert_eq!(control(&server, Method::PATCH, &path, body).await.0, 400);
}

#[tokio::test]
async fn an_unknown_org_is_not_found() {
    let server = MockServer::start().await;
    let (status, error) = control(&server, Method::PATCH, "machineid/orgs/org_x", json!({})).await;
    assert_eq!((status, &error["code"]), (404, &json!("ORG_NOT_FOUND")));
    assert!(server.org("org_x").is_none() && server.org("").is_none());
}

#[tokio::test]
async fn time_is_real_plus_an_offset_that_only_grows() {
    let (server, org) = server_with_org(Plan::Free).await;
    let (_, clock) = control(&server, Method::GET, "clock", Value::Null).await;
    assert_eq!(clock["offset_seconds"], 0.0);
    assert!(clock["now"].as_str().unwrap().ends_with('Z'));

    let (status, clock) =
        control(&server, Method::POST, "clock/advance", json!({"seconds": 86400.5})).await;
    assert_eq!((status, &clock["offset_seconds"]), (200, &json!(86400.5)));
    server.clock().advance(Duration::from_secs(24 * 60 * 60)).unwrap();
    let earliest = SystemTime::now() + Duration::from_secs(48 * 60 * 60);
    assert!(server.clock().now() > earliest);

    register(&server, &org, &["a"]).await;
    let (_, list) = get(&server, &org, "devices/list").await;
    let created = list["devices"][0]["createdAt"].as_str().unwrap();
    assert!(created > clock["now"].as_str().unwrap(), "{created}: the model sees virtual time");
    assert!(server.requests()[0].received_at > earliest, "and so does the journal");
}

#[rstest]
#[case::negative(json!(-1))]
#[case::huge(json!(1e300))]
#[case::beyond_the_maximum(json!(3_153_600_001_u64))]
#[case::text(json!("60"))]
#[case::null(json!(null))]
#[tokio::test]
async fn the_clock_refuses_invalid_steps(#[case] seconds: Value) {
    let server = MockServer::start().await;
    let body = json!({"seconds": seconds});
    let (status, error) = control(&server, Method::POST, "clock/advance", body).await;
    assert_eq!((status, &error["code"]), (400, &json!("BAD_REQUEST")));
}

#[tokio::test]
async fn the_clock_stops_at_its_maximum() {
    let server = MockServer::start().await;
    assert_eq!(server.clock().advance(Duration::MAX), Err(ClockOutOfRange));
    server.clock().advance(MAX_ADVANCE).unwrap();
    assert_eq!(server.clock().advance(Duration::from_secs(1)), Err(ClockOutOfRange));
    control(&server, Method::GET, "clock", Value::Null).await;
}

#[tokio::test]
async fn the_journal_lists_requests_without_secrets() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let path = format!("/api/v1/orgs/{}/at_secret/eyJhbGciOi?key={}", org.key(), org.key());
    send(&server, Method::GET, &path, org.key(), Value::Null).await;
    let (_, journal) = control(&server, Method::GET, "requests", Value::Null).await;
    let text = journal.to_string();
    assert!(!text.contains(org.key()) && !text.contains("secret"), "{text}");
    let requests = journal["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "without the mock's own routes");
    assert_eq!(requests[0]["method"], "POST");
    assert_eq!(requests[0]["path"], "/api/v1/devices/register");
    assert_eq!((&requests[0]["status"], &requests[0]["fault"]), (&json!(200), &json!(null)));
    assert!(requests[0]["latency_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(requests[1]["path"], "/api/v1/orgs/org_…/at_…/eyJ…");
    assert_eq!(requests[1]["status"], 404);
    assert!(!format!("{:?} {:?} {server:?}", server.requests(), org).contains(org.key()));

    control(&server, Method::DELETE, "requests", Value::Null).await;
    assert!(server.requests().is_empty());
    register(&server, &org, &["b"]).await;
    assert_eq!(server.requests().len(), 1);
    server.clear_requests();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_snapshot_restores_the_state() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b"]).await;
    server.clock().advance(Duration::from_secs(60)).unwrap();
    let snapshot = server.snapshot();
    let (_, state) = control(&server, Method::GET, "state", Value::Null).await;

    let wreck = async || {
        post(&server, &org, "devices/remove", device("a")).await;
        post(&server, &org, "devices/revoke", device("b")).await;
        org.update(OrgUpdate::new().plan(Plan::Max).frozen(true)).unwrap();
        server.clock().advance(Duration::from_secs(60)).unwrap();
    };
    wreck().await;
    assert_ne!(server.snapshot(), snapshot);
    server.restore(&snapshot);
    assert_eq!(server.snapshot(), snapshot);
    wreck().await;
    let done = control(&server, Method::PUT, "state", state.clone()).await;
    assert_eq!(done, (200, json!({"status": "ok"})));
    assert_eq!(server.snapshot(), snapshot);

    let other = MockServer::start().await;
    other.restore(&serde_json::from_value::<Snapshot>(state).unwrap());
    let twin = other.org(org.key()).unwrap();
    assert_eq!(get(&other, &twin, "usage").await.1["devicesUsed"], 2);
    let (_, decision) = post(&other, &twin, "devices/validate", device("a")).await;
    assert_eq!(decision["code"], "ALLOW");
    register(&other, &twin, &["c"]).await;
    assert_eq!(post(&other, &twin, "devices/register", device("d")).await.0, 403);
}

/// Clients take a repeated request id for a stored reply.
#[tokio::test]
async fn no_request_id_is_repeated_by_restore_or_reset() {
    let server = MockServer::builder().seed(7).start().unwrap();
    let snapshot = server.snapshot();
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let org = server.create_org(Plan::Free);
        for path in ["devices/validate", "devices/register", "devices/validate"] {
            let (_, reply) = post(&server, &org, path, device("a")).await;
            assert!(seen.insert(reply["request_id"].to_string()), "{reply}");
        }
        server.restore(&snapshot);
        let org = server.create_org(Plan::Free);
        let (_, reply) = get(&server, &org, "no/such/route").await;
        assert!(seen.insert(reply["request_id"].to_string()), "{reply}");
        server.reset();
    }
}

#[tokio::test]
async fn a_seed_gives_the_same_request_ids_in_every_start() {
    let ids = async || {
        let server = MockServer::builder().seed(7).start().unwrap();
        let org = server.create_org(Plan::Free);
        let (_, first) = post(&server, &org, "devices/validate", device("a")).await;
        let (_, second) = post(&server, &org, "devices/validate", device("a")).await;
        [first["request_id"].clone(), second["request_id"].clone()]
    };
    assert_eq!(ids().await, ids().await);
}

#[tokio::test]
async fn a_restored_snapshot_continues_like_the_original() {
    let server = MockServer::builder().seed(3).start().unwrap();
    let snapshot = server.snapshot();
    let first = server.create_org(Plan::Free).key().to_owned();
    server.restore(&snapshot);
    assert_eq!(server.create_org(Plan::Free).key(), first);
}

#[rstest]
#[case::a_list("", json!([]))]
#[case::nothing("", json!({}))]
#[case::no_clock("/clock", json!(null))]
#[case::offset_as_text("/clock/offset_millis", json!("1"))]
#[case::far_past("/clock/offset_millis", json!(i64::MIN))]
#[case::frozen_at_no_time("/clock/frozen_at", json!("noon"))]
#[case::huge_offset("/clock/offset_millis", json!(u64::MAX))]
#[case::number_as_random_state("/random", json!(7))]
#[case::text_as_random_state("/random", json!("x"))]
#[case::orgs_as_list("/machineid/orgs", json!([]))]
#[case::malformed_org_key("/machineid/orgs", json!({"no_key": {}}))]
#[case::unknown_plan("ORG/plan", json!("gold"))]
#[case::text_as_switch("ORG/available", json!("true"))]
#[case::invalid_device_id("ORG/devices", json!({"a b": {}}))]
#[case::long_device_id("ORG/devices", json!({"x".repeat(129): {}}))]
#[case::no_time("ORG/devices/a/created_at", json!("yesterday"))]
#[case::far_future("ORG/devices/a/created_at", json!("+99999-01-01T00:00:00Z"))]
#[case::negative_order("ORG/devices/a/revoked/order", json!(-1))]
#[tokio::test]
async fn an_invalid_state_is_refused_and_changes_nothing(
    #[case] pointer: &str,
    #[case] bad: Value,
) {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    server.clock().freeze();
    let before = server.snapshot();
    let mut state = serde_json::to_value(&before).unwrap();
    let pointer = pointer.replace("ORG", &format!("/machineid/orgs/{}", org.key()));
    *state.pointer_mut(&pointer).unwrap() = bad;
    let (status, error) = control(&server, Method::PUT, "state", state).await;
    assert_eq!((status, &error["status"]), (400, &json!("error")));
    assert_eq!(server.snapshot(), before);
}

#[tokio::test]
async fn extreme_values_of_a_state_cause_no_overflow() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    let mut extreme = serde_json::to_value(server.snapshot()).unwrap();
    let order = format!("/machineid/orgs/{}/devices/a/revoked/order", org.key());
    *extreme.pointer_mut(&order).unwrap() = json!(u64::MAX);
    assert_eq!(control(&server, Method::PUT, "state", extreme).await.0, 200);
    register(&server, &org, &["b"]).await;
    for scope in ["all_active", "all_revoked"] {
        for call in ["revoke_batch", "unrevoke_batch"] {
            post(&server, &org, &format!("devices/{call}"), json!({"scope": scope})).await;
        }
    }
    assert_eq!(org.state().unwrap().devices_used, 2);
}

#[rstest]
#[case::by_method(true)]
#[case::over_http(false)]
#[tokio::test]
async fn a_reset_removes_orgs_and_faults(#[case] by_method: bool) {
    let server = MockServer::builder().seed(5).start().unwrap();
    let org = server.create_org(Plan::Free);
    register(&server, &org, &["a"]).await;
    server.clock().advance(Duration::from_secs(60)).unwrap();
    server.add_fault(Fault::drop_before()).unwrap();
    if by_method {
        server.reset();
    } else {
        let reset = control(&server, Method::POST, "reset", Value::Null).await;
        assert_eq!(reset, (200, json!({"status": "ok"})));
    }
    assert!(server.requests().is_empty());
    assert_eq!(get(&server, &org, "usage").await.1["code"], "ORG_NOT_FOUND");
    assert_eq!(org.update(OrgUpdate::new()), Err(UnknownOrg));
    assert_eq!(org.state(), Err(UnknownOrg));
    let (_, clock) = control(&server, Method::GET, "clock", Value::Null).await;
    assert_eq!(clock["offset_seconds"], 0.0);
}

#[tokio::test]
async fn nothing_shows_the_real_time_while_the_clock_stands_still() {
    let (server, org) = server_with_org(Plan::Free).await;
    let clock = json!({"now": "2026-11-01T00:00:00Z", "frozen": true});
    let (_, clock) = control(&server, Method::PUT, "clock", clock).await;
    assert_eq!(clock["offset_seconds"], Value::Null);
    register(&server, &org, &["a"]).await;
    let (_, requests) = control(&server, Method::GET, "requests", Value::Null).await;
    assert_eq!(requests["requests"][0]["latency_ms"], 0.0);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_keys() {
    let run = async |seed| {
        let server = MockServer::builder().seed(seed).start().unwrap();
        let org = server.create_org(Plan::Free);
        let (_, first) = get(&server, &org, "usage").await;
        server.reset();
        let again = server.create_org(Plan::Free);
        assert_eq!(org.key(), again.key(), "a reset starts the seed over");
        (org.key().to_owned(), first["request_id"].clone())
    };
    assert_eq!(run(11).await, run(11).await);
    assert_ne!(run(11).await, run(12).await);
    let unseeded = (MockServer::start().await, MockServer::start().await);
    let keys = (unseeded.0.create_org(Plan::Free), unseeded.1.create_org(Plan::Free));
    assert_ne!(keys.0.key(), keys.1.key());
}
