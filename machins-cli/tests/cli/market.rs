//! The marketplace: what each command says, to people and to programs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use machins_mock::Fault;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::run::{Home, Ran};
use crate::shop::{Shop, id, plain, steady};

/// What people see, without what differs from run to run.
fn shown(ran: Ran) -> String {
    let Ran { stdout, stderr, .. } = ran.exits(0);
    plain(&format!("{stdout}--\n{stderr}"))
}

#[test]
fn status_and_wallet() {
    let shop = Shop::new();
    let status = shop.bob.run(&["status"]);
    assert_data_eq!(
        shown(status).replace(&shop.server.machins_base_url(), "URL"),
        str![[r"
agent      bob
agent id   00000000-0000-4000-8000-000000000000
market     URL
balance    500.00 CR
in escrow  0.00 CR
available  500.00 CR
--

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
fn what_is_sold_is_found() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.bob.run(&["browse"])),
        str![[r"
--
Nothing like that is on the marketplace. Say that you want it:
  machins sell --side request --title TITLE --price CREDITS

"]]
    );
    assert_data_eq!(
        shown(shop.ada.run(&["listings"])),
        str![[r"
--
You have put nothing up yet. Begin: machins sell --title TITLE --price CREDITS

"]]
    );
    let sell =
        ["sell", "--title", "Sentiment of a text", "--price", "1234.5", "--tags", "nlp, text"];
    assert_data_eq!(
        shown(shop.ada.run(&sell)),
        str![[r"
listed  00000000-0000-4000-8000-000000000000  1,234.50 CR  Sentiment of a text
--
Who wants it shows up in: machins trades --status proposed

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
    assert_eq!(steady(&shop.ada.run(&["listings", "--json"]).exits(0))[0]["status"], "active");
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
Buy it: machins buy 00000000-0000-4000-8000-000000000000

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
    assert_eq!(part.stderr, "1 to 2 of 3 listings; go on with --offset 2, or see them --all\n");
    // A page at a time, in one document.
    let all = shop.bob.run(&["browse", "--all", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!((&all["total"], &all["has_more"]), (&json!(3), &json!(false)));
    assert_eq!(shop.bob.run(&["browse", "--all"]).exits(0).stderr, "3 listings\n");
}

#[test]
fn a_listing_can_say_everything() {
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
    assert!(taken.stderr.contains("name another: --slug"), "{taken:?}");
    let nameless = shop.ada.run(&["sell", "--title", "!!", "--price", "1"]).exits(2);
    assert!(nameless.stderr.contains("no slug can be made"), "{nameless:?}");
}

#[test]
fn without_trades_the_next_command_is_named() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.bob.run(&["trades"])),
        str![[r"
--
No trades like that. Find something to buy: machins browse

"]]
    );
}

#[test]
fn a_trade_goes_all_its_way() {
    let shop = Shop::new();
    let offer = shop.offer();
    let buy = ["buy", &offer, "--terms", "JSON, please", "--metadata", r#"{"order": 7}"#];
    assert_data_eq!(
        shown(shop.bob.run(&buy)),
        str![[r"
proposed  00000000-0000-4000-8000-000000000000  12.50 CR
--
The listing's owner decides:
  machins accept 00000000-0000-4000-8000-000000000000
  machins reject 00000000-0000-4000-8000-000000000000

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["trades"])),
        str![[r"
ID                                    STATUS       PRICE  YOU    PROPOSED              LISTING
00000000-0000-4000-8000-000000000000  proposed  12.50 CR  buyer  2026-01-01 12:00 UTC  00000000-0000-4000-8000-000000000000
--
1 trade

"]]
    );
    let trades = shop.ada.run(&["trades", "--role", "seller", "--status", "proposed", "--json"]);
    let trades = trades.exits(0).document();
    let trade = trades["items"][0]["id"].as_str().unwrap();
    assert_eq!(trades["items"][0]["metadata"]["order"], 7);
    assert_data_eq!(
        shown(shop.ada.run(&["accept", trade])),
        str![[r"
escrow_held  00000000-0000-4000-8000-000000000000  12.50 CR
--
The seller delivers:
  machins deliver 00000000-0000-4000-8000-000000000000 --result JSON

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["wallet"])),
        str![[r"
balance    500.00 CR
in escrow  12.50 CR
available  487.50 CR
--

"]]
    );
    let deliver = ["deliver", trade, "--result", r#"{"sentiment": "positive"}"#];
    assert_data_eq!(
        shown(shop.ada.run(&deliver)),
        str![[r"
delivered  00000000-0000-4000-8000-000000000000  12.50 CR
--
The buyer decides now:
  machins trade 00000000-0000-4000-8000-000000000000 --wait completed

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["trade", trade])),
        str![[r#"
id         00000000-0000-4000-8000-000000000000
status     delivered
price      12.50 CR
listing    00000000-0000-4000-8000-000000000000
buyer      00000000-0000-4000-8000-000000000000 (you)
seller     00000000-0000-4000-8000-000000000000
terms      JSON, please
metadata   {"order":7}
proposed   2026-01-01 12:00 UTC
accepted   2026-01-01 12:00 UTC
delivered  2026-01-01 12:00 UTC
delivery   {"result":{"sentiment":"positive"}}
--
The buyer decides:
  machins confirm 00000000-0000-4000-8000-000000000000
  machins dispute 00000000-0000-4000-8000-000000000000 --reason TEXT

"#]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["confirm", trade])),
        str![[r"
completed  00000000-0000-4000-8000-000000000000  12.50 CR
--
Say how it was: machins review 00000000-0000-4000-8000-000000000000 --rating 5

"]]
    );
    let review = ["review", trade, "--rating", "4", "--body", "Fast and exact."];
    assert_data_eq!(
        shown(shop.bob.run(&review)),
        str![[r"
reviewed  00000000-0000-4000-8000-000000000000  ★★★★☆ Fast and exact.
--

"]]
    );
    let twice = shop.bob.run(&[&review[..], &["--json"]].concat()).exits(1);
    assert_eq!(twice.error()["code"], "DUPLICATE");
    let shown_offer = shop.bob.run(&["show", &offer]).exits(0).stdout;
    assert!(shown_offer.ends_with("Reviews\n★★★★☆ Fast and exact.\n"), "{shown_offer}");
}

#[test]
fn what_was_paid_is_known_exactly() {
    let shop = Shop::new();
    shop.completed(&shop.offer());
    assert_data_eq!(
        shown(shop.ada.run(&["transactions"])),
        str![[r"
WHEN                   AMOUNT  BALANCE  FOR              WHAT                                                    ABOUT
2026-01-01 12:00 UTC   +11.87   511.87  escrow_release   Escrow released to the seller, less the platform's fee  00000000-0000-4000-8000-000000000000
2026-01-01 12:00 UTC  +500.00   500.00  starter_credits  Starter credits                                         00000000-0000-4000-8000-000000000000
--
2 transactions

"]]
    );
    let all =
        shop.ada.run(&["transactions", "--all", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(all["items"][0]["amount"], "11.87", "12.50 less five per cent, exactly");
    let last = shop.ada.run(&["transactions", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(last["items"][0], all["items"][0]);
}

#[test]
fn everybody_may_know_how_the_market_goes() {
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

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["recent-trades"])),
        str![[r"
WHEN                     PRICE  TITLE      BUYER  SELLER  TYPE
2026-01-01 12:00 UTC  12.50 CR  Sentiment  bob    ada     task
--

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
fn a_trade_ends_early() {
    let shop = Shop::new();
    let offer = shop.offer();
    let ends = |home: &Home, command: &str, trade: &str, state: &str, style: &[&str]| {
        let ran = home.run(&[&[command, trade], style].concat()).exits(0);
        assert_eq!(ran.stdout, format!("{state}  {trade}  12.50 CR\n"), "{ran:?}");
    };
    ends(&shop.ada, "reject", &shop.proposed(&offer), "rejected", &["--reason", "fully booked"]);
    ends(&shop.bob, "cancel", &shop.accepted(&offer), "cancelled", &[]);
    ends(&shop.ada, "cancel", &shop.accepted(&offer), "cancelled", &["--reason", "no time"]);
    ends(&shop.bob, "dispute", &shop.delivered(&offer), "disputed", &["--reason", "wrong"]);
    let over = shop.proposed(&offer);
    let refused = shop.bob.run(&["cancel", &over]).exits(1);
    assert_data_eq!(
        plain(&refused.stderr).replace(&over, "ID"),
        str![[r"
error: POST /trades/{id}/{action}: the server answered 422 INVALID_TRANSITION: only a trade that is escrow_held can be cancelled; this one is proposed
  next: machins trade ID shows where a trade stands

"]]
    );
    assert_eq!(shop.bob.run(&["accept", &over, "--json"]).exits(1).error()["status"], 403);
}

#[test]
fn every_type_is_delivered_its_way() {
    let shop = Shop::new();
    let deliver = |listing_type: &str, flags: &[&str], input: &str| {
        let sell = ["sell", "--title", "Anything", "--price", "1", "--auto-accept"];
        let kind = flags[0].trim_start_matches('-');
        let slug = format!("{listing_type}-{kind}-{}", flags.len());
        let more = ["--type", listing_type, "--slug", &slug, "--json"];
        let offer = id(&shop.ada.run(&[&sell[..], &more].concat()).exits(0));
        let trade = id(&shop.bob.run(&["buy", &offer, "--json"]).exits(0));
        let deliver = [&["deliver", &trade, "--json"], flags].concat();
        let ran = shop.ada.run_with_stdin(&deliver, input).exits(0);
        ran.document()["delivery_payload"].clone()
    };
    let access = json!({"endpoint_url": "https://api.example/v1", "credentials": {"t": "hush"}});
    let url = ["--endpoint-url", "https://api.example/v1", "--credentials"];
    assert_eq!(deliver("task", &["--result", "[1, null]"], ""), json!({"result": [1, null]}));
    assert_eq!(
        deliver("task", &["--payload", r#"{"result": 1, "more": 2}"#], ""),
        json!({"result": 1, "more": 2})
    );
    assert_eq!(deliver("data", &["--data", "-"], "[{\"a\": 1}]\n"), json!({"data": [{"a": 1}]}));
    assert_eq!(deliver("api", &[&url[..], &[r#"{"t": "hush"}"#]].concat(), ""), access);
    assert_eq!(deliver("model", &[&url[..], &["-"]].concat(), "{\"t\": \"hush\"}"), access);
    // As the Python package has it; the reference asks for the object all the same.
    let open = json!({"endpoint_url": "https://api.example/v1", "credentials": {}});
    assert_eq!(deliver("api", &url[..2], ""), open);
    assert_eq!(
        deliver("asset", &["--tx-id", "0xabc"], ""),
        json!({"transaction_proof": {"tx_id": "0xabc"}})
    );
    let wrong = |flags: &[&str]| {
        let ran = shop.ada.run(&[&["deliver", "abcdef"], flags].concat()).exits(2);
        assert!(!ran.stderr.contains("hush"), "{ran:?}");
        ran.stderr
    };
    let bad_data = wrong(&["--data", r#"{"a": 1}"#]);
    assert_eq!(bad_data, "error: --data must be an array of rows, not an object\n");
    wrong(&[&url[..], &[r#"{"t": "hush" x}"#]].concat());
    wrong(&["--result", "1", "--tx-id", "2"]);
    wrong(&["--credentials", "{}"]);
    wrong(&[]);
}

#[test]
fn bad_json_is_pointed_at() {
    let shop = Shop::new();
    let bad = shop.bob.run(&["buy", "3f2a9c10", "--metadata", r#"{"order": 7 "rush": true}"#]);
    let bad = bad.exits(2);
    assert_data_eq!(
        bad.stderr,
        str![[r#"
error: --metadata is not JSON: expected `,` or `}` at line 1 column 13
  {"order": 7 "rush": true}
              ^

"#]]
    );
    let json = shop.bob.run(&["buy", "3f2a9c10", "--metadata", "{", "--json"]).exits(2).error();
    assert!(json["message"].as_str().unwrap().ends_with("line 1 column 1"), "{json}");
    let list = shop.bob.run(&["buy", "3f2a9c10", "--metadata", "[1]"]).exits(2);
    assert!(list.stderr.contains("must be a JSON object"), "{list:?}");
    assert_eq!(shop.server.requests().len(), 0, "nothing was asked for before");
}

#[test]
fn the_beginning_of_an_id_is_enough() {
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
    shop.bob.run(&["trade", &trade]).exits(0);
    assert_eq!((shop.asked("GET", "/trades"), shop.server.requests().len()), (0, 1));
    // The Python package's command takes a reason here as well, and does nothing with it.
    let accepted = shop.ada.run(&["accept", &trade[..7], "--reason", "gladly"]).exits(0);
    assert!(accepted.stderr.contains("takes no reason"), "{accepted:?}");
    shop.bob.run(&["cancel", &trade[..7], "--reason", "no"]).exits(0);
}

#[test]
fn an_ambiguous_beginning_lists_the_candidates() {
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
fn waiting_ends_at_the_state() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trade = shop.delivered(&offer);
    let whole = shop.bob.run(&["trade", &trade, "--json"]).exits(0).document();
    let mut before = whole.clone();
    before["status"] = "proposed".into();
    let path = format!("/api/v1/trades/{trade}");
    // The first look still sees it proposed, the second is lost, the third sees it delivered.
    let _early = shop.server.fault_scoped(Fault::status(200).path(&path).times(1).body(before));
    let _lost = shop.server.fault_scoped(Fault::status(503).path(&path).times(1));
    shop.server.clear_requests();
    let waited = shop.bob.run(&["trade", &trade, "--wait", "delivered", "--json"]).exits(0);
    assert_eq!(waited.document(), whole);
    assert_eq!(shop.asked("GET", &format!("/trades/{trade}")), 3);
    // It has been there.
    shop.bob.run(&["trade", &trade, "--wait", "proposed"]).exits(0);
    // It can't get there.
    let vain = shop.bob.run(&["trade", &trade, "--wait", "cancelled", "--json"]).exits(1);
    assert_eq!(vain.document()["status"], "delivered");
    assert_eq!(vain.error()["code"], "delivered");
    shop.bob.run(&["trade", &trade, "--wait", "done"]).exits(2);
    // A deed of the other side ends it, whichever comes first.
    let trade = shop.proposed(&offer);
    let wait = ["trade", &trade, "--wait", "escrow_held", "--json"];
    let waiting = shop.bob.machins(&wait).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    shop.ada.run(&["accept", &trade]).exits(0);
    let waited = Ran::from(waiting.unwrap().wait_with_output().unwrap()).exits(0);
    assert_eq!(waited.document()["status"], "escrow_held");
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_waiting_and_watching() {
    let shop = Shop::new();
    let trade = shop.proposed(&shop.offer());
    shop.server.clear_requests();
    let until = |path: &str, times: usize| {
        let start = std::time::Instant::now();
        while shop.asked("GET", path) < times {
            assert!(start.elapsed().as_secs() < 30, "{:?}", shop.server.requests());
            std::thread::yield_now();
        }
    };
    let wait = ["trade", &trade, "--wait", "completed", "--json"];
    let waiting = shop.bob.machins(&wait).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let waiting = waiting.unwrap();
    // The second look comes after the signal is being listened for.
    until(&format!("/trades/{trade}"), 2);
    interrupt(&waiting);
    let ended = Ran::from(waiting.wait_with_output().unwrap()).exits(1);
    assert_eq!(ended.error()["kind"], "interrupted");

    let watch = ["inbox", "--watch", "--json"];
    let mut watching = shop.ada.machins(&watch).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&first["event_type"], &first["payload"]["trade_id"]),
        (&json!("trade_proposed"), &json!(trade))
    );
    // What comes later is shown as it comes, on a line of its own.
    shop.ada.run(&["accept", &trade]).exits(0);
    shop.bob.run(&["cancel", &trade]).exits(0);
    let second: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(second["event_type"], "trade_cancelled");
    interrupt(&watching);
    assert!(lines.next().is_none());
    assert!(watching.wait().unwrap().success());
    // Each was acknowledged, the last one too.
    let unread = shop.ada.run(&["inbox", "--unread", "--json"]).exits(0).document();
    assert_eq!(unread["items"], json!([]));
}

#[test]
fn the_inbox_is_read_and_acknowledged() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.ada.run(&["inbox"])),
        str![[r"
--
No notifications like that. Wait for some: machins inbox --watch

"]]
    );
    let offer = shop.offer();
    shop.proposed(&offer);
    shop.proposed(&offer);
    assert_data_eq!(
        shown(shop.ada.run(&["inbox", "--unread"])),
        str![[r"
EVENT           ABOUT                                 ID                                    STATE  WHEN
trade_proposed  00000000-0000-4000-8000-000000000000  00000000-0000-4000-8000-000000000000  new    2026-01-01 12:00 UTC
trade_proposed  00000000-0000-4000-8000-000000000000  00000000-0000-4000-8000-000000000000  new    2026-01-01 12:00 UTC
--
2 notifications

"]]
    );
    let list = shop.ada.run(&["inbox", "--event-type", "trade_proposed", "--json"]).exits(0);
    let first = list.document()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list.document()["unread_count"], 2);
    assert_data_eq!(
        shown(shop.ada.run(&["inbox", "ack", &first])),
        str![[r"
acknowledged  1 notification
--

"]]
    );
    let all = shop.ada.run(&["inbox", "ack-all", "--json"]).exits(0).document();
    assert_eq!(all, json!({"acknowledged": 1, "unread_count": 0}));
    let all = shop.ada.run(&["inbox", "--all", "--limit", "1", "--json"]).exits(0).document();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let all = shop.ada.run(&["inbox", "--json"]).exits(0).document();
    let beginnings: Vec<&str> =
        [0, 1].map(|at| &all["items"][at]["id"].as_str().unwrap()[..8]).into();
    let lists = shop.asked("GET", "/inbox");
    let ack = [&["inbox", "ack", "--json"], &beginnings[..]].concat();
    assert_eq!(shop.ada.run(&ack).exits(0).document()["unread_count"], 0);
    assert_eq!(shop.asked("GET", "/inbox"), lists + 1, "the inbox is read once for all of them");
    shop.ada.run(&["inbox", "ack", "00000000"]).exits(1);
    shop.ada.run(&["inbox", "ack"]).exits(2);
    shop.ada.run(&["inbox", "ack", "a/b"]).exits(2);
    shop.ada.run(&["inbox", "--watch", "--all"]).exits(2);
}

#[test]
fn a_watch_that_nobody_reads_ends_and_acknowledges_nothing_more() {
    let shop = Shop::new();
    let offer = shop.offer();
    shop.proposed(&offer);
    let watch = ["inbox", "--watch"];
    let mut watching =
        shop.ada.machins(&watch).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(watching.stdout.take());
    let ended = Ran::from(watching.wait_with_output().unwrap()).exits(0);
    assert_eq!(ended.stderr, "");
    let unread = shop.ada.run(&["inbox", "--unread", "--json"]).exits(0).document();
    assert_eq!(unread["unread_count"], 1);
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
fn subscriptions() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.ada.run(&["subscriptions"])),
        str![[r"
--
No subscriptions yet. Begin: machins subscribe trade_proposed URL

"]]
    );
    let url = "https://agent.example/hook";
    let subscribe = ["subscribe", "new_listing", url, "--filter", "listing_type=task"];
    assert_data_eq!(
        shown(shop.ada.run(&subscribe)),
        str![[r"
subscribed  00000000-0000-4000-8000-000000000000  new_listing  https://agent.example/hook
--
warning: without a secret anybody who knows the URL can send such events to it

"]]
    );
    let signed = ["subscribe", "trade_proposed", url, "--secret-stdin", "--json"];
    let made = shop.ada.run_with_stdin(&signed, "hush-hush\n").exits(0);
    assert!(!made.stdout.contains("hush") && made.stderr.is_empty(), "{made:?}");
    assert_eq!(shop.ada.run_with_stdin(&signed, "").exits(2).error()["kind"], "usage");
    assert_data_eq!(
        shown(shop.ada.run(&["subscriptions"])),
        str![[r"
ID                                    STATE   EVENT           URL                         FILTERS
00000000-0000-4000-8000-000000000000  active  new_listing     https://agent.example/hook  listing_type=task
00000000-0000-4000-8000-000000000000  active  trade_proposed  https://agent.example/hook
--

"]]
    );
    let list = shop.ada.run(&["subscriptions", "--json"]).exits(0).document();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let made = id(&made);
    assert_data_eq!(
        shown(shop.ada.run(&["unsubscribe", &made])),
        str![[r"
unsubscribed  00000000-0000-4000-8000-000000000000
--

"]]
    );
    shop.ada.run(&["unsubscribe", &made, "--json"]).exits(1);
    let other = list[0]["id"].as_str().unwrap();
    shop.ada.run(&["unsubscribe", &other[..8]]).exits(0);
    assert!(shop.ada.run(&["unsubscribe", &other[..5]]).exits(2).stderr.contains("too short"));
    shop.ada.run(&["subscribe", "no_such_event", url]).exits(1);
    shop.ada.run(&["subscribe", "new_agent", url, "--filter", "nothing"]).exits(2);
}

#[test]
fn webhooks_are_signed_and_verified() {
    let home = Home::new().with("MACHINS_WEBHOOK_SECRET", "Jefe");
    let body = "what do ya want for nothing?";
    // RFC 4231, test case 2.
    let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let signed = home.run_with_stdin(&["webhook", "sign"], body).exits(0);
    assert_eq!(signed.stdout, format!("{right}\n"));
    std::fs::write(home.path().join("body"), body).unwrap();
    let json = home.run(&["webhook", "sign", "body", "--json"]).exits(0).document();
    assert_eq!(json, json!({"header": "x-machins-signature", "signature": right}));
    let verify = ["webhook", "verify", "--signature", right];
    assert_eq!(home.run_with_stdin(&verify, body).exits(0).stdout, "verified\n");
    let ran = home.run(&[&verify[..], &["body", "--json"]].concat()).exits(0);
    assert_eq!(ran.document(), json!({"verified": true}));
    let forged = home.run_with_stdin(&verify, "what do ya want?").exits(1);
    assert_eq!(forged.stdout, "refused\n");
    let json = home.run_with_stdin(&[&verify[..], &["--json"]].concat(), "x").exits(1);
    assert_eq!(
        (json.document(), &json.error()["kind"]),
        (json!({"verified": false}), &json!("refused"))
    );
    home.run(&["webhook", "sign", "no-such-file"]).exits(2);
}

#[test]
fn a_webhook_under_any_other_signature_is_refused() {
    let body = "what do ya want for nothing?";
    let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let home = Home::new().with("MACHINS_WEBHOOK_SECRET", "Jefe");
    let verify = |home: &Home, signature: &str, body: &str, code: i32| {
        let signature = format!("--signature={signature}");
        home.run_with_stdin(&["webhook", "verify", &signature], body).exits(code)
    };
    for signature in [
        "",
        &right[..63],
        &format!("{right}0"),
        &right.replace('5', "4"),
        &right.to_uppercase(),
        &format!("{right}{right}"),
        &format!("{right},{right}"),
        &format!("sha256={right}"),
    ] {
        assert_eq!(verify(&home, signature, body, 1).stdout, "refused\n", "{signature}");
    }
    for body in ["", &body[1..], &format!("{body}\n"), &body.replace('w', "v")] {
        assert_eq!(verify(&home, right, body, 1).stdout, "refused\n", "{body}");
    }
    for secret in ["jefe", "Jefe ", "other"] {
        verify(&Home::new().with("MACHINS_WEBHOOK_SECRET", secret), right, body, 1);
    }
    // Nobody is there to be asked for one.
    verify(&Home::new().with("MACHINS_WEBHOOK_SECRET", ""), right, body, 4);
}

#[test]
fn an_owner_claims_logs_in_and_looks() {
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
Next: machins owner login --email EMAIL

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
    assert!(wrong.stderr.contains("are address and password"), "{wrong:?}");
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

#[test]
fn api_reaches_any_endpoint_of_the_market() {
    let shop = Shop::new();
    let offer = shop.offer();
    let list = shop.bob.run(&["api", "GET", "/marketplace?limit=1&search=senti%6Dent"]).exits(0);
    assert_eq!(list.document()["items"][0]["id"], *offer);
    let body = json!({"listing_id": offer}).to_string();
    let made = shop.bob.run(&["api", "post", "/trades", "--body", &body, "--json"]).exits(0);
    assert_eq!(made.document()["status"], "proposed");
    let hint = shop.bob.run(&["api", "GET", "/api/v1/marketplace"]).exits(2);
    assert!(hint.stderr.contains("/marketplace"), "{hint:?}");
    shop.bob.run(&["api", "GET", "marketplace"]).exits(2);
    let bad = shop.bob.run(&["api", "POST", "/trades", "--body", "{listing}"]).exits(2);
    assert!(bad.stderr.contains("\n   ^"), "{bad:?}");
    let keyless = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    keyless.run(&["api", "GET", "/marketplace"]).exits(0);
    keyless.run(&["api", "GET", "/wallets/me"]).exits(1);
}

#[test]
fn keys_are_asked_for_with_4() {
    let shop = Shop::new();
    let home = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    for command in [
        &["status"][..],
        &["sell", "--title", "Any", "--price", "1"],
        &["listings"],
        &["buy", "3f2a9c10"],
        &["trades"],
        &["accept", "3f2a9c10"],
        &["wallet"],
        &["inbox"],
        &["inbox", "--watch"],
        &["trade", "3f2a9c10", "--wait", "delivered"],
        &["subscriptions"],
    ] {
        let ran = home.run(&[command, &["--json"]].concat()).exits(4);
        assert_eq!((ran.stdout.as_str(), &ran.error()["kind"]), ("", &json!("credentials")));
        assert!(home.run(command).exits(4).stderr.contains("machins join"));
    }
    assert!(shop.server.requests().is_empty());
    let wrong = home.with("MACHINS_API_KEY", "org_not_an_api_key");
    let ran = wrong.run(&["wallet"]).exits(4);
    assert!(!ran.stderr.contains("org_not"), "{ran:?}");
    // What everybody may see needs none.
    wrong.run(&["browse"]).exits(0);
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

#[test]
fn what_is_not_known_is_told_in_commands() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trade = shop.delivered(&offer);
    let hook = "https://agent.example/hook";
    // Neither does the call come back, nor a look whether it was done.
    for (command, look) in [
        (&["buy", &offer][..], "machins trades"),
        (&["confirm", &trade], "machins trades"),
        (&["subscribe", "new_agent", hook], "machins subscriptions"),
    ] {
        let _lost = shop.server.fault_scoped(Fault::drop_after()).unwrap();
        let ran = shop.bob.run(&[command, &["--timeout", "5", "--json"]].concat()).exits(1);
        assert_eq!(ran.error()["kind"], "fate_unknown", "{ran:?}");
        let ran = shop.bob.run(&[command, &["--timeout", "5"]].concat()).exits(1);
        assert!(ran.stderr.contains(&format!("next: {look}")), "{ran:?}");
        assert!(!ran.stderr.contains(['`', '_']), "no word of Rust: {ran:?}");
    }
}
