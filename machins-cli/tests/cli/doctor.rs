//! `machins doctor`: each line with what to do about it.

use machins_mock::{Fault, MockServer, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, Ran};
use crate::shop::Shop;
use crate::stub::{self, Reply};

fn check(ran: &Ran, name: &str) -> Value {
    let document = ran.document();
    let checks = document["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("{document}"))
        .clone()
}

fn status(ran: &Ran, name: &str) -> String {
    check(ran, name)["status"].as_str().unwrap().to_owned()
}

/// A home in which all is well.
fn well() -> (Shop, MockServer, Home) {
    let shop = Shop::new();
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Free);
    let home = Home::against(&server, &org)
        .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
        .with("MACHINEID_DEVICE_ID", "agent-01");
    home.write_config(&shop.ada.read_config());
    home.run(&["register"]).exits(0);
    (shop, server, home)
}

#[test]
fn all_is_well() {
    let (_shop, _server, home) = well();
    let ran = home.run(&["doctor", "--json"]).exits(0);
    assert_eq!(ran.document()["ok"], true);
    for name in
        ["config", "permissions", "proxy", "machins clock", "machins key", "MachineID device"]
    {
        assert_eq!(status(&ran, name), "ok", "{ran:?}");
    }
    let human = home.run(&["doctor"]).exits(0);
    let begins = ["ok ", "skipped ", "         "];
    assert!(human.stdout.lines().all(|line| begins.iter().any(|begin| line.starts_with(begin))));
    // Nothing at all is configured, which is no fault.
    let nothing = home_of_nobody();
    assert!(nothing.run(&["doctor"]).exits(0).stdout.contains("machins join --help"));
}

fn home_of_nobody() -> Home {
    let url = stub::serve(|_| Reply::json(401, &json!({"detail": "no key"})));
    Home::new().with("MACHINS_BASE_URL", &url).with("MACHINEID_BASE_URL", &url)
}

#[rstest]
#[case::corrupt("{", "config")]
#[case::invalid_value(r#"{"base_url": "nowhere"}"#, "config")]
#[case::no_such_profile(r#"{"default_profile": "gone"}"#, "profile")]
#[case::invalid_key(r#"{"api_key": "org_1"}"#, "machins key")]
#[case::policy(r#"{"policy": {"max_per_trade": "lots"}}"#, "config")]
#[case::rule_that_is_none(r#"{"policy": {"max_per_trad": "5.00"}}"#, "config")]
#[case::policy_of_a_profile(
    r#"{"profiles": {"ci": {"policy": {"read_only": "maybe"}}}}"#,
    "config"
)]
fn a_config_that_is_wrong_exits_4(#[case] text: &str, #[case] name: &str) {
    let home = home_of_nobody();
    home.write_config(text);
    let ran = home.run(&["doctor", "--json"]).exits(4);
    assert_eq!(status(&ran, name), "failed", "{ran:?}");
    assert!(check(&ran, name)["cure"].as_str().unwrap().len() > 5);
    assert!(home.run(&["doctor"]).exits(4).stdout.contains("next:"));
}

#[cfg(unix)]
#[test]
fn a_config_that_others_can_read_is_a_warning() {
    let (_shop, _server, home) = well();
    crate::home::set_mode(&home.config(), 0o644);
    let ran = home.run(&["doctor", "--json"]).exits(0);
    assert_eq!(status(&ran, "permissions"), "warning");
    assert!(check(&ran, "permissions")["cure"].as_str().unwrap().starts_with("chmod 600 "));
}

#[test]
fn a_key_that_is_refused_exits_4() {
    let (_shop, _server, home) = well();
    let home = home.with("MACHINS_API_KEY", "at_0123456789abcdef0123456789abcdef");
    let ran = home.run(&["doctor", "--json"]).exits(4);
    assert_eq!(status(&ran, "machins key"), "failed");
    assert_eq!(status(&ran, "environment"), "warning");
    assert!(!ran.stdout.contains("0123456789abcdef"), "{ran:?}");
}

#[test]
fn a_service_that_cannot_be_used_exits_1() {
    let (shop, server, home) = well();
    server.add_fault(Fault::status(503).path("/api/v1/usage")).unwrap();
    let ran = home.run(&["doctor", "--json"]).exits(1);
    assert_eq!(status(&ran, "MachineID connection"), "failed");
    assert_eq!(
        (status(&ran, "MachineID key").as_str(), shop.asked("GET", "/wallets/me")),
        ("skipped", 1)
    );
    let hanging = home.with("MACHINS_BASE_URL", &stub::hang());
    let ran = hanging.run(&["doctor", "--json", "--timeout", "0.2"]).exits(1);
    assert_eq!(status(&ran, "machins connection"), "failed");
    assert!(check(&ran, "machins connection")["cure"].to_string().contains("--timeout"));
    let gone = hanging.with("MACHINS_BASE_URL", "http://127.0.0.1:9");
    assert_eq!(status(&gone.run(&["doctor", "--json"]).exits(1), "machins connection"), "failed");
}

#[rstest]
#[case::behind("Thu, 01 Jan 2099 00:00:00 GMT", "failed", "behind")]
#[case::ahead("Thu, 01 Jan 2015 00:00:00 GMT", "failed", "ahead of")]
#[case::no_time("soon", "skipped", "does not tell")]
fn a_clock_that_is_wrong_is_told(#[case] date: &str, #[case] is: &str, #[case] says: &str) {
    let headers = format!("content-type: application/json\r\ndate: {date}\r\n").into_bytes();
    let url =
        stub::serve(move |_| Reply { status: 401, headers: headers.clone(), body: b"{}".to_vec() });
    let home = Home::new().with("MACHINS_BASE_URL", &url).with("MACHINEID_BASE_URL", &url);
    let ran = home.run(&["doctor", "--json"]);
    assert_eq!(status(&ran, "machins clock"), is);
    assert!(check(&ran, "machins clock")["message"].as_str().unwrap().contains(says), "{ran:?}");
}

