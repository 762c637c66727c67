//! The commands of MachineID, `api` and `demo`: what each says, to people and to programs.

use machins_mock::blocking::MockServer;
use machins_mock::{Fault, NewAgent, Org, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::json;
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};
use crate::shop::steady;

/// A mock, an org on it, and a home that knows both.
fn world(plan: Plan) -> (MockServer, Org, Home) {
    let server = MockServer::start();
    let org = server.create_org(plan);
    let home = Home::against(&server, &org);
    (server, org, home)
}

#[test]
fn register_says_how_much_of_the_plan_is_used() {
    let (_server, _org, home) = world(Plan::Free);
    let first = home.run(&["register", "agent-01"]).exits(0);
    assert_eq!(first.stdout, "registered  agent-01  free plan, 1 of 3 devices in use\n");
    assert_eq!(first.stderr, "");
    let again = home.run(&["register", "agent-01", "--json"]).exits(0);
    assert_eq!(
        steady(&again),
        json!({
            "status": "exists", "deviceId": "agent-01", "planTier": "free", "limit": 3,
            "devicesUsed": 1, "remaining": 2, "handler": "devices/register", "request_id": "…",
        })
    );
    home.run(&["register", "agent-02"]).exits(0);
    home.run(&["register", "agent-03"]).exits(0);
    let full = home.run(&["register", "agent-04"]).exits(1);
    assert_eq!(full.stdout, "blocked  agent-04  free plan, 3 of 3 devices in use\n");
    assert_data_eq!(
        full.stderr,
        str![[r"
error: agent-04 was not registered: the plan is full (free plan, 3 of 3 devices in use)
  next: the operator of this org decides; ask them

"]]
    );
    let full = home.run(&["register", "agent-04", "--json"]).exits(1);
    assert_eq!(full.document()["status"], "blocked");
    let error = full.error();
    assert_eq!(error["kind"], "refused");
    assert_eq!(error["code"], "device_limit_reached");
    assert_eq!(error["request_id"], full.document()["request_id"]);
}

#[test]
fn validate_exits_0_when_allowed() {
    let (_server, _org, home) = world(Plan::Free);
    home.run(&["register", "agent-01"]).exits(0);
    let human = home.run(&["validate", "agent-01"]).exits(0);
    assert_eq!((human.stdout.as_str(), human.stderr.as_str()), ("allowed  agent-01  ALLOW\n", ""));
    let json = home.run(&["validate", "agent-01", "--json"]).exits(0);
    assert_eq!(
        steady(&json),
        json!({
            "allowed": true, "code": "ALLOW", "status": "ok", "deviceId": "agent-01",
            "handler": "devices/validate", "request_id": "…",
        })
    );
    assert_eq!(json.stderr, "");
}

#[test]
fn validate_exits_3_when_denied() {
    let (server, org, home) = world(Plan::Free);
    home.run(&["register", "agent-01"]).exits(0);
    let denied = |code: &str| {
        let json = home.run(&["validate", "agent-01", "--json"]).exits(3);
        assert_eq!(
            (&json.document()["code"], &json.document()["allowed"]),
            (&code.into(), &false.into())
        );
        assert_eq!(json.error()["code"], code);
        assert_eq!(json.error()["request_id"], json.document()["request_id"]);
        let human = home.run(&["validate", "agent-01"]).exits(3);
        assert_eq!(human.stdout, format!("denied  agent-01  {code}\n"));
        assert!(human.stderr.starts_with("error: "), "{human:?}");
    };
    let change = |update: OrgUpdate| org.update(update).unwrap();
    change(OrgUpdate::new().execution_enabled(false));
    denied("ORG_DISABLED");
    change(OrgUpdate::new().execution_enabled(true).frozen(true));
    denied("PLAN_FROZEN");
    change(OrgUpdate::new().frozen(false).entitlement_active(false));
    denied("ENTITLEMENT_EXPIRED");
    change(OrgUpdate::new().entitlement_active(true).available(false));
    denied("SYSTEM_UNAVAILABLE");
    change(OrgUpdate::new().available(true));
    home.run(&["revoke", "agent-01"]).exits(0);
    denied("DEVICE_REVOKED");
    home.run(&["remove", "agent-01", "--yes"]).exits(0);
    denied("DEVICE_NOT_FOUND");
    server.reset();
    denied("ORG_NOT_FOUND");
}

#[rstest]
#[case::garbage("unreadable_reply", Fault::garbage())]
#[case::dropped("interrupted", Fault::drop_before())]
#[case::truncated("interrupted", Fault::truncate())]
#[case::status_503("unavailable", Fault::status(503).body("<html>allowed</html>"))]
#[case::html("unreadable_reply", Fault::status(200).body("<html>allowed</html>"))]
#[case::no_code("unreadable_reply", Fault::status(200).body(json!({"allowed": true})))]
#[case::text(
    "unreadable_reply",
    Fault::status(200).body(json!({"allowed": "true", "code": "ALLOW"}))
)]
#[case::status_403(
    "unreadable_reply",
    Fault::status(403).body(json!({"allowed": true, "code": "ALLOW"}))
)]
#[case::redirect("redirect", Fault::status(302).body("<html>allowed</html>"))]
fn validate_exits_3_without_a_decision(#[case] kind: &str, #[case] fault: Fault) {
    let (server, _org, home) = world(Plan::Free);
    home.run(&["register", "agent-01"]).exits(0);
    server.add_fault(fault.path("**/validate")).unwrap();
    let ran = home.run(&["validate", "agent-01", "--json"]).exits(3);
    assert_eq!(
        ran.document(),
        json!({
            "allowed": false, "code": "SYSTEM_UNAVAILABLE", "deviceId": "agent-01",
            "request_id": ran.document()["request_id"],
        })
    );
    let error = ran.error();
    assert_eq!((&error["kind"], &error["code"]), (&kind.into(), &"SYSTEM_UNAVAILABLE".into()));
}

