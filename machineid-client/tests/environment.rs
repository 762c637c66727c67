//! Clients and device ids from the environment.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Output};

use machineid_client::{Client, DeviceId};
use rstest::rstest;

/// Not a test by itself: the tests below run it in a process whose environment they set, because a
/// process cannot safely change its own.
#[test]
fn child() {
    if env::var_os("TEST_CHILD").is_none() {
        return;
    }
    match (Client::from_env(), DeviceId::from_env()) {
        (Ok(client), Ok(device)) => println!("{client:?} {device}"),
        (client, device) => println!("{:?} {:?}", client.err(), device.err()),
    }
}

fn run(variables: &[(&str, &OsStr)]) -> String {
    let Output { stdout, .. } = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env_remove("MACHINEID_BASE_URL")
        .env("TEST_CHILD", "1")
        .env("MACHINEID_ORG_KEY", "org_1")
        .env("MACHINEID_DEVICE_ID", "agent-01")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(stdout).unwrap()
}

#[test]
fn key_address_and_device_come_from_the_environment() {
    let out = run(&[("MACHINEID_BASE_URL", OsStr::new("http://localhost:1"))]);
    assert!(out.contains("http://localhost:1) agent-01"), "{out}");
    let out =
        run(&[("MACHINEID_BASE_URL", OsStr::new(" ")), ("MACHINEID_ORG_KEY", OsStr::new(""))]);
    assert!(out.contains("MACHINEID_ORG_KEY is not set"), "{out}");
}

#[cfg(unix)]
#[rstest]
#[test]
fn a_variable_that_is_not_utf_8_is_an_error(
    #[values("MACHINEID_ORG_KEY", "MACHINEID_BASE_URL", "MACHINEID_DEVICE_ID")] name: &str,
) {
    use std::os::unix::ffi::OsStrExt as _;

    let out = run(&[(name, OsStr::from_bytes(b"org_\xff"))]);
    assert!(out.contains("InvalidInput"), "{out}");
    assert!(out.contains(&format!("the environment variable {name} is not UTF-8")), "{out}");
}
