//! Trades: what each command says, to people and to programs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use machins_mock::Fault;
use rstest::rstest;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};
use crate::shop::{Shop, id, plain, shown};

#[test]
fn a_result_is_delivered_as_text_or_from_a_file() {
    let shop = Shop::new();
    let offer = shop.offer();
    std::fs::write(shop.ada.path().join("result.json"), "\u{feff}{\"n\": 1}").unwrap();
    std::fs::write(shop.ada.path().join("result.txt"), "it's \"fine\"\n").unwrap();
    for (flags, result) in [
        (["--result-text", "positive"], json!("positive")),
        (["--result-text", "@result.txt"], json!("it's \"fine\"")),
        (["--result-text", "-"], json!("from stdin")),
        (["--result", "@result.json"], json!({"n": 1})),
    ] {
        let trade = shop.accepted(&offer);
        let deliver = [&["deliver", &trade, "--json"], &flags[..]].concat();
        let delivered = shop.ada.run_with_stdin(&deliver, "from stdin\n").exits(0).document();
        assert_eq!(delivered["delivery_payload"]["result"], result, "{delivered}");
    }
    let trade = shop.accepted(&offer);
    let none = shop.ada.run(&["deliver", &trade, "--result", "@none.json"]).exits(2);
    assert!(none.stderr.contains("none.json"), "{none:?}");
}

#[test]
fn an_empty_list_of_trades_names_the_next_command() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.bob.run(&["trades"])),
        str![[r"
--
No trades found. Find something to buy: machins browse

"]]
    );
}

#[test]
fn a_trade_is_completed_and_reviewed() {
    let shop = Shop::new();
    let offer = shop.offer();
    let buy = ["buy", &offer, "--terms", "JSON, please", "--metadata", r#"{"order": 7}"#];
    assert_data_eq!(
        shown(shop.bob.run(&buy)),
        str![[r"
proposed  00000000-0000-4000-8000-000000000000  12.50 CR
--
Wait for the decision:
  machins trade 00000000-0000-4000-8000-000000000000 --wait escrow_held

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["trades"])),
        str![[r"
ID                                    STATUS       PRICE  TITLE      YOU    WITH  PROPOSED
00000000-0000-4000-8000-000000000000  proposed  12.50 CR  Sentiment  buyer  ada   2026-01-01 12:00 UTC
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
Deliver, with the text of the result on stdin:
  machins deliver 00000000-0000-4000-8000-000000000000 --result-text -

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
Wait for the buyer's decision:
  machins trade 00000000-0000-4000-8000-000000000000 --wait completed

"]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["trade", trade])),
        str![[r#"
id         00000000-0000-4000-8000-000000000000
status     delivered
price      12.50 CR
listing    Sentiment (c005b82f-af24-496c-8569-05351c5e74ff)
buyer      bob (you)
seller     ada
terms      JSON, please
metadata   {"order":7}
proposed   2026-01-01 12:00 UTC
accepted   2026-01-01 12:00 UTC
delivered  2026-01-01 12:00 UTC
delivery   {"result":{"sentiment":"positive"}}
--
You decide:
  machins confirm 00000000-0000-4000-8000-000000000000
  machins dispute 00000000-0000-4000-8000-000000000000

"#]]
    );
    assert_data_eq!(
        shown(shop.bob.run(&["confirm", trade])),
        str![[r"
completed  00000000-0000-4000-8000-000000000000  12.50 CR
--
Review the trade:
  machins review 00000000-0000-4000-8000-000000000000 --rating 5

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
fn transactions_show_exact_amounts() {
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
fn trades_can_end_early() {
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
error: POST /trades/{id}/cancel: the server answered 422 INVALID_TRANSITION: only a trade that is escrow_held can be cancelled; this one is proposed
  next: to see the status of the trade: machins trade 00000000-0000-4000-8000-000000000000

"]]
    );
    assert_eq!(shop.bob.run(&["accept", &over, "--json"]).exits(1).error()["status"], 403);
}

#[test]
fn each_listing_type_has_its_delivery() {
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
fn invalid_json_is_pointed_out() {
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
fn waiting_ends_at_the_wanted_status() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trade = shop.delivered(&offer);
    let whole = shop.bob.run(&["trade", &trade, "--json"]).exits(0).document();
    let mut before = whole.clone();
    before["status"] = "proposed".into();
    let path = format!("/api/v1/trades/{trade}");
    // The first request still sees it proposed, the second is lost, the third sees it delivered.
    let _early = shop.server.fault_scoped(Fault::status(200).path(&path).times(1).body(before));
    let _lost = shop.server.fault_scoped(Fault::status(503).path(&path).times(1));
    shop.server.clear_requests();
    let waited = shop.bob.run(&["trade", &trade, "--wait", "delivered", "--json"]).exits(0);
    assert_eq!(waited.document(), whole);
    assert_eq!(shop.asked("GET", &format!("/trades/{trade}")), 3);
    // It has been there.
    shop.bob.run(&["trade", &trade, "--wait", "proposed"]).exits(0);
    // It cannot get there.
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

#[rstest]
#[case::that_does_not_change(None)]
#[case::that_cannot_be_read(Some(Fault::status(503)))]
#[case::whose_replies_never_come(Some(Fault::delay(std::time::Duration::from_mins(10))))]
fn a_timeout_limits_the_whole_wait_for_a_trade(#[case] fault: Option<Fault>) {
    let shop = Shop::new();
    let trade = shop.proposed(&shop.offer());
    let path = format!("/api/v1/trades/{trade}");
    let _fault = fault.map(|fault| shop.server.fault_scoped(fault.path(&path)));
    let wait = ["trade", &trade, "--wait", "delivered", "--timeout", "1", "--json"];
    let ended = shop.bob.run(&wait).exits(1);
    assert_eq!(ended.error()["kind"], "timed_out");
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
    // The second request comes after the signal is being listened for.
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
