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
    if let Ok(profile) = env::var("TEST_PROFILE") {
        let client = match profile.as_str() {
            "" => Client::from_config(),
            name => Client::from_profile(name),
        };
        return println!("{client:?}");
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
        .env_remove("MACHINS_PROFILE")
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
    let out = run(&[("MACHINEID_ORG_KEY", OsStr::new(""))]);
    assert!(out.contains("MACHINEID_ORG_KEY is not set"), "{out}");
    let out = run(&[("MACHINEID_BASE_URL", OsStr::new(" "))]);
    assert!(out.contains("MACHINEID_BASE_URL is only white space"), "{out}");
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

#[rstest]
#[case::the_top_level("", &[], "http://localhost:1")]
#[case::a_profile("ci", &[], "http://localhost:2")]
#[case::the_profile_of_the_environment("", &[("MACHINS_PROFILE", "ci")], "http://localhost:2")]
#[case::the_environment_first("ci", &[("MACHINEID_BASE_URL", "http://localhost:3")], "http://localhost:3")]
#[case::no_such_profile("other", &[], "has no profile other")]
#[case::no_key("", &[("MACHINS_CONFIG", "/nonexistent/config.json")], "there is no org key")]
fn a_client_comes_from_the_config_file(
    #[case] profile: &str,
    #[case] variables: &[(&str, &str)],
    #[case] expected: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config = r#"{
        "machineid": {"org_key": "org_file", "base_url": "http://localhost:1"},
        "profiles": {"ci": {"machineid": {"base_url": "http://localhost:2"}}}
    }"#;
    std::fs::write(&path, config).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut all = vec![
        ("MACHINEID_ORG_KEY", OsStr::new("")),
        ("MACHINS_CONFIG", path.as_os_str()),
        ("TEST_PROFILE", OsStr::new(profile)),
    ];
    all.extend(variables.iter().map(|(name, value)| (*name, OsStr::new(value))));
    let out = run(&all);
    assert!(out.contains(expected), "{out}");
    assert!(!out.contains("org_file"), "{out}");
}

/// Nobody writes into the pipe, so that opening it as a file would take for ever.
#[cfg(unix)]
#[rstest]
#[case::pipe("pipe")]
#[case::device("/dev/zero")]
fn what_is_no_regular_file_is_no_config(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg("-m600").arg(pipe).status().unwrap().success());
    let out = run(&[("MACHINS_CONFIG", path.as_os_str()), ("TEST_PROFILE", OsStr::new(""))]);
    assert!(out.contains("it is not a regular file"), "{out}");
}
