//! The blocking gate.

use std::sync::mpsc;
use std::time::Duration;

use machineid_client::blocking::Gate;
use machineid_client::{ClientOptions, DecisionCode};
use tokio::runtime::Runtime;
use wiremock::MockServer;

use crate::clock::{ManualClock, until};
use crate::servers::{held_server, revoked, server_with};
use crate::support::{Allow, allow, allowing_server, builder, deny, device};

fn gate(server: &MockServer) -> Gate {
    Gate::new(&builder(&server.uri()).build_blocking().unwrap(), device())
}

#[test]
fn check_and_run_deny_after_a_revocation() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(server_with(2, Allow, revoked()));
    let gate = gate(&server);
    assert_eq!(gate.check().unwrap().device(), &device());
    assert_eq!(gate.run(|| 42).unwrap(), 42);
    let denied = gate.run(|| panic!("denied work has started")).unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
}

#[test]
fn supervise_cancels_the_token_on_the_first_denial() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(server_with(3, Allow, revoked()));
    let denied = gate(&server)
        .supervise(Duration::from_millis(1), |stop| runtime.block_on(stop.cancelled()))
        .unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
}

#[test]
fn supervise_returns_the_result_of_the_work() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(server_with(1, Allow, revoked()));
    let output = gate(&server).supervise(Duration::from_hours(1), |_| "done").unwrap();
    assert_eq!(output, "done");
}

#[test]
fn work_whose_last_permit_is_too_old_is_checked_once_more() {
    let runtime = Runtime::new().unwrap();
    let (url, mut requests) = runtime.block_on(held_server());
    let clock = ManualClock::new();
    let options = ClientOptions::new().clock(clock.clone());
    let gate = Gate::new(&builder(&url).options(options).build_blocking().unwrap(), device());
    let (asked, is_asked) = mpsc::channel();
    runtime.spawn(async move {
        requests.recv().await.unwrap().send(allow()).unwrap();
        let _never_answered = requests.recv().await.unwrap();
        asked.send(()).unwrap();
        requests.recv().await.unwrap().send(deny("DEVICE_REVOKED")).unwrap();
    });
    let every = Duration::from_secs(30);
    let result = gate.supervise(every, |_| {
        runtime.block_on(until(async || clock.sleepers() == 1));
        clock.advance(every);
        is_asked.recv().unwrap();
        clock.advance(every);
        "done"
    });
    assert_eq!(result.unwrap_err().code(), &DecisionCode::DeviceRevoked);
}

#[test]
fn many_threads_can_check_at_once() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(allowing_server());
    let gate = gate(&server);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..20).for_each(|_| drop(gate.check().unwrap())));
        }
    });
}
