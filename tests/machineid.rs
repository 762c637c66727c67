//! The MachineID client and gate against the mock server: two readings of one reference.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use machineid_client::BatchStatus::{NotFound, Revoked, Unrevoked};
use machineid_client::{
    BatchStatus, Call, CancellationToken, Client, ClientBuilder, ClientOptions, DecisionCode,
    DeviceId, DeviceStatus, ErrorKind, Gate, OrgKey, PlanTier, Reason, Registration,
    UnrevokeReason, blocking,
};
use machins_mock::{Fault, Method, MockServer, Org, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::{Value, json};

fn id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn ids(names: &[&str]) -> Vec<DeviceId> {
    names.iter().map(|name| id(name)).collect()
}

fn builder(server: &MockServer, key: &str) -> ClientBuilder {
    Client::builder().org_key(OrgKey::new(key).unwrap()).base_url(server.machineid_base_url())
}

async fn start(plan: Plan) -> (MockServer, Org, Client) {
    let server = MockServer::start().await;
    let org = server.create_org(plan);
    let client = builder(&server, org.key()).build().unwrap();
    (server, org, client)
}

async fn code(client: &Client, name: &str) -> DecisionCode {
    client.validate(&id(name)).await.unwrap().code().clone()
}

/// A new endpoint of the mock server fails this test until the client knows its handler.
#[tokio::test]
async fn only_the_handler_of_validate_can_allow() {
    let (server, _org, client) = start(Plan::Free).await;
    let document: Value = client.send(Call::get("/openapi.json").json()).await.unwrap();
    let paths = document["paths"].as_object().unwrap().iter().filter(|(_, operations)| {
        let mut operations = operations.as_object().unwrap().values();
        operations.any(|operation| operation["tags"][0].as_str().unwrap().starts_with("MachineID"))
    });
    let mut allowing = Vec::new();
    for (path, _) in paths {
        let allow = json!({
            "allowed": true, "code": "ALLOW", "status": "ok", "deviceId": "agent-01",
            "handler": path, "request_id": format!("request about {path}"),
        });
        let fault = Fault::status(200).path("/api/v1/devices/validate").body(allow);
        let _fault = server.fault_scoped(fault).unwrap();
        let decision = client.validate(&id("agent-01")).await;
        if decision.is_ok_and(|decision| decision.is_allowed()) {
            allowing.push(path);
        }
    }
    assert_eq!(allowing, ["/api/v1/devices/validate"]);
}

#[tokio::test]
async fn a_device_is_registered_revoked_and_removed() {
    let (_server, _org, client) = start(Plan::Free).await;
    let device = id("agent-01");
    assert_eq!(code(&client, "agent-01").await, DecisionCode::DeviceNotFound);

    let created = client.register(&device).await.unwrap();
    assert!(matches!(created, Registration::Created(_)), "{created:?}");
    let again = client.register(&device).await.unwrap();
    assert!(matches!(again, Registration::Exists(_)), "{again:?}");
    assert_eq!(again.reply().figures.plan_tier, Some(PlanTier::Free));
    assert_eq!(again.reply().figures.remaining, Some(2));

    let decision = client.validate(&device).await.unwrap();
    assert!(decision.is_allowed());
    assert!(decision.request_id().is_some());

    assert_eq!(client.revoke(&device).await.unwrap().revoked, Some(true));
    assert_eq!(client.revoke(&device).await.unwrap().revoked, Some(true), "again, no change");
    assert_eq!(code(&client, "agent-01").await, DecisionCode::DeviceRevoked);
    let refused = client.register(&device).await.unwrap();
    assert!(matches!(refused, Registration::Revoked(_)), "registering does not restore");

    assert_eq!(client.unrevoke(&device).await.unwrap().revoked, Some(false));
    assert_eq!(code(&client, "agent-01").await, DecisionCode::Allow);

    let list = client.list_devices().await.unwrap();
    assert_eq!(list.devices.len(), 1);
    assert_eq!(list.devices[0].status, Some(DeviceStatus::Active));
    assert!(list.devices[0].created_at.as_ref().unwrap().time().is_some());
    assert!(list.devices[0].last_validated_at.as_ref().unwrap().time().is_some());

    client.remove(&device).await.unwrap();
    assert_eq!(client.remove(&device).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(client.usage().await.unwrap().figures.devices_used, Some(0));
}

#[test]
fn a_blocking_gate_allows_and_denies() {
    let server = machins_mock::blocking::MockServer::start();
    let org = server.create_org(Plan::Free);
    let client = builder(&server, org.key()).build_blocking().unwrap();
    let device = id("agent-01");
    assert!(client.register(&device).unwrap().is_registered());
    let gate = blocking::Gate::new(&client, device.clone());
    assert_eq!(gate.run(|| "worked").unwrap(), "worked");
    client.revoke(&device).unwrap();
    assert_eq!(gate.check().unwrap_err().code(), &DecisionCode::DeviceRevoked);
    client.unrevoke(&device).unwrap();

    let denied = gate
        .supervise(Duration::from_millis(1), |stop: &CancellationToken| {
            client.revoke(&device).unwrap();
            while !stop.is_cancelled() {
                std::thread::yield_now();
            }
        })
        .unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
}

#[rstest]
#[case::org_disabled(
    OrgUpdate::new().execution_enabled(false),
    OrgUpdate::new().execution_enabled(true),
    DecisionCode::OrgDisabled
)]
#[case::plan_frozen(
    OrgUpdate::new().frozen(true),
    OrgUpdate::new().frozen(false),
    DecisionCode::PlanFrozen
)]
#[case::entitlement_expired(
    OrgUpdate::new().entitlement_active(false),
    OrgUpdate::new().entitlement_active(true),
    DecisionCode::EntitlementExpired
)]
#[tokio::test]
async fn each_state_of_an_org_has_its_decision_code(
    #[case] on: OrgUpdate,
    #[case] off: OrgUpdate,
    #[case] expected: DecisionCode,
) {
    let (_server, org, client) = start(Plan::Free).await;
    assert!(client.register(&id("agent-01")).await.unwrap().is_registered());
    org.update(on).unwrap();
    assert_eq!(code(&client, "agent-01").await, expected);
    org.update(off).unwrap();
    assert_eq!(code(&client, "agent-01").await, DecisionCode::Allow);
}

