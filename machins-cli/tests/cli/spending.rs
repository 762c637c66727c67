//! Limits on spending: what they refuse, and what does not lift them.

use std::fs;
use std::process::Stdio;

use machins_mock::Fault;
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::Ran;
use crate::shop::{Shop, id};
use crate::terminal::on_a_terminal;

/// Sets the policy in Bob's config file, or in a profile.
fn limit(shop: &Shop, profile: Option<&str>, policy: &Value) {
    let mut config: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
    match profile {
        None => config["policy"] = policy.clone(),
        Some(name) => config["profiles"][name]["policy"] = policy.clone(),
    }
    shop.bob.write_config(&config.to_string());
}

fn limited(policy: &Value) -> (Shop, String) {
    let shop = Shop::new();
    let offer = shop.offer();
    limit(&shop, None, policy);
    (shop, offer)
}

fn trades(shop: &Shop) -> usize {
    shop.server.clear_faults();
    let trades = shop.bob.run(&["trades", "--json"]).exits(0).document();
    trades["items"].as_array().unwrap().len()
}

#[track_caller]
fn assert_refused(ran: Ran, parts: &[&str]) {
    let error = ran.exits(1).error();
    assert_eq!(error["kind"], "policy", "{error}");
    let message = error["message"].as_str().unwrap();
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_refusal_exits_1_and_names_the_rule_and_the_remainder() {
    let (shop, offer) = limited(&json!({"max_per_day": 20}));
    shop.bob.run(&["buy", &offer]).exits(0);
    let parts = ["max_per_day", "12.50", "20.00", "7.50 remains", "UTC"];
    assert_refused(shop.bob.run(&["buy", &offer, "--json"]), &parts);
    assert_refused(shop.bob.run(&["buy", &offer, "--once", "k", "--json"]), &parts);
    shop.bob.run(&["buy", &offer, "--yes"]).exits(2);
    assert_eq!(trades(&shop), 1);
}

#[test]
fn many_processes_stay_within_the_limit_together() {
    let (shop, offer) = limited(&json!({"max_per_day": "40"}));
    let processes: Vec<_> = (0..16)
        .map(|_| {
            let mut process = shop.bob.machins(&["buy", &offer, "--json"]);
            process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut bought = 0;
    for process in processes {
        let ran = Ran::from(process.wait_with_output().unwrap());
        match ran.code {
            Some(0) => bought += 1,
            _ => assert_refused(ran, &["max_per_day"]),
        }
    }
    assert_eq!((bought, trades(&shop)), (3, 3));
}

#[rstest]
fn killed_at_any_step_the_limit_holds(#[values("lock", "json", "sent")] step: &str) {
    let (shop, offer) = limited(&json!({"max_per_day": "30"}));
    let delay = Fault::delay(std::time::Duration::from_millis(100));
    shop.server.add_fault(delay.method("POST").path("/api/v1/trades").times(1)).unwrap();
    shop.server.clear_requests();
    let buy = ["buy", &offer, "--once", "k", "--json"];
    let mut process = shop.bob.machins(&buy);
    let mut process = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let spending = shop.bob.path().join(".machins/spending");
    let is_taken = || match step {
        "sent" => shop.server.requests().iter().any(|request| request.method == "POST"),
        extension => fs::read_dir(&spending)
            .into_iter()
            .flatten()
            .flatten()
            .any(|file| file.path().extension().is_some_and(|found| found == extension)),
    };
    while !is_taken() && process.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = process.kill();
    process.wait().unwrap();
    // What may have been sent counts, with others at once.
    let more: Vec<_> = (0..4)
        .map(|number| {
            let key = format!("more-{number}");
            let mut process = shop.bob.machins(&["buy", &offer, "--once", &key]);
            process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut process in more {
        process.wait().unwrap();
    }
    assert!(trades(&shop) <= 2, "{}", trades(&shop));
}

#[test]
fn raising_a_limit_needs_a_person_at_a_terminal() {
    let (shop, offer) = limited(&json!({"max_per_trade": "10", "deny_sellers": ["eve"]}));
    let before = shop.bob.read_config();
    let editor = shop.bob.path().join("editor");
    fs::write(&editor, "#!/bin/sh\nsed -i 's/\"10\"/\"1000\"/' \"$1\"\n").unwrap();
    crate::home::set_mode(&editor, 0o755);
    let edit = shop
        .bob
        .command(env!("CARGO_BIN_EXE_machins"))
        .args(["config", "edit"])
        .env("EDITOR", &editor)
        .output();
    Ran::from(edit.unwrap()).exits(1);
    for raise in [
        &["config", "set", "policy.max_per_trade", "20"][..],
        &["config", "set", "policy.max_per_trade", ""],
        &["config", "set", "policy.deny_sellers", "ada"],
        &["config", "unset", "policy.max_per_trade"],
        &["config", "unset", "policy.deny_sellers"],
    ] {
        let ran = shop.bob.run(raise).exits(1);
        assert!(ran.stderr.contains("only a person at a terminal"), "{ran:?}");
        assert_eq!(shop.bob.read_config(), before, "{raise:?}");
    }
    shop.bob.run(&["config", "set", "policy.max_per_trade", "9"]).exits(0);
    shop.bob.run(&["config", "set", "policy.deny_sellers", "eve,mallory"]).exits(0);
    assert_refused(shop.bob.run(&["buy", &offer, "--json"]), &["max_per_trade", "9.00"]);
    let raise = "$MACHINS config set policy.max_per_trade 20";
    let asked = "Raise the limits on spending? [y/N]";
    on_a_terminal(&shop.bob, raise, &[(asked, "n\n")]).exits(1);
    on_a_terminal(&shop.bob, raise, &[(asked, "y\n")]).exits(0);
    shop.bob.run(&["buy", &offer]).exits(0);
}

#[test]
fn the_policy_of_the_file_holds_in_every_profile() {
    let (shop, offer) = limited(&json!({"max_per_trade": "10"}));
    limit(&shop, Some("rich"), &json!({"max_per_trade": "1000"}));
    assert_refused(
        shop.bob.run(&["buy", &offer, "--profile", "rich", "--json"]),
        &["max_per_trade"],
    );
    limit(&shop, None, &json!({"max_per_trade": "1000"}));
    limit(&shop, Some("poor"), &json!({"max_per_trade": "1"}));
    assert_refused(
        shop.bob.run(&["buy", &offer, "--profile", "poor", "--json"]),
        &["max_per_trade"],
    );
    shop.bob.run(&["buy", &offer]).exits(0);
}

#[rstest]
#[case::unknown_rule(json!({"max_per_dya": "10"}))]
#[case::negative(json!({"max_per_day": "-10"}))]
#[case::invalid_amount(json!({"max_per_day": [10]}))]
fn a_policy_that_is_not_understood_buys_nothing(#[case] policy: Value) {
    let (shop, offer) = limited(&policy);
    let error = shop.bob.run(&["buy", &offer, "--json"]).exits(4).error();
    assert!(error["message"].as_str().unwrap().contains("spending policy"), "{error}");
    // Reading needs none.
    shop.bob.run(&["wallet"]).exits(0);
    assert_eq!(trades(&shop), 0);
}

#[rstest]
#[case::a_list(json!([]))]
#[case::a_text(json!("10"))]
fn a_policy_that_is_no_object_is_a_corrupt_config(#[case] policy: Value) {
    let (shop, offer) = limited(&policy);
    let error = shop.bob.run(&["buy", &offer, "--json"]).exits(4).error();
    assert!(error["message"].as_str().unwrap().contains("policy is not an object"), "{error}");
}

#[test]
fn a_purchase_above_the_amount_waits_for_a_person() {
    let (shop, offer) = limited(&json!({"approval_above": "5"}));
    let buy = ["buy", &offer, "--once", "k", "--json"];
    let error = shop.bob.run(&buy).exits(1).error();
    assert_eq!(error["kind"], "approval_needed");
    let approvals = shop.bob.run(&["approvals", "--json"]).exits(0).document();
    let approval = id_of(&approvals["items"][0]);
    assert_eq!(approvals["items"][0]["price"], "12.50");
    assert!(error["message"].as_str().unwrap().contains(&approval), "{error}");

    let ran = shop.bob.run(&["approvals", "approve", &approval]).exits(1);
    assert!(ran.stderr.contains("only a person at a terminal"), "{ran:?}");
    shop.bob.run(&["approvals", "approve", &approval, "--yes"]).exits(2);
    shop.bob.run(&["approvals", "approve", "nothing"]).exits(1);
    shop.bob.run(&["approvals", "deny", &approval]).exits(0);
    assert_refused(shop.bob.run(&buy), &["denied", &approval]);
    let approve = format!("$MACHINS approvals approve {approval}");
    on_a_terminal(&shop.bob, &approve, &[("Approve 12.50 CR", "y\n")]).exits(0);
    shop.bob.run(&buy).exits(0);
    assert_eq!(trades(&shop), 1);
}

#[test]
fn the_same_command_buys_what_was_approved_once() {
    let (shop, offer) = limited(&json!({"approval_above": "5"}));
    let buy = ["buy", &offer, "--terms", "JSON", "--json"];
    for _ in 0..2 {
        let error = shop.bob.run(&buy).exits(1).error();
        assert_eq!(error["kind"], "approval_needed");
    }
    let approvals = shop.bob.run(&["approvals", "--json"]).exits(0).document();
    let [approval] = approvals["items"].as_array().unwrap().as_slice() else { panic!() };
    let approve = format!("$MACHINS approvals approve {}", id_of(approval));
    on_a_terminal(&shop.bob, &approve, &[("Approve 12.50 CR", "y\n")]).exits(0);
    let other = ["buy", &offer, "--terms", "XML", "--json"];
    assert_eq!(shop.bob.run(&other).exits(1).error()["kind"], "approval_needed");
    shop.bob.run(&buy).exits(0);
    assert_eq!(shop.bob.run(&buy).exits(1).error()["kind"], "approval_needed");
    assert_eq!(trades(&shop), 1);
}

#[test]
fn a_key_that_is_kept_keeps_its_limits() {
    let (shop, offer) = limited(&json!({}));
    let mut config: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
    let policy = json!({"max_per_trade": "1"});
    config["profiles"]["poor"] = json!({"api_key": config["api_key"], "policy": policy});
    shop.bob.write_config(&config.to_string());
    shop.bob.run(&["join", "--name", "Newcomer", "--profile", "poor"]).exits(0);
    let config: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
    let profiles = config["profiles"].as_object().unwrap();
    let kept = profiles.keys().find(|name| *name != "poor").unwrap();
    assert_refused(shop.bob.run(&["buy", &offer, "--profile", kept, "--json"]), &["max_per_trade"]);
}

fn id_of(item: &Value) -> String {
    item["id"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_gets_around_the_policy() {
    let (shop, offer) = limited(&json!({"max_per_trade": "1", "require_verified": true}));
    let body = json!({"listing_id": offer}).to_string();
    for call in [
        &["api", "POST", "/trades", "--body", &body, "--json"][..],
        &["api", "POST", "trade%73", "--body", &body, "--json"],
        &["api", "PUT", "/listings/l1", "--body", "{}", "--json"],
        &["sell", "--side", "request", "--bounty", "--title", "Wanted", "--price", "9", "--json"],
        &[
            "sell",
            "--side",
            "request",
            "--auto-accept",
            "--title",
            "Wanted",
            "--price",
            "1",
            "--json",
        ],
    ] {
        assert_refused(shop.bob.run(call), &["spending policy"]);
    }
    shop.bob.run(&["api", "GET", "/wallets/me"]).exits(0);
    // Ada offers what Bob wants: to accept is to buy.
    let wanted = ["sell", "--side", "request", "--title", "Wanted", "--price", "9", "--json"];
    let wanted = id(&shop.bob.run(&wanted).exits(0));
    let proposed = id(&shop.ada.run(&["buy", &wanted, "--json"]).exits(0));
    assert_refused(shop.bob.run(&["accept", &proposed, "--json"]), &["max_per_trade"]);
}

#[test]
fn a_delivery_that_was_not_verified_is_not_confirmed() {
    let (shop, offer) = limited(&json!({"require_verified": "true"}));
    let trade = shop.delivered(&offer);
    assert_refused(shop.bob.run(&["confirm", &trade, "--json"]), &["require_verified"]);
}
