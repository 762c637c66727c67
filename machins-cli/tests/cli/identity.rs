//! Who acts: profiles, and the commands that are suggested next.

use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, Ran};
use crate::shop::Shop;

/// A home with two agents of a market: Ada outside of the profiles, Bob as profile `bob`. The address
/// of the market is in the config, not in the environment.
fn two_parties(shop: &Shop) -> Home {
    let read = |home: &Home| serde_json::from_str::<Value>(&home.read_config()).unwrap();
    let (mut ada, mut bob) = (read(&shop.ada), read(&shop.bob));
    for config in [&mut ada, &mut bob] {
        config["base_url"] = shop.server.machins_base_url().into();
    }
    ada["profiles"] = json!({"bob": bob});
    let home = Home::new();
    home.write_config(&ada.to_string());
    home
}

#[track_caller]
fn agent(ran: Ran) -> String {
    ran.exits(0).document()["agent_slug"].as_str().unwrap().to_owned()
}

#[test]
fn the_environment_chooses_a_profile_as_the_flag_does() {
    let shop = Shop::new();
    let home = two_parties(&shop);
    assert_eq!(agent(home.run(&["status", "--json"])), "ada");
    let home = home.with("MACHINS_PROFILE", "bob");
    assert_eq!(agent(home.run(&["status", "--json"])), "bob");
    assert_eq!(home.run(&["config", "get", "agent_slug"]).exits(0).stdout, "bob\n");
    home.run(&["config", "set", "machineid.device_id", "bobs"]).exits(0);
    let config: Value = serde_json::from_str(&home.read_config()).unwrap();
    assert_eq!(config["profiles"]["bob"]["machineid"]["device_id"], "bobs");
}

#[test]
fn an_empty_variable_chooses_no_profile() {
    let home = Home::new().with("MACHINS_PROFILE", "");
    home.run(&["config", "explain"]).exits(0);
}

#[rstest]
fn a_profile_that_is_not_there_exits_4(
    #[values(
        "wallet",
        "status",
        "validate a",
        "config show",
        "config explain",
        "config get base_url",
        "config unset agent_slug",
        "profile use eve",
        "profile rename eve x",
        "profile remove eve"
    )]
    line: &str,
) {
    let words: Vec<&str> = line.split(' ').collect();
    let home = Home::new().with("MACHINS_PROFILE", "eve").with("MACHINS_API_KEY", "at_1");
    home.run(&words).exits(4);
    assert!(!home.config().exists() || !home.read_config().contains("eve"));
}

#[test]
fn profiles_are_listed_chosen_renamed_and_removed() {
    let shop = Shop::new();
    let home = two_parties(&shop);
    home.run(&["profile", "use", "bob"]).exits(0);
    assert_eq!(agent(home.run(&["status", "--json"])), "bob");
    let list = home.run(&["profile", "list", "--json"]).exits(0).document();
    assert_eq!(
        list["items"],
        json!([{"id": "bob", "agent_slug": "bob", "device_id": null, "is_default": true}])
    );
    home.run(&["profile", "rename", "bob", "robert"]).exits(0);
    assert_eq!(agent(home.run(&["status", "--json"])), "bob");
    home.run(&["profile", "use", "--none"]).exits(0);
    assert_eq!(agent(home.run(&["status", "--json"])), "ada");
    let refused = home.run(&["profile", "remove", "robert"]).exits(2);
    assert!(refused.stderr.contains("api_key"), "{refused:?}");
    home.run(&["profile", "use", "robert"]).exits(0);
    home.run(&["profile", "remove", "robert", "--yes"]).exits(0);
    assert_eq!(agent(home.run(&["status", "--json"])), "ada");
    let config: Value = serde_json::from_str(&home.read_config()).unwrap();
    assert_eq!(config["profiles"], json!({}));
    assert!(config["api_key"].is_string() && config.get("default_profile").is_none());
}