#[tokio::test]
async fn an_unknown_device_has_its_decision_code() {
    let (_server, _org, client) = start(Plan::Free).await;
    assert_eq!(code(&client, "agent-02").await, DecisionCode::DeviceNotFound);
}

#[tokio::test]
async fn an_unavailable_service_has_its_decision_code() {
    let (server, org, client) = start(Plan::Free).await;
    assert!(client.register(&id("agent-01")).await.unwrap().is_registered());
    let options = ClientOptions::new().max_attempts(1);
    let once = builder(&server, org.key()).options(options).build().unwrap();
    org.update(OrgUpdate::new().available(false)).unwrap();
    assert_eq!(code(&once, "agent-01").await, DecisionCode::SystemUnavailable);
}

#[tokio::test]
async fn an_unknown_org_has_its_decision_code() {
    let server = MockServer::start().await;
    let stranger = builder(&server, "org_unknown").build().unwrap();
    assert_eq!(code(&stranger, "agent-01").await, DecisionCode::OrgNotFound);
}

#[tokio::test]
async fn a_full_plan_blocks_and_a_larger_one_does_not() {
    let (_server, org, client) = start(Plan::Free).await;
    for name in ["a", "b", "c"] {
        assert!(client.register(&id(name)).await.unwrap().is_registered());
    }
    let Registration::Blocked(reply) = client.register(&id("d")).await.unwrap() else {
        panic!("the fourth device of a free plan was registered")
    };
    assert_eq!((reply.figures.limit, reply.figures.devices_used), (Some(3), Some(3)));
    let denied = Gate::new(&client, id("d")).register_on_start().check().await.unwrap_err();
    assert_eq!(denied.code().as_str(), "device_limit_reached");

    client.revoke(&id("a")).await.unwrap();
    assert!(client.register(&id("d")).await.unwrap().is_registered(), "only active ones count");
    let error = client.unrevoke(&id("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, Some("device_limit_reached")));

    org.update(OrgUpdate::new().plan(Plan::Pro)).unwrap();
    client.unrevoke(&id("a")).await.unwrap();
}

#[tokio::test]
async fn many_devices_are_revoked_and_restored() {
    let (_server, org, client) = start(Plan::Pro).await;
    for name in ["a", "b", "c", "d", "e"] {
        assert!(client.register(&id(name)).await.unwrap().is_registered());
    }
    let batch = client.revoke_batch(&ids(&["a", "a", "nobody", "b"])).await.unwrap();
    let statuses: Vec<_> = batch.results.iter().map(|item| item.status.clone()).collect();
    assert_eq!(statuses, [Revoked, NotFound, Revoked]);
    assert_eq!(batch.revoked_count, Some(2));
    assert_eq!(client.revoke_all_active().await.unwrap().revoked_count, Some(3));
    assert_eq!(client.revoke_all_active().await.unwrap().revoked_count, Some(0));

    org.update(OrgUpdate::new().plan(Plan::Free)).unwrap();
    let batch = client.unrevoke_batch(&ids(&["a", "b", "c", "d"])).await.unwrap();
    let statuses: Vec<_> = batch.results.iter().map(|item| item.status.clone()).collect();
    assert_eq!(statuses, [Unrevoked, Unrevoked, Unrevoked, BatchStatus::Blocked]);
    let all = client.unrevoke_all_revoked().await.unwrap();
    assert_eq!((all.unrevoked_count, all.reason), (Some(0), Some(UnrevokeReason::AtCap)));
    org.update(OrgUpdate::new().plan(Plan::Max)).unwrap();
    assert_eq!(client.unrevoke_all_revoked().await.unwrap().unrevoked_count, Some(2));
    let all = client.unrevoke_all_revoked().await.unwrap();
    assert_eq!(all.reason, Some(UnrevokeReason::NoneRevoked));
}

#[tokio::test]
async fn an_org_is_created_and_upgraded() {
    let server = MockServer::start().await;
    let nobody = Client::builder().base_url(server.machineid_base_url()).build().unwrap();
    let org = nobody.create_org().await.unwrap();
    let client = builder(&server, org.org_key.expose()).build().unwrap();
    assert_eq!(client.usage().await.unwrap().figures.plan_tier, Some(PlanTier::Free));
    assert!(client.checkout(&PlanTier::Scale).await.unwrap().url.starts_with("http"));
    let error = client.checkout(&PlanTier::Free).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::BadRequest, Some("invalid_plan")));
}