#[test]
fn a_device_is_looked_up() {
    let (_shop, _server, home) = well();
    let unknown = home.with("MACHINEID_DEVICE_ID", "agent-02");
    let ran = unknown.run(&["doctor", "--json"]).exits(0);
    assert_eq!(check(&ran, "MachineID device")["cure"], "machins register agent-02");
    unknown.run(&["register"]).exits(0);
    unknown.run(&["revoke", "agent-02"]).exits(0);
    let ran = unknown.run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("the operator of this org decides"), "{ran:?}");
    assert!(!ran.stdout.contains("unrevoke"));
}

#[rstest]
#[case::slow_machins("/wallets/me", None, "machins key", "--timeout")]
#[case::slow_machineid("/devices/list", None, "MachineID key", "--timeout")]
#[case::broken("/wallets/me", Some(503), "machins key", "try again later")]
#[case::limited("/wallets/me", Some(429), "machins key", "try again later")]
#[case::refused("/wallets/me", Some(401), "machins key", "correct or unset MACHINS_API_KEY")]
#[case::refused_org("/devices/list", Some(401), "MachineID key", "unset MACHINEID_ORG_KEY")]
fn a_key_that_cannot_be_checked_has_its_own_cure(
    #[case] path: &'static str,
    #[case] status: Option<u16>,
    #[case] name: &str,
    #[case] cure: &str,
) {
    let url = stub::serve(move |request| match status {
        _ if !request.head.contains(path) => Reply::json(200, &json!({})),
        Some(status) => Reply::json(status, &json!({"detail": "no"})),
        None => loop {
            std::thread::park();
        },
    });
    let home = Home::new()
        .with("MACHINS_BASE_URL", &url)
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINS_API_KEY", "at_0123456789abcdef0123456789abcdef")
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    let ran = home.run(&["doctor", "--json", "--timeout", "0.5"]);
    assert_eq!(ran.code, Some(if status == Some(401) { 4 } else { 1 }), "{ran:?}");
    assert!(check(&ran, name)["cure"].as_str().unwrap().contains(cure), "{ran:?}");
}

#[rstest]
#[case::key("MACHINS_API_KEY", "nonsense", "machins key", "correct or unset MACHINS_API_KEY")]
#[case::org("MACHINEID_ORG_KEY", "at_1", "MachineID key", "correct or unset MACHINEID_ORG_KEY")]
#[case::url("MACHINS_BASE_URL", "nowhere", "machins URL", "correct or unset MACHINS_BASE_URL")]
#[case::device("MACHINEID_DEVICE_ID", "a b", "environment", "correct or unset MACHINEID_DEVICE_ID")]
fn a_variable_that_is_wrong_is_named_in_the_cure(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] name: &str,
    #[case] cure: &str,
) {
    let ran = home_of_nobody().with(variable, value).run(&["doctor", "--json"]).exits(4);
    assert_eq!(check(&ran, name)["cure"], cure, "{ran:?}");
}

#[test]
fn a_flag_that_is_wrong_is_named_in_the_cure() {
    let ran = home_of_nobody().run(&["doctor", "--json", "--base-url", "nowhere"]).exits(4);
    assert_eq!(check(&ran, "machins URL")["cure"], "correct --base-url", "{ran:?}");
    assert!(check(&ran, "machins URL")["message"].to_string().contains("https://"), "{ran:?}");
}

#[test]
fn only_localhost_needs_no_resolver() {
    let (shop, _server, home) = well();
    let local = shop.server.machins_base_url().replace("127.0.0.1", "shop.localhost");
    let ran = home.run(&["doctor", "--json", "--base-url", &local]).exits(0);
    assert_eq!(check(&ran, "machins DNS")["message"], "shop.localhost needs no DNS", "{ran:?}");
    let other = ["--base-url", "https://notlocalhost/api/v1", "--timeout", "0.2"];
    let ran = home.run(&[&["doctor", "--json"], &other[..]].concat()).exits(1);
    assert_eq!(status(&ran, "machins DNS"), "warning", "{ran:?}");
}

#[test]
fn a_device_in_an_unknown_state_is_a_warning() {
    let devices = json!({"devices": [{"deviceId": "agent-01", "status": "resting"}]});
    let url = stub::serve(move |_| Reply::json(200, &devices));
    let home = Home::new()
        .with("MACHINS_BASE_URL", &url)
        .with("MACHINEID_BASE_URL", &url)
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef")
        .with("MACHINEID_DEVICE_ID", "agent-01");
    let ran = home.run(&["doctor", "--json"]).exits(0);
    let device = check(&ran, "MachineID device");
    assert_eq!(device["status"], "warning", "{ran:?}");
    assert!(device["message"].as_str().unwrap().contains("resting"), "{ran:?}");
}

#[test]
fn no_line_for_people_is_wider_than_80_columns() {
    let (_shop, _server, home) = well();
    let other = Home::new()
        .with("MACHINS_BASE_URL", &stub::hang())
        .with("MACHINEID_BASE_URL", "http://127.0.0.1:9");
    for ran in [
        home.run(&["doctor"]).exits(0),
        home_of_nobody().run(&["doctor"]).exits(0),
        other.run(&["doctor", "--timeout", "0.2"]).exits(1),
        home.with("MACHINS_API_KEY", "at_0123456789abcdef0123456789abcdef").run(&["doctor"]),
    ] {
        // A path is as long as it is.
        let mut lines = ran.stdout.lines().filter(|line| !line.contains("config.json"));
        assert!(lines.all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    }
}
