//! What the gate logs. In a program of its own: whether a log line is wanted is remembered for all
//! threads of a process, so that tests without a subscriber could switch it off.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "gate/servers.rs"]
mod servers;
mod support;

use machineid_client::Gate;
use servers::{revoked, server_with};
use support::{Allow, client, device};
use test_support::Log;

#[tokio::test]
async fn allowed_and_denied_are_logged_at_info() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let server = server_with(1, Allow, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();

    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("machineid_client")).collect();
    let [allowed, refused] = lines[..] else { panic!("{text}") };
    for (line, parts) in [
        (allowed, ["INFO", "allowed", "agent-01", "ALLOW", permit.request_id().unwrap()]),
        (refused, ["INFO", "denied", "agent-01", "DEVICE_REVOKED", denied.request_id().unwrap()]),
    ] {
        assert!(parts.iter().all(|part| line.contains(part)), "{line} lacks one of {parts:?}");
    }
}