#[test]
fn validate_exits_3_when_the_server_cannot_be_reached() {
    let (server, _org, home) = world(Plan::Free);
    // Nobody listens on port 9, and example.com would get the key in the clear.
    let url = "--machineid-url";
    home.run(&["validate", "agent-01", url, "http://127.0.0.1:9"]).exits(3);
    home.run(&["validate", "agent-01", url, "http://example.com"]).exits(2);
    server.add_fault(Fault::delay(std::time::Duration::from_secs(30))).unwrap();
    home.run(&["validate", "agent-01", "--timeout", "0.3"]).exits(3);
}

#[cfg(unix)]
#[test]
fn a_shell_can_gate_on_validate() {
    let (_server, _org, home) = world(Plan::Free);
    home.run(&["register", "agent-01"]).exits(0);
    let go = |device: &str| {
        let script = format!("\"$0\" validate {device} >/dev/null 2>&1 && echo go");
        let output =
            home.command("sh").args(["-c", &script, env!("CARGO_BIN_EXE_machins")]).output();
        Ran::from(output.unwrap()).stdout
    };
    assert_eq!(go("agent-01"), "go\n");
    assert_eq!(go("agent-02"), "");
}

#[test]
fn the_device_comes_from_argument_environment_or_file() {
    let (_server, _org, home) = world(Plan::Free);
    let none = home.run(&["validate", "--json"]).exits(2);
    assert_eq!(none.stdout, "");
    assert_eq!(none.error()["kind"], "usage");
    home.run(&["config", "set", "machineid.device_id", "agent-file"]).exits(0);
    home.run(&["--profile", "ci", "config", "set", "machineid.device_id", "agent-ci"]).exits(0);
    let register = |home: &Home, arguments: &[&str]| {
        let ran = home.run(&[arguments, &["register", "--json"]].concat()).exits(0);
        ran.document()["deviceId"].as_str().unwrap().to_owned()
    };
    assert_eq!(register(&home, &[]), "agent-file");
    assert_eq!(register(&home, &["--profile", "ci"]), "agent-ci");
    let home = home.with("MACHINEID_DEVICE_ID", "agent-env");
    assert_eq!(register(&home, &["--profile", "ci"]), "agent-env");
    home.run(&["validate", "../agent"]).exits(3);
    for bad in ["no spaces", "", "a?b", "a\u{7}", &"a".repeat(129)] {
        home.run(&["validate", bad]).exits(2);
        home.run(&["revoke", "agent-env", bad, "--yes"]).exits(2);
    }
}

