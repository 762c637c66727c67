//! The marketplace, owners and profiles: what each command says, to people and to programs.

use std::process::Stdio;
use std::time::Duration;

use machins_mock::{Fault, MockServer};
use rstest::rstest;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};
use crate::shop::{Shop, id, shown, steady};

#[test]
fn status_and_wallet_show_agent_and_credits() {
    let shop = Shop::new();
    let status = shop.bob.run(&["status"]);
    assert_data_eq!(
        shown(status).replace(&shop.server.machins_base_url(), "URL"),
        str![[r"
profile  none

machins
agent      bob
agent id   00000000-0000-4000-8000-000000000000
base URL   URL
API key    at_…yss4 (file)
balance    500.00 CR
in escrow  0.00 CR
available  500.00 CR

MachineID
base URL  https://machineid.io
org key   not set
device    not set
--
To create an org: machins org create --save

"]]
    );
    let json = shop.bob.run(&["status", "--json"]).exits(0);
    let document = steady(&json);
    assert_eq!(document["agent_slug"], "bob");
    assert_eq!(document["wallet"]["available_balance"], "500.00");
    assert_data_eq!(
        shown(shop.bob.run(&["wallet"])),
        str![[r"
balance    500.00 CR
in escrow  0.00 CR
available  500.00 CR
--

"]]
    );
    assert_eq!(
        steady(&shop.bob.run(&["wallet", "--json"]).exits(0)),
        json!({
            "id": "…", "agent_id": "…", "balance": "500.00", "held_balance": "0.00",
            "available_balance": "500.00", "currency": "CREDIT", "version": 1, "created_at": "…",
        })
    );
    // The key of the environment may be another agent's: then the file does not name it.
    let key: Value = serde_json::from_str(&shop.ada.read_config()).unwrap();
    let both = Shop::new().bob.with("MACHINS_API_KEY", key["api_key"].as_str().unwrap());
    let other = both
        .run(&["status", "--json", "--base-url", &shop.server.machins_base_url()])
        .exits(0)
        .document();
    assert_eq!((&other["agent_slug"], &other["agent_id"]), (&Value::Null, &key["agent_id"]));
}

#[test]
fn a_listing_is_found_by_others() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.bob.run(&["browse"])),
        str![[r"
--
No listings found. Create a request for what you need: machins sell --help

"]]
    );
    assert_data_eq!(
        shown(shop.ada.run(&["listings"])),
        str![[r"
--
No listings found. Create one: machins sell --help

"]]
    );
    let sell =
        ["sell", "--title", "Sentiment of a text", "--price", "1234.5", "--tags", "nlp, text"];
    assert_data_eq!(
        shown(shop.ada.run(&sell)),
        str![[r"
listed  00000000-0000-4000-8000-000000000000  1,234.50 CR  Sentiment of a text
--
To see who wants it: machins trades --status proposed

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["browse"])),
        str![[r"
ID                                          PRICE  TYPE  TITLE                BY
00000000-0000-4000-8000-000000000000  1,234.50 CR  task  Sentiment of a text  ada
--
1 listing

"]]
    );
    assert_data_eq!(
        shown(shop.ada.run(&["listings"])),
        str![[r"
ID                                    STATE         PRICE  TITLE                TYPE
00000000-0000-4000-8000-000000000000  active  1,234.50 CR  Sentiment of a text  task
--
1 listing

"]]
    );
    let json = shop.bob.run(&["browse", "--json"]).exits(0);
    let listing = &steady(&json)["items"][0];
    assert_eq!(
        (&listing["price"], &listing["slug"], &listing["tags"]),
        (&json!("1234.50"), &json!("sentiment-of-a-text"), &json!(["nlp", "text"]))
    );
    assert_eq!(steady(&json)["total"], 1);
    assert_eq!(
        steady(&shop.ada.run(&["listings", "--json"]).exits(0))["items"][0]["status"],
        "active"
    );
    let id = json.document()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_data_eq!(
        shown(shop.bob.run(&["show", &id])),
        str![[r"
title        Sentiment of a text
id           00000000-0000-4000-8000-000000000000
slug         sentiment-of-a-text
type         task
side         offer
price        1,234.50 CR
by           ada (Ada)
reputation   0.00
trades done  0
tags         nlp, text
listed       2026-01-01 12:00 UTC
expires      never
--
At this price both agents must have an owner. To become one: machins claim --help

"]]
    );
    assert_data_eq!(
        shown(shop.ada.run(&["listing", &id])),
        str![[r"
title    Sentiment of a text
id       00000000-0000-4000-8000-000000000000
state    active
slug     sentiment-of-a-text
type     task
side     offer
price    1,234.50 CR
tags     nlp, text
listed   2026-01-01 12:00 UTC
expires  never
--

"]]
    );
    assert_eq!(shop.bob.run(&["show", &id, "--json"]).exits(0).document()["reviews"], json!([]));
    assert_eq!(shop.ada.run(&["listing", &id, "--json"]).exits(0).document()["id"], *id);
}

#[test]
fn a_listing_is_changed_and_taken_down() {
    let shop = Shop::new();
    let id = shop.offer();
    let edit = ["edit", &id, "--price", "9.99", "--tags", "", "--auto-accept", "true"];
    assert_data_eq!(
        shown(shop.ada.run(&edit)),
        str![[r"
changed  00000000-0000-4000-8000-000000000000  9.99 CR  Sentiment
--

"]]
    );
    let edited = shop.ada.run(&["listing", &id, "--json"]).exits(0).document();
    assert_eq!(
        (&edited["price"], &edited["tags"], &edited["auto_accept"], &edited["title"]),
        (&json!("9.99"), &json!([]), &json!(true), &json!("Sentiment"))
    );
    assert_data_eq!(
        shown(shop.ada.run(&["unlist", &id])),
        str![[r"
unlisted  00000000-0000-4000-8000-000000000000  9.99 CR  Sentiment
--

"]]
    );
    let again = shop.ada.run(&["unlist", &id, "--json"]).exits(0).document();
    assert_eq!(again["status"], "inactive");
    let gone = shop.bob.run(&["buy", &id, "--json"]).exits(1);
    assert_eq!(gone.error()["kind"], "invalid_transition");
}

#[test]
fn filters_narrow_what_is_found() {
    let shop = Shop::new();
    for (title, price, more) in [
        ("One", "0.10", &["--tags", "a,b"][..]),
        ("Two", "0.20", &["--type", "data", "--tags", "b"]),
        ("Three", "30", &["--side", "request", "--description", "a wish"]),
    ] {
        let sell = ["sell", "--title", title, "--price", price];
        shop.ada.run(&[&sell[..], more].concat()).exits(0);
    }
    let titles = |filters: &[&str]| {
        let found = shop.bob.run(&[&["browse", "--json"], filters].concat()).exits(0).document();
        let items = found["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&[]), ["Three", "Two", "One"]);
    assert_eq!(titles(&["--sort", "price_asc"]), ["One", "Two", "Three"]);
    assert_eq!(titles(&["--type", "data"]), ["Two"]);
    assert_eq!(titles(&["--side", "request"]), ["Three"]);
    assert_eq!(titles(&["--tags", "a, x"]), ["One"]);
    assert_eq!(titles(&["--search", "WISH"]), ["Three"]);
    assert_eq!(titles(&["--min-price", "0.10", "--max-price", "0.2"]), ["Two", "One"]);
    assert_eq!(titles(&["--limit", "1", "--offset", "1"]), ["Two"]);
    let part = shop.bob.run(&["browse", "--limit", "2"]).exits(0);
    assert_eq!(part.stderr, "1 to 2 of 3 listings; see more with --offset 2 or --all\n");
    // A page at a time, in one document.
    let all = shop.bob.run(&["browse", "--all", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!((&all["total"], &all["has_more"]), (&json!(3), &json!(false)));
    assert_eq!(shop.bob.run(&["browse", "--all"]).exits(0).stderr, "3 listings\n");
}

#[test]
fn a_listing_takes_every_field() {
    let shop = Shop::new();
    std::fs::write(shop.ada.path().join("in.json"), r#"{"type": "object"}"#).unwrap();
    std::fs::write(shop.ada.path().join("bad.json"), "{\n  \"type\": objekt\n}").unwrap();
    let sell = ["sell", "--title", "Labels", "--price", "40", "--json"];
    let run = |more: &[&str]| shop.ada.run(&[&sell[..], more].concat());
    let wanted = run(&[
        "--side",
        "request",
        "--bounty",
        "--type",
        "data",
        "--slug",
        "my-labels",
        "--description",
        "Ten thousand of them",
        "--input-schema",
        "in.json",
        "--expires-in-hours",
        "48",
        "--callback-url",
        "https://agent.example/cb",
    ])
    .exits(0)
    .document();
    assert_eq!(
        (&wanted["bounty_held"], &wanted["slug"], &wanted["input_schema"]),
        (&json!(true), &json!("my-labels"), &json!({"type": "object"}))
    );
    assert!(wanted["expires_at"].is_string());
    let wallet = shop.ada.run(&["wallet", "--json"]).exits(0).document();
    assert_eq!(wallet["held_balance"], "40.00");

    assert_eq!(run(&["--bounty"]).exits(2).error()["kind"], "usage");
    assert_eq!(run(&["--expires-in-hours", "721"]).exits(2).error()["kind"], "usage");
    let bad = shop.ada.run(&[&sell[..5], &["--output-schema", "bad.json"]].concat()).exits(2);
    assert_data_eq!(
        bad.stderr,
        str![[r#"
error: --output-schema (bad.json) is not JSON: expected value at line 2 column 11
    "type": objekt
            ^

"#]]
    );
    let error = run(&["--input-schema", "none.json"]).exits(2).error();
    assert!(error["message"].as_str().unwrap().contains("none.json"), "{error}");
    for price in ["12.345", "1e2", "-5", "free", "NaN", "12,50"] {
        let sell = ["sell", "--title", "Odd price", "--price", price, "--json"];
        assert_eq!(shop.ada.run(&sell).exits(2).error()["kind"], "usage", "{price}");
    }
    assert_eq!(shop.asked("POST", "/listings"), 1);
    // The slug that was made of the title is taken: that is said.
    let first = ["sell", "--title", "My labels", "--price", "1"];
    let taken = shop.ada.run(&first).exits(1);
    assert!(taken.stderr.contains("another one with --slug"), "{taken:?}");
}

#[test]
fn public_commands_need_no_key() {
    let shop = Shop::new();
    shop.completed(&shop.offer());
    assert_data_eq!(
        shown(shop.bob.run(&["stats"])),
        str![[r"
agents           2
active listings  1
trades           1
volume           12.50 CR
task trades      1
--

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["leaderboard"])),
        str![[r"
RANK  AGENT  NAME  REPUTATION  TRADES
   1  ada    Ada         0.00       1
   2  bob    Bob         0.00       1
--
2 agents

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["recent-trades"])),
        str![[r"
WHEN                     PRICE  TITLE      BUYER  SELLER  TYPE
2026-01-01 12:00 UTC  12.50 CR  Sentiment  bob    ada     task
--
1 trade

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["agent", "ada"])),
        str![[r"
agent       ada
name        Ada
id          00000000-0000-4000-8000-000000000000
reputation  0.00
trades      1
joined      2026-01-01 12:00 UTC
--

"]]
    );
    assert_eq!(shop.bob.run(&["stats", "--json"]).exits(0).document()["total_volume"], "12.50");
    for command in ["leaderboard", "recent-trades", "info"] {
        shop.bob.run(&[command, "--json"]).exits(0).document();
    }
    assert!(shop.bob.run(&["info"]).exits(0).stdout.contains("500.00"));
    shop.bob.run(&["agent", "nobody"]).exits(1);
    shop.bob.run(&["agent", "no slug"]).exits(2);
}

#[test]
fn the_first_characters_of_an_id_are_enough() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trade = shop.proposed(&offer);
    for (home, command, whole) in
        [(&shop.bob, "show", &offer), (&shop.ada, "listing", &offer), (&shop.bob, "trade", &trade)]
    {
        for length in [6, 8, 13, 35] {
            let ran = home.run(&[command, &whole[..length], "--json"]).exits(0);
            assert_eq!(id(&ran), *whole);
        }
        let short = home.run(&[command, &whole[..5], "--json"]).exits(2).error();
        assert!(short["message"].as_str().unwrap().contains("too short"), "{short}");
        let unknown = home.run(&[command, "000000", "--json"]).exits(1).error();
        assert_eq!(unknown["kind"], "not_found");
        for odd in ["../trades", "a/b/c/d", "", "no spaces in it", "%2e%2e%2f"] {
            home.run(&[command, odd]).exits(2);
        }
    }
    // A whole id is not looked up.
    shop.server.clear_requests();
    shop.bob.run(&["trade", &trade, "--json"]).exits(0);
    assert_eq!((shop.asked("GET", "/trades"), shop.server.requests().len()), (0, 1));
    // The Python package's command takes a reason here as well, and does nothing with it.
    let accepted = shop.ada.run(&["accept", &trade[..7], "--reason", "gladly"]).exits(0);
    assert!(accepted.stderr.contains("takes no reason"), "{accepted:?}");
    shop.bob.run(&["cancel", &trade[..7], "--reason", "no"]).exits(0);
}

#[test]
fn an_ambiguous_id_lists_the_candidates() {
    let shop = Shop::new();
    let item = |id: &str| {
        json!({
            "id": id, "listing_id": "l", "buyer_agent_id": "b", "seller_agent_id": "s",
            "status": "proposed", "price": "1.00",
        })
    };
    let (one, two) =
        ("3f2a9c10-1111-4111-8111-111111111111", "3f2a9c10-2222-4222-8222-222222222222");
    let page = json!({"items": [item(one), item(two)], "total": 2, "has_more": false});
    let _fault = shop
        .server
        .fault_scoped(Fault::status(200).method("GET").path("/api/v1/trades").body(page))
        .unwrap();
    let error = shop.bob.run(&["confirm", "3f2a9c10", "--json"]).exits(2).error();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(one) && message.contains(two), "{message}");
    assert_eq!(shop.asked("POST", &format!("/trades/{one}/confirm")), 0);
}

#[test]
fn a_closed_pipe_is_no_error_for_lists() {
    let shop = Shop::new();
    shop.proposed(&shop.offer());
    for command in [&["browse", "--all"][..], &["trades"], &["transactions", "--json"], &["info"]] {
        let mut child = shop
            .bob
            .machins(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = Ran::from(child.wait_with_output().unwrap()).exits(0);
        assert!(!ended.stderr.contains("error"), "{ended:?}");
    }
}

#[test]
fn an_owner_claims_an_agent_and_logs_in() {
    let shop = Shop::new();
    let claim_url = std::fs::read_to_string(shop.ada.path().join("claim_url")).unwrap();
    let claim = ["claim", &claim_url, "--email", "ada@example.com", "--name", "Ada L"];
    let password = "correct horse\n";
    assert_eq!(shop.ada.run(&claim).exits(2).stdout, "", "no password");
    let claimed = shop.ada.run_with_stdin(&claim, password);
    assert!(!claimed.stdout.contains("horse") && !claimed.stderr.contains("horse"));
    assert_data_eq!(
        shown(claimed),
        str![[r"
claimed  ada
owner    ada@example.com
tier     verified
--
Next: machins owner login --email ada@example.com

"]]
    );
    let again = shop.ada.run_with_stdin(&[&claim[..], &["--json"]].concat(), password).exits(1);
    assert_eq!(again.error()["status"], 409);
    let forged = ["claim", "forged", "--email", "a@example.com", "--json"];
    assert_eq!(shop.ada.run_with_stdin(&forged, password).exits(1).error()["status"], 401);

    let me = shop.ada.run(&["owner", "me", "--json"]).exits(4);
    assert_eq!(me.error()["kind"], "credentials");
    let login = ["owner", "login", "--email", "ada@example.com"];
    let wrong = shop.ada.run_with_stdin(&login, "wrong password\n").exits(1);
    assert!(wrong.stderr.contains("use the email address and password"), "{wrong:?}");
    let logged_in = shop.ada.run_with_stdin(&login, password).exits(0);
    assert_eq!(logged_in.stdout, "logged in  ada@example.com\n");
    let config: Value = serde_json::from_str(&shop.ada.read_config()).unwrap();
    let token = config["owner"]["token"].as_str().unwrap();
    assert!(!token.is_empty() && !logged_in.stderr.contains(token));
    let json = shop.ada.run_with_stdin(&[&login[..], &["--json"]].concat(), password).exits(0);
    assert_eq!(json.document(), json!({"status": "ok", "email": "ada@example.com"}));
    assert_data_eq!(
        shown(shop.ada.run(&["owner", "me"])),
        str![[r"
email  ada@example.com
name   Ada L
id     00000000-0000-4000-8000-000000000000

Agents
AGENT  ID                                    TIER      JOINED
ada    00000000-0000-4000-8000-000000000000  verified  2026-01-01 12:00 UTC
--

"]]
    );
    let me = shop.ada.run(&["owner", "me", "--json"]).exits(0).document();
    assert_eq!(me["agents"][0]["slug"], "ada");
    let same = shop.ada.run(&["api", "GET", "/owners/me", "--json"]).exits(0).document();
    assert_eq!(same, me);
    // The token is good for a day.
    shop.server.clock().advance(Duration::from_hours(25)).unwrap();
    let late = shop.ada.run(&["owner", "me"]).exits(1);
    assert!(late.stderr.contains("log in again"), "{late:?}");
}

#[rstest]
#[case::sell(&["sell", "--title", "Any", "--price", "1"])]
#[case::listings(&["listings"])]
#[case::buy(&["buy", "3f2a9c10"])]
#[case::trades(&["trades"])]
#[case::accept(&["accept", "3f2a9c10"])]
#[case::wallet(&["wallet"])]
#[case::inbox(&["inbox"])]
#[case::watch(&["inbox", "--watch"])]
#[case::wait(&["trade", "3f2a9c10", "--wait", "delivered"])]
#[case::subscriptions(&["subscriptions"])]
fn commands_without_an_api_key_exit_4(#[case] command: &[&str]) {
    let server = MockServer::builder().start().unwrap();
    let home = Home::new().with("MACHINS_BASE_URL", &server.machins_base_url());
    let ran = home.run(&[command, &["--json"]].concat()).exits(4);
    assert_eq!((ran.stdout.as_str(), &ran.error()["kind"]), ("", &json!("credentials")));
    assert!(home.run(command).exits(4).stderr.contains("machins join"));
    assert!(server.requests().is_empty());
}

#[test]
fn a_key_of_another_kind_exits_4_and_is_not_shown() {
    let server = MockServer::builder().start().unwrap();
    let home = Home::new()
        .with("MACHINS_BASE_URL", &server.machins_base_url())
        .with("MACHINS_API_KEY", "org_not_an_api_key");
    let ran = home.run(&["wallet"]).exits(4);
    assert!(!ran.stderr.contains("org_not"), "{ran:?}");
    // What everybody may see needs none.
    home.run(&["browse"]).exits(0);
}

#[test]
fn a_profile_is_another_agent() {
    let shop = Shop::new();
    let mut config: Value = serde_json::from_str(&shop.ada.read_config()).unwrap();
    config["profiles"] =
        json!({"bob": serde_json::from_str::<Value>(&shop.bob.read_config()).unwrap()});
    shop.ada.write_config(&config.to_string());
    let who = |flags: &[&str]| {
        let ran = shop.ada.run(&[flags, &["status", "--json"]].concat()).exits(0);
        ran.document()["agent_slug"].as_str().unwrap().to_owned()
    };
    assert_eq!((who(&[]), who(&["--profile", "bob"])), ("ada".into(), "bob".into()));
    shop.ada.run(&["--profile", "eve", "status"]).exits(4);
}

/// Neither does the call come back, nor the question whether it took effect.
#[rstest]
#[case::buy("buy LISTING", "machins trades")]
#[case::confirm("confirm TRADE", "machins trades")]
#[case::subscribe("subscribe new_agent https://agent.example/hook", "machins subscriptions")]
fn an_unknown_outcome_names_the_command_to_check(#[case] command: &str, #[case] check: &str) {
    let shop = Shop::new();
    let offer = shop.offer();
    let command = command.replace("LISTING", &offer).replace("TRADE", &shop.delivered(&offer));
    let command: Vec<&str> = command.split(' ').chain(["--timeout", "5"]).collect();
    shop.server.add_fault(Fault::drop_after()).unwrap();
    let ran = shop.bob.run(&[&command[..], &["--json"]].concat()).exits(1);
    assert_eq!(ran.error()["kind"], "outcome_unknown", "{ran:?}");
    let ran = shop.bob.run(&command).exits(1);
    assert!(ran.stderr.contains(&format!(": {check}\n")), "{ran:?}");
    assert!(!ran.stderr.contains(['`', '_']), "no word of Rust: {ran:?}");
}
