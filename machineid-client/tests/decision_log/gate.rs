//! What a gate writes to its log.

use std::fs::File;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use machineid_client::decision_log::{DecisionLog, LogError};
use machineid_client::{DecisionCode, Gate, Reason};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::Folder;
use crate::support::{Allow, client, deny, device};

/// A server that allows `times` times, and then denies.
async fn server(times: u64) -> MockServer {
    let server = MockServer::start().await;
    if times > 0 {
        Mock::given(any()).respond_with(Allow).up_to_n_times(times).mount(&server).await;
    }
    let revoked = ResponseTemplate::new(200).set_body_json(deny("DEVICE_REVOKED"));
    Mock::given(any()).respond_with(revoked).mount(&server).await;
    server
}

fn gate(server: &MockServer, log: &DecisionLog) -> Gate {
    Gate::new(&client(server), device()).decision_log(log.clone())
}

/// The code of each line with what followed, when all is written.
fn lines(folder: &Folder, log: &DecisionLog) -> Vec<(String, String)> {
    log.flush();
    let entries = folder.entries();
    assert!(entries.iter().all(|entry| entry.allowed == (entry.code == "ALLOW")));
    assert!(entries.iter().all(|entry| entry.device.as_deref() == Some("agent-01")));
    entries.into_iter().map(|entry| (entry.code, entry.followed)).collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(code, followed)| (code.to_owned(), followed.to_owned())).into()
}

#[tokio::test]
async fn each_check_is_logged_with_its_request_id() {
    let (server, folder) = (server(1).await, Folder::new());
    let log = folder.log().asked_by("worker");
    let gate = gate(&server, &log);
    let permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();
    let lines = lines(&folder, &log);
    assert_eq!(lines, pairs([("ALLOW", "permitted"), ("DEVICE_REVOKED", "denied")]));
    let entries = folder.entries();
    let ids: Vec<_> = entries.iter().map(|entry| entry.request_id.as_deref()).collect();
    assert_eq!(ids, [permit.request_id(), denied.request_id()]);
    assert!(entries.iter().all(|entry| entry.asked_by == "worker"));
    assert_eq!(folder.count(), 2);
}

#[tokio::test]
async fn supervised_work_is_logged_from_its_start_to_its_end() {
    let (server, folder) = (server(3).await, Folder::new());
    let log = folder.log();
    let gate = gate(&server, &log);
    gate.supervise(Duration::from_millis(100), pending::<()>()).await.unwrap_err();
    let expected = pairs([
        ("ALLOW", "started"),
        ("ALLOW", "continued"),
        ("ALLOW", "continued"),
        ("DEVICE_REVOKED", "ended"),
    ]);
    assert_eq!(lines(&folder, &log), expected);
}

#[tokio::test]
async fn work_that_was_not_started_is_logged() {
    let (server, folder) = (server(0).await, Folder::new());
    let log = folder.log();
    let gate = gate(&server, &log);
    gate.run(async {}).await.unwrap_err();
    assert_eq!(lines(&folder, &log), pairs([("DEVICE_REVOKED", "not_started")]));
}

#[tokio::test]
async fn an_outage_is_logged_as_a_denial() {
    let folder = Folder::new();
    let server = MockServer::start().await;
    let log = folder.log();
    let gate = gate(&server, &log);
    gate.check().await.unwrap_err();
    assert_eq!(lines(&folder, &log), pairs([("SYSTEM_UNAVAILABLE", "denied")]));
}

#[cfg(feature = "blocking")]
#[test]
fn a_blocking_gate_is_logged_too() {
    use machineid_client::blocking::Gate;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, folder) = (runtime.block_on(server(2)), Folder::new());
    let client = crate::support::builder(&server.uri()).build_blocking().unwrap();
    let log = folder.log();
    let gate = Gate::new(&client, device()).decision_log(log.clone());
    gate.run(|| ()).unwrap();
    gate.supervise(Duration::from_mins(1), |_| ()).unwrap();
    gate.check().unwrap_err();
    log.flush();
    let followed: Vec<_> = folder.entries().into_iter().map(|entry| entry.followed).collect();
    assert_eq!(followed, ["started", "started", "denied"]);
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn requests_are_logged_as_passed_on_or_refused() {
    use machineid_client::{DeviceId, GateLayer};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    let (server, folder) = (server(1).await, Folder::new());
    let log = folder.log();
    let gate = gate(&server, &log);
    for name in ["agent-01", "agent-01", "not valid"] {
        let layer =
            GateLayer::per_request(gate.clone(), move |_: &http::Request<()>| DeviceId::new(name));
        let service = ServiceBuilder::new()
            .layer(layer)
            .service(service_fn(async |_: http::Request<()>| Ok::<_, std::io::Error>(())));
        let _ = service.oneshot(http::Request::new(())).await;
    }
    log.flush();
    let entries = folder.entries();
    let followed: Vec<_> = entries.iter().map(|entry| entry.followed.as_str()).collect();
    assert_eq!(followed, ["passed_on", "refused", "refused"]);
    assert_eq!(
        (entries[2].device.as_deref(), entries[2].code.as_str()),
        (None, "INVALID_DEVICE_ID")
    );
}

