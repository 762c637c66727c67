//! Clients in processes and runtimes that they cannot work in: an error, never a panic or worse.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use machineid_client::{self as machineid, DeviceId, Gate, OrgKey, Reason};
use machins_client::{
    ApiKey, Client, ClientBuilder, Error, ErrorKind, ListingType, Money, NewListing, PlatformStats,
};
use machins_mock::{MockServer, NewAgent, Plan};
use rstest::rstest;
use tokio::runtime::{Builder, Runtime};

fn server() -> MockServer {
    MockServer::builder().start().unwrap()
}

fn client(server: &MockServer) -> ClientBuilder {
    Client::builder().base_url(server.machins_base_url())
}

fn org(server: &MockServer) -> machineid::ClientBuilder {
    let org = server.create_org(Plan::Free);
    let key = OrgKey::new(org.key()).unwrap();
    machineid::Client::builder().org_key(key).base_url(server.machineid_base_url())
}

fn device() -> DeviceId {
    DeviceId::new("agent-01").unwrap()
}

fn without_timers() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

fn without_io() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
}

fn with_neither() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[rstest]
#[case::without_timers(without_timers(), "timers")]
#[case::without_io(without_io(), "I/O")]
#[case::with_neither(with_neither(), "timers")]
fn a_call_in_a_runtime_without_drivers_fails(#[case] runtime: Runtime, #[case] missing: &str) {
    let server = server();
    let client = client(&server).build().unwrap();
    let error = runtime.block_on(client.get_stats()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains(missing), "{error}");
    // The client is as good as before.
    Runtime::new().unwrap().block_on(client.get_stats()).unwrap();
}

#[rstest]
#[case::without_timers(without_timers())]
#[case::without_io(without_io())]
#[case::with_neither(with_neither())]
fn a_gate_in_a_runtime_without_drivers_denies(
    #[case] runtime: Runtime,
    #[values(Duration::ZERO, Duration::from_secs(1))] grace: Duration,
) {
    let server = server();
    let client = org(&server).build().unwrap();
    let gate = Gate::new(&client, device()).register_on_start().outage_grace(grace);
    let denied = runtime.block_on(gate.check()).unwrap_err();
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{denied}");
    let supervised = gate.supervise(Duration::from_secs(1), async {});
    runtime.block_on(supervised).unwrap_err();
}

#[rstest]
#[case::without_timers(without_timers())]
#[case::without_io(without_io())]
#[case::with_neither(with_neither())]
fn a_blocking_client_works_in_any_runtime(#[case] runtime: Runtime) {
    let server = server();
    let client = client(&server).build_blocking().unwrap();
    let device_client = org(&server).build_blocking().unwrap();
    let gate = machineid::blocking::Gate::new(&device_client, device()).register_on_start();
    runtime.block_on(async {
        client.get_stats().unwrap();
        let _permit = gate.check().unwrap();
        drop((client, device_client, gate));
    });
}

#[test]
fn a_call_outside_a_runtime_fails() {
    let server = server();
    let client = client(&server).build().unwrap();
    let call = std::pin::pin!(client.get_stats());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = call.poll(&mut context) else {
        panic!("it has not failed at once")
    };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[cfg(unix)]
mod forked {
    use fork::{Fork, WEXITSTATUS, WIFEXITED, fork, waitpid};

    use super::*;

    /// Runs `child` in a process made by `fork`, and returns whether it returned true there.
    fn in_child(child: impl FnOnce() -> bool) -> bool {
        match fork().unwrap() {
            Fork::Child => {
                // Where it hangs instead of being refused, it ends.
                nix::unistd::alarm::set(30);
                let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
                // The destructors of the test belong to the parent.
                std::process::exit(i32::from(!passed.unwrap_or(false)))
            }
            Fork::Parent(child) => {
                let status = waitpid(child).unwrap();
                WIFEXITED(status) && WEXITSTATUS(status) == 0
            }
        }
    }

    fn is_refused(result: Result<PlatformStats, Error>) -> bool {
        let error = result.unwrap_err();
        let advice = error.to_string();
        error.kind() == ErrorKind::Forked
            && !error.is_retryable()
            && advice.contains("fork")
            && advice.contains("create a new client")
    }

    #[test]
    fn a_blocking_client_is_refused_in_the_child() {
        let server = server();
        let client = client(&server).build_blocking().unwrap();
        client.get_stats().unwrap();
        for _ in 0..3 {
            let inherited = client.clone();
            assert!(in_child(|| is_refused(client.get_stats()) && {
                // The parent's connection survives this.
                drop(inherited);
                true
            }));
            // On the connection that was open before the fork.
            client.get_stats().unwrap();
        }
    }

    #[test]
    fn the_child_can_create_a_client() {
        let server = server();
        let builder = client(&server);
        let client = builder.clone().build_blocking().unwrap();
        client.get_stats().unwrap();
        assert!(in_child(|| builder.build_blocking().unwrap().get_stats().is_ok()));
        client.get_stats().unwrap();
    }

    #[test]
    fn an_asynchronous_client_is_refused_in_the_child() {
        let server = server();
        let client = client(&server).build().unwrap();
        let runtime = Runtime::new().unwrap();
        runtime.block_on(client.get_stats()).unwrap();
        let under_way = client.get_stats();
        assert!(in_child(|| {
            let own = Builder::new_current_thread().enable_all().build().unwrap();
            let refused = is_refused(own.block_on(client.get_stats()));
            refused && is_refused(own.block_on(under_way))
        }));
        runtime.block_on(client.get_stats()).unwrap();
    }

    #[test]
    fn a_gate_denies_in_the_child() {
        let server = server();
        let blocking = org(&server).build_blocking().unwrap();
        let blocking_gate = machineid::blocking::Gate::new(&blocking, device()).register_on_start();
        let client = org(&server).build().unwrap();
        let gate = Gate::new(&client, device()).register_on_start();
        let runtime = Runtime::new().unwrap();
        drop(blocking_gate.check().unwrap());
        drop(runtime.block_on(gate.check()).unwrap());
        let is_refused = |denied: &machineid::Denied| {
            matches!(denied.reason(), Reason::NoDecision(error)
                if error.kind() == machineid::ErrorKind::Forked)
        };
        assert!(in_child(|| {
            let own = Builder::new_current_thread().enable_all().build().unwrap();
            let second = std::time::Duration::from_secs(1);
            is_refused(&blocking_gate.check().unwrap_err())
                && is_refused(&blocking_gate.register().unwrap_err())
                && is_refused(&blocking_gate.supervise(second, |_| ()).unwrap_err())
                && is_refused(&own.block_on(gate.check()).unwrap_err())
                && is_refused(&own.block_on(gate.supervise(second, async {})).unwrap_err())
        }));
        drop(blocking_gate.check().unwrap());
        drop(runtime.block_on(gate.check()).unwrap());
    }

    #[test]
    fn other_blocking_work_is_refused_in_the_child() {
        let server = server();
        let agent = server.create_agent(NewAgent::new().slug("ada")).unwrap();
        let key = ApiKey::new(&agent.api_key).unwrap();
        let client = client(&server).api_key(key).build_blocking().unwrap();
        let price = Money::credits(1);
        client.create_listing(&NewListing::new("A", "ada-a", ListingType::Task, price)).unwrap();
        assert!(in_child(|| {
            let next = client.inbox_watch().deliveries().next().unwrap();
            let page = client.transactions_all(&machins_client::PageQuery::default()).next();
            next.unwrap_err().kind() == ErrorKind::Forked
                && page.unwrap().unwrap_err().kind() == ErrorKind::Forked
        }));
        client.get_wallet().unwrap();
    }
}
