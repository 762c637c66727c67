//! What can be seen of the checks: the observer, and the log.

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machineid_client::{DecisionCode, Denied, Gate, Permit};
use tracing_subscriber::fmt::MakeWriter;

use crate::servers::{client_with_clock, revoked, server_with};
use crate::support::{Allow, client, device};

/// The code of each result with the request id, in order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(DecisionCode, String)>>>);

impl Seen {
    fn observer(&self) -> impl Fn(Result<&Permit, &Denied>) + Send + Sync + 'static {
        let seen = self.clone();
        move |result| {
            let (of, code, id) = match result {
                Ok(permit) => {
                    (Some(permit.device()), permit.decision().code(), permit.request_id())
                }
                Err(denied) => (denied.device(), denied.code(), denied.request_id()),
            };
            assert_eq!(of, Some(&device()));
            seen.0.lock().unwrap().push((code.clone(), id.unwrap().to_owned()));
        }
    }

    fn codes(&self) -> Vec<DecisionCode> {
        self.0.lock().unwrap().iter().map(|(code, _)| code.clone()).collect()
    }
}

#[tokio::test]
async fn the_observer_is_given_each_result_with_its_request_id() {
    let server = server_with(1, Allow, revoked()).await;
    let seen = Seen::default();
    let gate = Gate::new(&client(&server), device()).observer(seen.observer());
    let permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.device(), Some(&device()));
    let ids = [permit.request_id().unwrap(), denied.request_id().unwrap()];
    let seen = seen.0.lock().unwrap().clone();
    assert_eq!(seen[0], (DecisionCode::Allow, ids[0].to_owned()));
    assert_eq!(seen[1], (DecisionCode::DeviceRevoked, ids[1].to_owned()));
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn the_observer_sees_the_checks_of_supervised_work() {
    let server = server_with(3, Allow, revoked()).await;
    let (client, _) = client_with_clock(&server.uri());
    let seen = Seen::default();
    let gate = Gate::new(&client, device()).observer(seen.observer());
    gate.supervise(Duration::from_secs(1), pending::<()>()).await.unwrap_err();
    let allow = DecisionCode::Allow;
    assert_eq!(seen.codes(), [allow.clone(), allow.clone(), allow, DecisionCode::DeviceRevoked]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn allowed_and_denied_are_logged_at_info() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let server = server_with(1, Allow, revoked()).await;
    let gate = Gate::new(&client(&server), device());
    let permit = gate.check().await.unwrap();
    let denied = gate.check().await.unwrap_err();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("machineid_client")).collect();
    let [allowed, refused] = lines[..] else { panic!("{text}") };
    for (line, parts) in [
        (allowed, ["INFO", "allowed", "agent-01", "ALLOW", permit.request_id().unwrap()]),
        (refused, ["INFO", "denied", "agent-01", "DEVICE_REVOKED", denied.request_id().unwrap()]),
    ] {
        assert!(parts.iter().all(|part| line.contains(part)), "{line} lacks one of {parts:?}");
    }
}