/// A log that cannot be written: its folder does not exist.
fn unwritable(folder: &Folder) -> DecisionLog {
    DecisionLog::new(folder.path().join("missing/decisions.jsonl"))
}

#[tokio::test]
async fn an_allow_that_cannot_be_logged_passes_and_is_reported() {
    let (server, folder) = (server(1).await, Folder::new());
    let failures = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&failures);
    let log = unwritable(&folder).on_failure(move |record, error| {
        seen.lock().unwrap().push((record.is_allowed(), error.to_string()));
    });
    let gate = gate(&server, &log);
    let _permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();
    assert_eq!(*denied.code(), DecisionCode::DeviceRevoked);
    log.flush();
    let failures = failures.lock().unwrap();
    assert_eq!(failures.iter().map(|(allowed, _)| *allowed).collect::<Vec<_>>(), [true, false]);
    assert!(failures.iter().all(|(_, error)| error.contains("missing/decisions.jsonl")));
}

#[tokio::test]
async fn an_allow_that_must_be_logged_and_cannot_is_denied() {
    let (server, folder) = (server(1).await, Folder::new());
    let log = unwritable(&folder).required();
    let gate = gate(&server, &log);
    let denied = gate.check().await.unwrap_err();
    let Reason::NotLogged { decision, error: LogError::Io { .. } } = denied.reason() else {
        panic!("{denied:?}");
    };
    assert!(decision.is_allowed());
    assert_eq!(*denied.code(), DecisionCode::SystemUnavailable);
    assert_eq!(denied.request_id(), decision.request_id());
    let text = denied.to_string();
    assert!(text.contains("missing/decisions.jsonl") && text.contains("not logged"), "{text}");
    let denied = gate.check().await.unwrap_err();
    assert_eq!(*denied.code(), DecisionCode::DeviceRevoked);
}

#[tokio::test]
async fn an_allow_that_must_be_logged_is() {
    let (server, folder) = (server(1).await, Folder::new());
    let log = folder.log().required();
    let gate = gate(&server, &log);
    let _permit = gate.check().await.unwrap();
    assert_eq!(lines(&folder, &log), pairs([("ALLOW", "permitted")]));
}

#[tokio::test]
async fn a_denial_does_not_wait_for_a_locked_log() {
    let (server, (folder, _)) = (server(0).await, Folder::filled(1));
    let holder = File::open(folder.file()).unwrap();
    holder.lock().unwrap();
    let log = folder.log();
    let gate = gate(&server, &log);
    let start = Instant::now();
    gate.check().await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    // It is written as soon as it can be.
    holder.unlock().unwrap();
    assert_eq!(lines(&folder, &log).last().unwrap().0, "DEVICE_REVOKED");
}

#[tokio::test]
async fn an_allow_waits_for_a_locked_log_only_so_long() {
    let (server, (folder, _)) = (server(2).await, Folder::filled(1));
    let holder = File::open(folder.file()).unwrap();
    holder.lock().unwrap();
    let start = Instant::now();
    let gates = [folder.log(), folder.log().required()].map(|log| gate(&server, &log));
    let (permit, denied) = tokio::join!(gates[0].check(), gates[1].check());
    assert!(permit.is_ok());
    let denied = denied.unwrap_err();
    assert!(matches!(denied.reason(), Reason::NotLogged { error: LogError::Locked { .. }, .. }));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_checked_call_is_logged_with_its_tool_and_arguments() {
    let (server, folder) = (server(3).await, Folder::new());
    let log = folder.log();
    let gate = gate(&server, &log);
    let (long_name, long_text) = ("t".repeat(1000), "\u{10ffff}".repeat(100_000));
    let calls = [
        ("add", Some("{\"a\":\"\u{1b}[31m\"}")),
        ("add", None),
        (long_name.as_str(), Some(long_text.as_str())),
    ];
    for (tool, arguments) in calls {
        let _permit = gate.check_tool(tool, arguments).await.unwrap();
    }
    gate.check_tool("add", Some("[]")).await.unwrap_err();
    log.flush();
    let entries = folder.entries();
    let calls: Vec<_> = entries
        .iter()
        .map(|entry| (entry.tool.as_deref().unwrap(), entry.arguments.as_deref()))
        .collect();
    assert_eq!(calls[0], ("add", Some(r#"{"a":" [31m"}"#)));
    assert_eq!(calls[1], ("add", None));
    assert_eq!((calls[2].0.len(), calls[2].1.unwrap().chars().count()), (200, 2001));
    assert_eq!(calls[3], ("add", Some("[]")));
    assert_eq!(folder.count(), 4);
    assert!(folder.text().lines().all(|line| line.len() < 16 * 1024));
}