#[test]
fn devices_lists_the_registered_devices() {
    let (_server, _org, home) = world(Plan::Pro);
    let none = home.run(&["devices"]).exits(0);
    assert_eq!(none.stdout, "");
    assert_eq!(none.stderr, "No devices yet. Register one: machins register agent-01\n");
    home.run(&["register", "agent-01"]).exits(0);
    home.run(&["register", "agent-02"]).exits(0);
    home.run(&["revoke", "agent-02"]).exits(0);
    let human = home.run(&["devices"]).exits(0);
    assert_data_eq!(
        human.stdout,
        str![[r"
DEVICE    STATE    REGISTERED            LAST VALIDATED
agent-01  active   [..]-[..]-[..] [..]:[..] UTC  never
agent-02  revoked  [..]-[..]-[..] [..]:[..] UTC  never

"]]
    );
    assert_eq!(human.stderr, "pro plan, 1 of 25 devices in use\n");
    let devices = json!([
        {"deviceId": "agent-01", "status": "active", "createdAt": "…"},
        {"deviceId": "agent-02", "status": "revoked", "createdAt": "…", "revokedAt": "…"},
    ]);
    assert_eq!(
        steady(&home.run(&["devices", "--json"]).exits(0)),
        json!({
            "items": devices, "total": 2, "offset": 0, "has_more": false, "devices": devices,
            "planTier": "pro", "limit": 25, "devicesUsed": 1, "remaining": 24,
            "status": "ok", "handler": "devices/list", "request_id": "…",
        })
    );
}

#[test]
fn one_device_is_revoked_restored_and_removed() {
    let (_server, _org, home) = world(Plan::Free);
    home.run(&["register", "agent-01"]).exits(0);
    for (command, human) in [("revoke", "revoked"), ("unrevoke", "restored"), ("remove", "removed")]
    {
        let mut words = vec![command, "agent-01", "--json"];
        words.extend((command == "remove").then_some("--yes"));
        let json = home.run(&words);
        assert_eq!(json.exits(0).document()["status"], "ok");
        if command != "remove" {
            let ran = home.run(&[command, "agent-01"]).exits(0);
            assert_eq!(ran.stdout, format!("{human}  agent-01\n"));
        }
    }
    for command in ["revoke", "unrevoke", "remove"] {
        let mut words = vec![command, "agent-01", "--json"];
        words.extend((command == "remove").then_some("--yes"));
        let gone = home.run(&words).exits(1);
        assert!(gone.error()["message"].to_string().contains("agent-01"), "{gone:?}");
        assert_eq!(gone.stdout, "");
        assert_eq!(
            (&gone.error()["kind"], &gone.error()["status"]),
            (&"not_found".into(), &404.into())
        );
    }
}

#[test]
fn many_devices_are_changed_at_once() {
    let (_server, _org, home) = world(Plan::Free);
    for device in ["a1", "a2", "a3"] {
        home.run(&["register", device]).exits(0);
    }
    for arguments in [&["revoke", "--all"][..], &["revoke", "a1", "a2"], &["unrevoke", "--all"]] {
        let unasked = home.run(&[arguments, &["--json"]].concat()).exits(2);
        assert_eq!(unasked.error()["kind"], "usage");
    }
    let part = home.run(&["revoke", "a1", "a2", "zz", "--yes"]).exits(1);
    assert_data_eq!(
        part.stdout,
        str![[r"
DEVICE  RESULT
a1      revoked
a2      revoked
zz      not found

"]]
    );
    assert_data_eq!(
        part.stderr,
        str![[r"
error: 1 of 3 devices could not be changed
  next: to see the devices and their states: machins devices

"]]
    );
    let json = home.run(&["revoke", "a1", "zz", "--yes", "--json"]).exits(1);
    assert_eq!(
        json.document()["results"],
        json!([
            {"deviceId": "a1", "status": "already_revoked"},
            {"deviceId": "zz", "status": "not_found"},
        ])
    );
    assert_eq!(json.error()["kind"], "partial");
    assert_eq!(home.run(&["revoke", "--all", "--yes"]).exits(0).stdout, "1 device revoked\n");
    for device in ["b1", "b2"] {
        home.run(&["register", device]).exits(0);
    }
    let full = home.run(&["unrevoke", "a1", "a2", "--yes"]).exits(1);
    assert_data_eq!(
        full.stdout,
        str![[r"
DEVICE  RESULT
a1      unrevoked
a2      blocked    device limit reached

"]]
    );
    let none = home.run(&["unrevoke", "--all", "--yes"]).exits(0);
    assert_eq!(none.stdout, "0 devices restored: the plan is full; to see it: machins usage\n");
    home.run(&["revoke", "--all", "--yes"]).exits(0);
    let all = home.run(&["unrevoke", "--all", "--yes", "--json"]).exits(0).document();
    assert_eq!(all["unrevokedCount"], 3);
    assert_eq!(all["unrevokedSample"].as_array().unwrap().len(), 3);
}

#[test]
fn usage_and_checkout_show_the_plan() {
    let (_server, _org, home) = world(Plan::Scale);
    home.run(&["register", "agent-01"]).exits(0);
    assert_data_eq!(
        home.run(&["usage"]).exits(0).stdout,
        str![[r"
plan             scale
devices in use   1
devices allowed  250
devices left     249

"]]
    );
    assert_eq!(
        steady(&home.run(&["usage", "--json"]).exits(0)),
        json!({
            "planTier": "scale", "limit": 250, "devicesUsed": 1, "remaining": 249,
            "status": "ok", "handler": "usage", "request_id": "…",
        })
    );
    let page = home.run(&["checkout", "max"]).exits(0);
    assert!(page.stdout.contains("/checkout/cs_test_"), "{page:?}");
    assert_eq!(page.stderr, "Open this page in a browser to pay.\n");
    assert_eq!(home.run(&["-q", "checkout", "max"]).exits(0).stderr, "");
    let url = home.run(&["checkout", "max", "--json"]).exits(0).document()["url"].to_string();
    assert!(url.contains("/checkout/cs_test_"), "{url}");
}

#[test]
fn an_org_is_created_and_its_key_kept() {
    let server = MockServer::start();
    let home = Home::new();
    let url = server.machineid_base_url();
    let create = ["--machineid-url", &url, "org", "create"];
    let shown = home.run(&create).exits(0);
    assert!(server.org(shown.stdout.trim()).is_some(), "{shown:?}");
    assert!(shown.stderr.contains("only once") && !home.config().exists());

    let first = home.run(&[&create[..], &["--save", "--json"]].concat()).exits(0);
    let first = first.document()["orgApiKey"].as_str().unwrap().to_owned();
    home.run(&["register", "agent-01"]).exits(0);
    let second = home.run(&[&create[..], &["--save"]].concat()).exits(0);
    assert!(second.stderr.contains("profile previous"), "{second:?}");
    assert_ne!(second.stdout.trim(), first);
    home.run(&["validate", "agent-01"]).exits(3);
    home.run(&["--profile", "previous", "validate", "agent-01"]).exits(0);
}

#[test]
fn no_org_is_created_when_its_key_cannot_be_saved() {
    let server = MockServer::start();
    let home = Home::new().with("MACHINEID_BASE_URL", &server.machineid_base_url());
    home.write_config("broken");
    home.run(&["org", "create", "--save"]).exits(4);
    assert!(server.requests().is_empty());
}

#[rstest]
#[case::devices(&["devices"])]
#[case::validate(&["validate", "agent-01"])]
#[case::guard(&["guard", "--device", "agent-01", "--", "true"])]
#[case::revoke(&["revoke", "--all", "--yes"])]
fn commands_without_an_org_key_exit_4(#[case] arguments: &[&str]) {
    let server = MockServer::start();
    let home = Home::new().with("MACHINEID_BASE_URL", &server.machineid_base_url());
    let ran = home.run(&[&["--json"], arguments].concat()).exits(4);
    assert_eq!(ran.error()["kind"], "credentials");
    let human = home.run(arguments).exits(4);
    assert!(human.stderr.contains("machins org create --save"), "{human:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_key_of_another_kind_exits_4_and_is_not_shown() {
    let server = MockServer::start();
    let home = Home::new()
        .with("MACHINEID_BASE_URL", &server.machineid_base_url())
        .with("MACHINEID_ORG_KEY", "at_not_an_org_key");
    let wrong = home.run(&["validate", "agent-01"]).exits(4);
    assert!(!wrong.stderr.contains("at_not"), "{wrong:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn api_calls_any_machineid_endpoint() {
    let (_server, _org, home) = world(Plan::Free);
    let usage = home.run(&["api", "get", "/api/v1/usage"]).exits(0);
    assert_eq!(usage.document()["planTier"], "free");
    let register = ["api", "POST", "/api/v1/devices/register", "--body"];
    let body = r#"{"deviceId": "agent-01"}"#;
    home.run(&[&register[..], &[body]].concat()).exits(0);
    let again = home.run_with_stdin(&[&register[..], &["-", "--json"]].concat(), body).exits(0);
    assert_eq!(again.document()["status"], "exists");
    let missing = home.run(&[&register[..], &["{}", "--json"]].concat()).exits(1);
    assert_eq!(missing.document()["error"], "missing_params");
    assert_eq!(missing.error()["status"], 400);
    let bad = home.run(&[&register[..], &["{deviceId}"]].concat()).exits(2);
    assert!(bad.stderr.contains("line 1 column 2"), "{bad:?}");
}

#[test]
fn hostile_text_is_made_harmless() {
    let (server, _org, home) = world(Plan::Free);
    let hostile = "\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}evil\u{0}\n";
    let list = json!({
        "status": "ok",
        "devices": [{"deviceId": hostile, "status": hostile, "createdAt": hostile}],
    });
    let _fault =
        server.fault_scoped(Fault::status(200).path("**/list").body(list.clone())).unwrap();
    let human = home.run(&["devices", "--color", "never"]).exits(0);
    assert!(human.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{human:?}");
    assert!(!human.stdout.contains('\u{202e}') && human.stdout.contains("evil"));
    assert_eq!(human.stdout.lines().count(), 2);
    let json = home.run(&["devices", "--json"]).exits(0);
    assert!(json.stdout.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'));
    assert_eq!(json.document()["devices"], list["devices"]);
    let _fault = server
        .fault_scoped(Fault::status(400).path("**/usage").body(json!({"error": hostile})))
        .unwrap();
    let error = home.run(&["usage"]).exits(1).stderr;
    assert!(error.chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
}

#[test]
fn verbose_shows_calls_and_no_key() {
    let (_server, org, home) = world(Plan::Free);
    for verbosity in ["-v", "-vv"] {
        let ran = home.run(&[verbosity, "usage"]).exits(0);
        assert!(ran.stderr.contains("/api/v1/usage"), "{ran:?}");
        assert!(!ran.stderr.contains(org.key()), "{ran:?}");
    }
}

#[rstest]
#[case::together("-vv usage")]
#[case::apart("-v usage -v")]
#[case::after_the_command("usage -v --verbose")]
#[case::before_and_within_a_subcommand("-v inbox ack-all -v")]
#[case::on_a_group_and_its_subcommand("inbox -v ack-all -v")]
fn verbose_is_counted_wherever_it_is_given(#[case] line: &str) {
    let (server, _org, home) = world(Plan::Free);
    let agent = server.create_agent(NewAgent::new()).unwrap();
    let base_url = format!("{}/api/v1", server.url());
    let home = home.with("MACHINS_API_KEY", &agent.api_key).with("MACHINS_BASE_URL", &base_url);
    let arguments: Vec<_> = line.split(' ').collect();
    let ran = home.run(&arguments).exits(0);
    assert!(ran.stderr.contains("\n< 200 OK\n"), "{ran:?}");
}

#[test]
fn colour_follows_flag_and_environment() {
    let (_server, _org, home) = world(Plan::Free);
    let coloured = |home: &Home, when: &str| {
        home.run(&["register", "agent-01", "--color", when]).stdout.contains('\u{1b}')
    };
    assert!(coloured(&home, "always"));
    assert!(!coloured(&home, "never") && !coloured(&home, "auto"));
    assert!(!coloured(&home.with("NO_COLOR", "1"), "auto"));
}

#[test]
fn the_demo_succeeds_without_a_config_file() {
    let home = Home::new();
    home.write_config("the demo needs no config");
    let human = home.run(&["demo"]).exits(0);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 80), "{}", human.stdout);
    assert_eq!(human.stderr, "");
    let document = home.run(&["demo", "--json"]).exits(0).document();
    assert_eq!(document["ok"], true);
    let outcomes: Vec<_> =
        document["steps"].as_array().unwrap().iter().map(|step| step["outcome"].clone()).collect();
    for outcome in ["ALLOW", "DEVICE_REVOKED", "blocked", "ORG_DISABLED", "SYSTEM_UNAVAILABLE"] {
        assert!(outcomes.contains(&outcome.into()), "{outcome}");
    }
}
