//! What an observer of the gate sees.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machineid_client::{DecisionCode, Denied, Gate, Permit};
use wiremock::ResponseTemplate;

use crate::servers::{client_with_clock, revoked, server_with};
use crate::support::{Allow, client, deny, device};

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

#[tokio::test]
async fn the_outage_observer_is_told_once_when_a_check_asks_again() {
    let unavailable = || ResponseTemplate::new(503).set_body_json(deny("SYSTEM_UNAVAILABLE"));
    for (grace, told) in [(Duration::from_mins(1), 1), (Duration::ZERO, 0)] {
        let server = server_with(3, unavailable(), Allow).await;
        let (client, _) = client_with_clock(&server.uri());
        let seen = Seen::default();
        let outages = Seen::default();
        let outage_observer = outages.observer();
        let gate = Gate::new(&client, device())
            .outage_grace(grace)
            .observer(seen.observer())
            .outage_observer(move |denied| outage_observer(Err(denied)));
        let result = gate.check().await;
        assert_eq!(result.is_ok(), told == 1);
        assert_eq!(outages.codes(), vec![DecisionCode::SystemUnavailable; told]);
        assert_eq!(seen.codes().len(), 1);
    }
}
