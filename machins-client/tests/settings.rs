//! Clients from the environment and from the config file.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use machins_client::Client;
use rstest::rstest;
use serde_json::json;

/// Not a test by itself: the tests below run it in a process whose environment they set, because a
/// process cannot safely change its own.
#[tokio::test]
async fn child() {
    let Ok(from) = env::var("TEST_CLIENT_FROM") else { return };
    let client = match from.as_str() {
        "env" => Client::from_env(),
        "config" => Client::from_config(),
        profile => Client::from_profile(profile),
    };
    match client {
        Ok(client) => match client.get_wallet().await {
            Ok(wallet) => println!("balance {}", wallet.balance),
            Err(error) => println!("call: {error} {error:?}"),
        },
        Err(error) => println!("build: {error} {error:?}"),
    }
}

fn run(from: &str, variables: &[(&str, impl AsRef<OsStr>)]) -> String {
    let Output { stdout, .. } = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env_remove("MACHINS_API_KEY")
        .env_remove("MACHINS_BASE_URL")
        .env_remove("MACHINS_PROFILE")
        .env("TEST_CLIENT_FROM", from)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    String::from_utf8(stdout).unwrap()
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    set_mode(&path, 0o600);
    path.to_str().unwrap().to_owned()
}

#[cfg(unix)]
fn set_mode(path: impl AsRef<std::path::Path>, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn wallet() -> wiremock::MockServer {
    let wallet = json!({"balance": "7.00", "held_balance": "0.00", "available_balance": "7.00"});
    test_support::server(200, &wallet).await
}

async fn key_seen(server: &wiremock::MockServer) -> String {
    let requests = server.received_requests().await.unwrap();
    requests.last().unwrap().headers["x-api-key"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_overrides_the_file() {
    let server = wallet().await;
    let url = server.uri();
    let config = json!({"api_key": "at_file", "base_url": url, "unknown": {"kept": true}});
    let config = file("settings.json", &config.to_string());
    let out = run("config", &[("MACHINS_CONFIG", &config)]);
    assert!(out.contains("balance 7.00"), "{out}");
    assert_eq!(key_seen(&server).await, "at_file");
    let variables = [("MACHINS_CONFIG", &*config), ("MACHINS_API_KEY", "at_env")];
    run("config", &variables);
    assert_eq!(key_seen(&server).await, "at_env");
    run("env", &[("MACHINS_API_KEY", "at_env2"), ("MACHINS_BASE_URL", &url)]);
    assert_eq!(key_seen(&server).await, "at_env2");
}

#[test]
fn a_missing_file_is_an_empty_one() {
    let out = run("config", &[("MACHINS_CONFIG", "/nonexistent/config.json")]);
    assert!(out.contains("this call needs the API key"), "{out}");
}

#[rstest]
#[case::empty("empty.json", "")]
#[case::blank("blank.json", " \n")]
#[case::byte_order_mark("mark.json", "\u{feff}{}")]
fn a_file_without_content_is_an_empty_one(#[case] name: &str, #[case] text: &str) {
    let out = run("config", &[("MACHINS_CONFIG", &file(name, text))]);
    assert!(out.contains("this call needs the API key"), "{out}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_file_can_be_named_below_the_home() {
    let server = wallet().await;
    let config = json!({"api_key": "at_home", "base_url": server.uri()});
    let config = PathBuf::from(file("of-home.json", &config.to_string()));
    let home = config.parent().unwrap().to_str().unwrap();
    let out = run("config", &[("HOME", home), ("MACHINS_CONFIG", "~/of-home.json")]);
    assert!(out.contains("balance 7.00"), "{out}");
}

#[rstest]
#[case::malformed("malformed.json", r#"{"api_key": "at_hush", "base_url": }"#)]
#[case::of_another_shape("other.json", r#"{"api_key": {"at_hush": 1}}"#)]
fn a_file_that_cannot_be_read_is_named_and_not_shown(#[case] name: &str, #[case] text: &str) {
    let out = run("config", &[("MACHINS_CONFIG", &file(name, text))]);
    let message = format!("{name} cannot be read: its content is invalid at line 1");
    assert!(out.contains("build: ") && out.contains(&message), "{out}");
    assert!(!out.contains("at_hush"), "{out}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_path_that_is_not_utf_8_is_an_error() {
    use std::os::unix::ffi::OsStrExt as _;

    let out = run("config", &[("MACHINS_CONFIG", OsStr::from_bytes(b"\xff"))]);
    assert!(out.contains("build: the environment variable MACHINS_CONFIG is not UTF-8"), "{out}");
}

#[cfg(unix)]
#[rstest]
#[tokio::test]
async fn a_variable_that_is_not_utf_8_is_an_error(
    #[values("MACHINS_API_KEY", "MACHINS_BASE_URL")] name: &str,
    #[values("env", "config")] from: &str,
) {
    use std::os::unix::ffi::OsStrExt as _;

    let value = OsStr::from_bytes(b"at_\xff");
    let key = ("MACHINS_API_KEY", OsStr::new("at_env"));
    let config = ("MACHINS_CONFIG", OsStr::new("/nonexistent/config.json"));
    let out = run(from, &[key, config, (name, value)]);
    assert!(out.contains(&format!("build: the environment variable {name} is not UTF-8")), "{out}");
}

/// As the default, the key of a test would go to production.
#[rstest]
fn a_variable_of_white_space_is_not_the_default(
    #[values("MACHINS_API_KEY", "MACHINS_BASE_URL")] name: &str,
    #[values("env", "config")] from: &str,
) {
    let config = ("MACHINS_CONFIG", "/nonexistent/config.json");
    let out = run(from, &[("MACHINS_API_KEY", "at_env"), config, (name, " \t")]);
    assert!(out.contains(&format!("{name} is only white space")), "{out}");
}

#[test]
fn a_malformed_key_is_not_shown() {
    let out = run("env", &[("MACHINS_API_KEY", "hush")]);
    assert!(out.contains("not a valid API key") && !out.contains("hush"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_comes_between_environment_and_file() {
    let server = wallet().await;
    let config = json!({
        "api_key": "at_top",
        "base_url": server.uri(),
        "profiles": {"ci": {"api_key": "at_ci"}, "bare": {}, "none": null},
    });
    let config = file("profiles.json", &config.to_string());
    for (from, variables, key) in [
        ("ci", vec![], "at_ci"),
        ("bare", vec![], "at_top"),
        ("none", vec![], "at_top"),
        ("config", vec![("MACHINS_PROFILE", "ci")], "at_ci"),
        ("bare", vec![("MACHINS_PROFILE", "ci")], "at_top"),
        ("ci", vec![("MACHINS_API_KEY", "at_env")], "at_env"),
    ] {
        let out = run(from, &[vec![("MACHINS_CONFIG", config.as_str())], variables].concat());
        assert!(out.contains("balance 7.00"), "{out}");
        assert_eq!(key_seen(&server).await, key);
    }
    let out = run("other", &[("MACHINS_CONFIG", &config)]);
    assert!(out.contains("has no profile other"), "{out}");
}

#[cfg(unix)]
#[rstest]
#[case::group(0o620)]
#[case::all(0o606)]
fn a_file_that_others_can_write_to_is_refused(#[case] mode: u32) {
    let config = file(&format!("mode-{mode:o}.json"), r#"{"api_key": "at_hush"}"#);
    set_mode(&config, mode);
    let out = run("config", &[("MACHINS_CONFIG", &config)]);
    assert!(out.contains("other users can write to it"), "{out}");
    assert!(out.contains("InvalidInput") && !out.contains("at_hush"), "{out}");
}

/// Only root can give a file away; for another user there is nothing to be tested.
#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_refused() {
    let config = file("of-another.json", r#"{"api_key": "at_hush"}"#);
    if std::os::unix::fs::chown(&config, Some(54321), None).is_err() {
        return;
    }
    let out = run("config", &[("MACHINS_CONFIG", &config)]);
    fs::remove_file(&config).unwrap();
    assert!(out.contains("it belongs to the user 54321"), "{out}");
    assert!(!out.contains("at_hush"), "{out}");
}
