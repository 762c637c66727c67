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
    assert!(human.stdout.lines().all(|line| line.starts_with("ok") || line.starts_with("skipped")));
    // Nothing at all is configured, which is no fault.
    let nothing = home_of_nobody();
    assert!(nothing.run(&["doctor"]).exits(0).stdout.contains("machins join --name NAME"));
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
    assert_eq!(check(&ran, "MachineID device")["cure"], "`machins register agent-02`");
    unknown.run(&["register"]).exits(0);
    unknown.run(&["revoke", "agent-02"]).exits(0);
    let ran = unknown.run(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("the operator of this organisation decides"), "{ran:?}");
    assert!(!ran.stdout.contains("unrevoke"));
}