#[test]
fn a_profile_is_not_renamed_over_another() {
    let home = Home::new();
    home.write_config(r#"{"profiles": {"a": {"api_key": "at_a"}, "b": {"api_key": "at_b"}}}"#);
    home.run(&["profile", "rename", "a", "b"]).exits(2);
    assert!(home.read_config().contains("at_a") && home.read_config().contains("at_b"));
}

#[test]
fn a_default_profile_that_is_gone_exits_4() {
    let home = Home::new();
    home.write_config(r#"{"default_profile": "gone", "api_key": "at_1"}"#);
    home.run(&["wallet"]).exits(4);
    home.run(&["profile", "use", "--none"]).exits(0);
    home.run(&["config", "get", "api_key"]).exits(0);
}

#[test]
fn a_setting_is_unset() {
    let home = Home::new();
    home.write_config(r#"{"agent_slug": "zoe", "profiles": {"ci": {"agent_slug": "ci"}}}"#);
    home.run(&["--profile", "ci", "config", "unset", "agent_slug"]).exits(0);
    assert_eq!(home.run(&["config", "get", "agent_slug"]).stdout, "zoe\n");
    home.run(&["config", "unset", "agent_slug"]).exits(0);
    home.run(&["config", "unset", "agent_slug"]).exits(0);
    home.run(&["config", "get", "agent_slug"]).exits(1);
    let unknown = home.run(&["config", "unset", "agent_slag"]).exits(2);
    assert!(unknown.stderr.contains("agent_slug"), "{unknown:?}");
}

#[cfg(unix)]
#[rstest]
#[case::valid(r#"{"agent_slug": "eve"}"#, 0)]
#[case::not_json("{", 2)]
#[case::not_a_url(r#"{"base_url": "nowhere"}"#, 2)]
#[case::no_such_default(r#"{"default_profile": "nobody"}"#, 2)]
fn the_config_is_edited_if_it_is_valid(#[case] text: &str, #[case] code: i32) {
    let home =
        Home::new().with("EDITOR", "false").with("VISUAL", "sh -c 'printf %s \"$NEW\" > $0'");
    home.write_config(r#"{"agent_slug": "zoe"}"#);
    let home = home.with("NEW", text);
    home.run(&["config", "edit"]).exits(code);
    let slug = if code == 0 { "eve\n" } else { "zoe\n" };
    assert_eq!(home.run(&["config", "get", "agent_slug"]).stdout, slug);
}

#[test]
fn the_profile_of_the_environment_is_carried_too() {
    let shop = Shop::new();
    let home = two_parties(&shop).with("MACHINS_PROFILE", "bob");
    let offer = shop.offer();
    let proposed = home.run(&["buy", &offer]).exits(0);
    assert!(proposed.stderr.contains("machins --profile bob trade "), "{proposed:?}");
}

#[test]
fn suggestions_carry_the_addresses_as_given() {
    let shop = Shop::new();
    let url = shop.server.machins_base_url();
    let home = Home::new();
    let ran = home.run(&["--base-url", &url, "wallet"]).exits(4);
    assert!(ran.stderr.contains(&format!("machins --base-url {url} join --help")), "{ran:?}");
}

#[test]
fn a_key_is_not_taken_for_the_agent_of_another_place() {
    let shop = Shop::new();
    let home = two_parties(&shop);
    let offer = shop.offer();
    let trade = shop.proposed(&offer);
    // Bob's key is in the environment, and the config names Ada.
    let bob: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
    let home = home.with("MACHINS_API_KEY", bob["api_key"].as_str().unwrap());
    let shown = home.run(&["trade", &trade]).exits(0);
    assert!(shown.stderr.contains("Wait for") && !shown.stderr.contains(" accept "), "{shown:?}");
}

#[test]
fn a_key_alone_tells_which_side_one_is_on() {
    let shop = Shop::new();
    let trade = shop.proposed(&shop.offer());
    let bob: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
    let home = Home::new()
        .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
        .with("MACHINS_API_KEY", bob["api_key"].as_str().unwrap());
    for command in [&["trades"][..], &["trade", &trade]] {
        let shown = home.run(command).exits(0).stdout;
        assert!(shown.contains("buyer") && shown.contains("ada"), "{shown}");
    }
    let asked = shop.asked("GET", "/wallets/me");
    home.run(&["trades", "--json"]).exits(0);
    home.run(&["trades", "-o", "csv"]).exits(0);
    assert_eq!(shop.asked("GET", "/wallets/me"), asked);
}

#[test]
fn a_refused_step_names_the_whole_trade() {
    let shop = Shop::new();
    let trade = shop.completed(&shop.offer());
    let ran = shop.bob.run(&["confirm", &trade[..8]]).exits(1);
    assert!(ran.stderr.contains(&format!(": machins trade {trade}\n")), "{ran:?}");
}

#[test]
fn the_own_listing_is_not_suggested_for_buying() {
    let shop = Shop::new();
    let offer = shop.offer();
    assert!(!shop.ada.run(&["show", &offer]).exits(0).stderr.contains("buy"));
    assert!(shop.bob.run(&["show", &offer]).exits(0).stderr.contains("machins buy"));
    let stranger = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    assert!(stranger.run(&["show", &offer]).exits(0).stderr.contains("machins join"));
}

#[test]
fn status_shows_both_services_and_where_keys_come_from() {
    let shop = Shop::new();
    let org = shop.server.create_org(machins_mock::Plan::Free);
    let home = two_parties(&shop)
        .with("MACHINEID_BASE_URL", &shop.server.machineid_base_url())
        .with("MACHINEID_ORG_KEY", org.key())
        .with("MACHINEID_DEVICE_ID", "agent-01");
    let before = home.run(&["status", "--json"]).exits(0).document();
    assert_eq!(before["machineid"]["device_state"], "not registered");
    home.run(&["register"]).exits(0);
    let ran = home.run(&["--profile", "bob", "status", "--json"]).exits(0);
    let (status, machineid) = (ran.document(), &ran.document()["machineid"]);
    assert_eq!((&status["profile"], &status["agent_slug"]), (&json!("bob"), &json!("bob")));
    assert_eq!(status["api_key"]["origin"], "profile bob");
    assert_eq!(machineid["org_key"]["origin"], "environment MACHINEID_ORG_KEY");
    assert_eq!(
        (&machineid["plan"], &machineid["device_state"]),
        (&json!("free"), &json!("active"))
    );
    assert!(!ran.stdout.contains(org.key()));
}

#[test]
fn status_is_no_failure_when_keys_are_missing() {
    let shop = Shop::new();
    let nothing = Home::new().run(&["status"]).exits(0);
    assert!(nothing.stdout.matches("not set").count() >= 3, "{nothing:?}");
    let org = shop.server.create_org(machins_mock::Plan::Free);
    let device = Home::against(&shop.server, &org).run(&["status", "--json"]).exits(0);
    assert_eq!(device.document()["api_key"], Value::Null);
    assert_eq!(device.document()["machineid"]["plan"], "free");
    let wrong = Home::against(&shop.server, &org).with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    assert!(wrong.run(&["status", "--json"]).exits(1).document()["machineid"]["error"].is_string());
}

#[rstest]
#[case::first("MACHINS_API_KEY", "nonsense", "MACHINEID_ORG_KEY", "org_0123456789abcdef")]
#[case::last("MACHINEID_ORG_KEY", "nonsense", "MACHINS_API_KEY", "at_0123456789abcdef")]
fn an_invalid_key_exits_4_whatever_else_fails(
    #[case] invalid: &str,
    #[case] nonsense: &str,
    #[case] valid: &str,
    #[case] key: &str,
) {
    let home = Home::new()
        .with("MACHINS_BASE_URL", "http://127.0.0.1:9")
        .with("MACHINEID_BASE_URL", "http://127.0.0.1:9")
        .with(invalid, nonsense)
        .with(valid, key);
    let ran = home.run(&["status", "--timeout", "0.5"]).exits(4);
    assert!(ran.stderr.contains(invalid), "{ran:?}");
}

#[test]
fn services_that_do_not_answer_are_named_with_a_cure() {
    let home = Home::new()
        .with("MACHINS_BASE_URL", "http://127.0.0.1:9")
        .with("MACHINEID_BASE_URL", "http://127.0.0.1:9")
        .with("MACHINS_API_KEY", "at_0123456789abcdef")
        .with("MACHINEID_ORG_KEY", "org_0123456789abcdef");
    let ran = home.run(&["status", "--timeout", "0.5"]).exits(1);
    assert!(ran.stderr.contains("no usable answer from machins and MachineID"), "{ran:?}");
    assert!(ran.stderr.contains(": machins doctor\n"), "{ran:?}");
}
