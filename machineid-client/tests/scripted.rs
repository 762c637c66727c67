//! Unit tests of a program that asks MachineID, without a server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::{
    Client, ClientOptions, Decision, DecisionCode, Denied, DeviceId, Error, ErrorKind, Gate,
    InvalidAllow, Method, NewOrg, OrgKey, PermitFacts, Reason, Registration, Reply, Script,
};
use serde_json::json;
use support::{KEY, allow, deny, device};

const VALIDATE: &str = "/api/v1/devices/validate";

fn client(script: &Script) -> Client {
    let key = OrgKey::new(KEY).unwrap();
    Client::builder().org_key(key).options(ClientOptions::scripted(script)).build().unwrap()
}

#[tokio::test]
async fn a_gate_follows_the_script() {
    let script = Script::new();
    let revoked = Reply::new(200, &deny("DEVICE_REVOKED"));
    script.on(Method::POST, VALIDATE).reply(Reply::new(200, &allow())).reply(revoked);
    let gate = Gate::new(&client(&script), device());
    assert_eq!(gate.check().await.unwrap().device().as_str(), "agent-01");
    assert_eq!(*gate.check().await.unwrap_err().code(), DecisionCode::DeviceRevoked);
    let requests = script.requests();
    assert_eq!(requests[0].body, json!({"deviceId": "agent-01"}));
}

#[tokio::test]
async fn a_repeated_allow_is_not_believed_from_a_script() {
    let script = Script::new();
    script.on(Method::POST, VALIDATE).reply(Reply::new(200, &allow()));
    let gate = Gate::new(&client(&script), device());
    let _permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.invalid_allow(), Some(InvalidAllow::RepeatedRequestId));
}

#[test]
fn a_blocking_client_follows_the_script() {
    let script = Script::new();
    script.on(Method::POST, VALIDATE).reply(Reply::new(200, &deny("ORG_DISABLED")));
    let key = OrgKey::new(KEY).unwrap();
    let options = ClientOptions::scripted(&script);
    let client = Client::builder().org_key(key).options(options).build_blocking().unwrap();
    assert_eq!(*client.validate(&device()).unwrap().code(), DecisionCode::OrgDisabled);
}

#[test]
fn decisions_denials_and_replies_can_be_created() {
    let device = DeviceId::new("agent-01").unwrap();
    let decision = Decision::from_reply(&Reply::new(200, &allow()), &device).unwrap();
    assert!(decision.is_allowed());
    assert!(PermitFacts::new(&device, decision).request_id().is_some());
    let refused = Decision::from_reply(&Reply::new(403, &deny("PLAN_FROZEN")), &device).unwrap();
    let denied = Denied::from_reason(&device, Reason::Refused(refused));
    assert_eq!(*denied.code(), DecisionCode::PlanFrozen);
    let error = Error::new(ErrorKind::TimedOut, "no answer");
    assert!(Denied::from_reason(&device, Reason::NoDecision(error)).is_outage());

    let reply = Reply::new(403, &json!({"status": "blocked", "error": "device_limit_reached"}));
    let blocked = Registration::from_reply(&reply).unwrap();
    let denied = Denied::from_reason(&device, Reason::NotRegistered(blocked));
    assert_eq!(denied.code().as_str(), "device_limit_reached");
    let org = NewOrg::from_reply(&Reply::new(200, &json!({"orgApiKey": KEY}))).unwrap();
    assert_eq!(org.org_key.expose(), KEY);
    let error = Reply::new(404, &json!({"error": "device_not_found"})).error();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("device_not_found")));
}
