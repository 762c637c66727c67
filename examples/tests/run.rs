//! Every example runs against the mock server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::process::{Command, Output};

use machins_mock::blocking::MockServer;
use machins_mock::{Org, OrgUpdate, Plan};

/// Runs an example as a user would. Cargo has built it beside this test.
fn run(name: &str, server: &MockServer, org: &Org) -> Output {
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    Command::new(target.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION))
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINEID_ORG_KEY", org.key())
        .env("MACHINEID_DEVICE_ID", "agent-01")
        .output()
        .unwrap()
}

#[test]
fn gated_worker() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let output = run("gated_worker", &server, &org);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.ends_with(b"all jobs done\n"), "{output:?}");

    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let output = run("gated_worker", &server, &org);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(output.stdout.is_empty(), "denied work began: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("ORG_DISABLED"), "{output:?}");
}
