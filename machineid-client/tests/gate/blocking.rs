//! The blocking gate.

use std::time::Duration;

use machineid_client::DecisionCode;
use machineid_client::blocking::Gate;
use tokio::runtime::Runtime;
use wiremock::MockServer;

use crate::servers::{revoked, server_with};
use crate::support::{Allow, allowing_server, builder, device};

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