/// A document that contains ALLOW but is not a decision.
const NO_DECISION: &str = r#"{"message":"ALLOW"}"#;

#[rstest]
#[case::status_503(Fault::status(503))]
#[case::no_decision(Fault::status(200).body(NO_DECISION))]
#[case::redirect(Fault::status(302))]
#[case::no_reply(Fault::delay(Duration::from_mins(1)))]
#[case::dropped_before(Fault::drop_before())]
#[case::dropped_after(Fault::drop_after())]
#[case::truncated(Fault::truncate())]
#[case::garbage(Fault::garbage())]
#[case::slow_body(Fault::slow_body(Duration::from_mins(1)))]
#[tokio::test]
async fn a_fault_denies_only_as_long_as_it_lasts(#[case] fault: Fault) {
    let (server, org, client) = start(Plan::Free).await;
    assert!(client.register(&id("agent-01")).await.unwrap().is_registered());
    let options = ClientOptions::new().timeout(Duration::from_millis(200));
    let impatient = builder(&server, org.key()).options(options).build().unwrap();
    let gate = Gate::new(&impatient, id("agent-01"));
    let guard = server.fault_scoped(fault.path("/api/v1/devices/validate")).unwrap();
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(matches!(denied.reason(), Reason::NoDecision(_)), "{denied:?}");
    drop(guard);
    assert!(gate.check().await.is_ok());
}

#[tokio::test]
async fn lost_replies_do_not_change_the_effect() {
    let (server, _org, client) = start(Plan::Free).await;
    let device = id("agent-01");
    let drop_one = |path: &str| server.add_fault(Fault::drop_after().path(path).times(1)).unwrap();

    drop_one("/api/v1/devices/register");
    let registration = client.register(&device).await.unwrap();
    assert!(matches!(registration, Registration::Exists(_)), "the first took effect");
    drop_one("/api/v1/devices/revoke");
    client.revoke(&device).await.unwrap();
    drop_one("/api/v1/devices/unrevoke");
    client.unrevoke(&device).await.unwrap();
    drop_one("/api/v1/devices/remove");
    client.remove(&device).await.unwrap();
    assert!(client.list_devices().await.unwrap().devices.is_empty());

    server.expect(Method::POST, "/api/v1/org/create", 1..=1);
    drop_one("/api/v1/org/create");
    let error = client.create_org().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "a creation is not repeated");
}

/// Many tasks check at full speed; once the device is revoked, every check is denied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_revoke_no_check_is_allowed() {
    let (_server, _org, client) = start(Plan::Free).await;
    let device = id("agent-01");
    assert!(client.register(&device).await.unwrap().is_registered());
    let gate = Gate::new(&client, device.clone());
    let revoked = Arc::new(AtomicBool::new(false));
    let permits = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (gate, revoked, permits) = (gate.clone(), revoked.clone(), permits.clone());
            tokio::spawn(async move {
                loop {
                    let asked_after = revoked.load(Ordering::SeqCst);
                    match gate.check().await {
                        Ok(_) if asked_after => panic!("a permit was given after the revoke"),
                        Ok(_) => permits.fetch_add(1, Ordering::SeqCst),
                        Err(denied) => return denied,
                    };
                }
            })
        })
        .collect();
    while permits.load(Ordering::SeqCst) < 2_000 {
        tokio::task::yield_now().await;
    }
    client.revoke(&device).await.unwrap();
    revoked.store(true, Ordering::SeqCst);
    for task in tasks {
        assert_eq!(task.await.unwrap().code(), &DecisionCode::DeviceRevoked);
    }
}

#[tokio::test]
async fn work_ends_when_the_org_is_stopped() {
    let (_server, org, client) = start(Plan::Free).await;
    let gate = Gate::new(&client, id("agent-01")).register_on_start();
    let work = async {
        org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
        std::future::pending::<()>().await;
    };
    let denied = gate.supervise(Duration::from_millis(1), work).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::OrgDisabled);
}

#[test]
fn clients_are_as_small_as_a_pointer() {
    for (name, size) in [
        ("Client", size_of::<machineid_client::Client>()),
        ("blocking::Client", size_of::<machineid_client::blocking::Client>()),
        ("Gate", size_of::<Gate>()),
        ("machins Client", size_of::<machins_client::Client>()),
        ("machins blocking::Client", size_of::<machins_client::blocking::Client>()),
    ] {
        assert_eq!(size, size_of::<usize>(), "{name}");
    }
}
