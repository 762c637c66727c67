//! Inbox, subscriptions and webhooks: what each command says, to people and to programs.

use std::io;

use rstest::rstest;
use serde_json::json;
use snapbox::{assert_data_eq, str};

use crate::home::{Home, Ran};
use crate::shop::{Shop, id, shown};

#[test]
fn the_inbox_is_read_and_acknowledged() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.ada.run(&["inbox"])),
        str![[r"
--
No notifications found. Wait for new ones: machins inbox --watch

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
fn a_watch_ends_when_nobody_reads_it() {
    let shop = Shop::new();
    let offer = shop.offer();
    shop.proposed(&offer);
    // The reader is gone before the watch prints.
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let watch = shop.ada.machins(&["inbox", "--watch"]).stdout(writer).output().unwrap();
    let ended = Ran::from(watch).exits(0);
    assert_eq!(ended.stderr, "");
    let unread = shop.ada.run(&["inbox", "--unread", "--json"]).exits(0).document();
    assert_eq!(unread["unread_count"], 1);
}

fn unread(shop: &Shop) -> u64 {
    let inbox = shop.ada.run(&["inbox", "--unread", "--json"]).exits(0).document();
    inbox["unread_count"].as_u64().unwrap()
}

#[test]
fn a_watch_ends_at_once_when_its_reader_goes_away() {
    let shop = Shop::new();
    let (reader, writer) = io::pipe().unwrap();
    let mut watch = shop.ada.machins(&["inbox", "--watch"]).stdout(writer).spawn().unwrap();
    // It waits, and nothing arrives.
    while shop.asked("GET", "/inbox") == 0 {
        std::thread::yield_now();
    }
    drop(reader);
    assert!(watch.wait().unwrap().success());
}

#[test]
fn a_second_watch_of_an_inbox_says_that_there_is_another() {
    let shop = Shop::new();
    let offer = shop.offer();
    let first = ["inbox", "--watch", "--event-type", "trade_completed"];
    let mut first = shop.ada.machins(&first).spawn().unwrap();
    // It has its lock before it looks for the first time.
    while shop.asked("GET", "/inbox") == 0 {
        assert!(first.try_wait().unwrap().is_none(), "the first watch has ended");
        std::thread::yield_now();
    }
    shop.proposed(&offer);
    let watch = ["inbox", "--watch", "--no-ack", "--count", "1"];
    let second = shop.ada.run(&watch).exits(0);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.stderr.contains("another command on this machine"), "{}", second.stderr);
    shop.proposed(&offer);
    assert_eq!(shop.ada.run(&watch).exits(0).stderr, "", "the other one has ended");
}

#[test]
fn a_watch_ends_after_a_number_of_notifications_oldest_first() {
    let shop = Shop::new();
    let offer = shop.offer();
    let trades = [shop.proposed(&offer), shop.proposed(&offer), shop.proposed(&offer)];
    let watch = ["inbox", "--watch", "--json", "--count", "2"];
    let kept = shop.ada.run(&[&watch[..], &["--no-ack"]].concat()).exits(0);
    assert_eq!(unread(&shop), 3, "nothing is acknowledged");
    let read = shop.ada.run(&watch).exits(0);
    assert_eq!((read.stdout.as_str(), unread(&shop)), (kept.stdout.as_str(), 1));
    for (line, trade) in read.stdout.lines().zip(&trades) {
        assert!(line.contains(trade), "{line}");
    }
    assert_eq!(read.stdout.lines().count(), 2);
}

#[test]
fn a_notification_is_acknowledged_when_its_command_succeeds() {
    let shop = Shop::new();
    let offer = shop.offer();
    shop.proposed(&offer);
    let watch = ["inbox", "--watch", "--count", "1", "--exec"];
    let failed = shop.ada.run(&[&watch[..], &["exit 7"]].concat()).exits(0);
    assert!(failed.stderr.contains("exit status: 7"), "{failed:?}");
    assert_eq!(unread(&shop), 1);
    let worked = shop.ada.run(&[&watch[..], &["cat; echo done"]].concat()).exits(0);
    let (event, done) = worked.stdout.trim_end().split_once('\n').unwrap();
    assert_eq!(done, "done");
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["event_type"], "trade_proposed");
    assert_eq!(unread(&shop), 0);
}

#[test]
fn a_reply_that_is_not_the_services_does_not_end_a_watch() {
    let shop = Shop::new();
    shop.proposed(&shop.offer());
    shop.server
        .add_fault(machins_mock::Fault::garbage().method("GET").path("/api/v1/inbox").times(1))
        .unwrap();
    let watch = ["inbox", "--watch", "--count", "1", "--interval", "0.01"];
    assert!(shop.ada.run(&watch).exits(0).stdout.contains("trade_proposed"));
}

#[rstest]
#[case::count(&["inbox", "--count", "1"])]
#[case::exec(&["inbox", "--exec", "true"])]
#[case::exec_without_ack(&["inbox", "--watch", "--no-ack", "--exec", "true"])]
#[case::count_0(&["inbox", "--watch", "--count", "0"])]
#[case::before_a_subcommand(&["inbox", "--watch", "--count", "1", "ack-all"])]
fn flags_of_a_watch_are_refused_elsewhere(#[case] line: &[&str]) {
    Shop::new().ada.run(line).exits(2);
}

#[test]
fn subscriptions_are_made_listed_and_ended() {
    let shop = Shop::new();
    assert_data_eq!(
        shown(shop.ada.run(&["subscriptions"])),
        str![[r"
--
No subscriptions found. Create one: machins subscribe --help

"]]
    );
    let url = "https://agent.example/hook";
    let subscribe = ["subscribe", "new_listing", url, "--filter", "listing_type=task"];
    assert_data_eq!(
        shown(shop.ada.run(&subscribe)),
        str![[r"
subscribed  00000000-0000-4000-8000-000000000000  new_listing  https://agent.example/hook
--
warning: without a secret, anybody who knows the URL can send it forged events

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
2 subscriptions

"]]
    );
    let list = shop.ada.run(&["subscriptions", "--json"]).exits(0).document();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let made = id(&made);
    assert_data_eq!(
        shown(shop.ada.run(&["unsubscribe", &made])),
        str![[r"
unsubscribed  00000000-0000-4000-8000-000000000000
--

"]]
    );
    shop.ada.run(&["unsubscribe", &made, "--json"]).exits(1);
    let other = list["items"][0]["id"].as_str().unwrap();
    shop.ada.run(&["unsubscribe", &other[..8]]).exits(0);
    assert!(shop.ada.run(&["unsubscribe", &other[..5]]).exits(2).stderr.contains("too short"));
    shop.ada.run(&["subscribe", "no_such_event", url]).exits(2);
    shop.ada.run(&["subscribe", "new_agent", url, "--filter", "nothing"]).exits(2);
}

#[test]
fn a_line_break_at_the_end_of_a_secret_is_told() {
    let home = Home::new().with("MACHINS_WEBHOOK_SECRET", &format!("{SECRET}\n"));
    let ran = home.run_with_stdin(&["webhook", "verify", "--signature", SIGNATURE], BODY).exits(1);
    assert!(ran.stderr.contains("without the line break at its end"), "{ran:?}");
    let signed = home.run_with_stdin(&["webhook", "sign"], BODY).exits(0);
    assert!(signed.stderr.contains("ends with a line break"), "{signed:?}");
}

#[test]
fn webhooks_are_signed_and_verified() {
    let home = Home::new().with("MACHINS_WEBHOOK_SECRET", SECRET);
    let signed = home.run_with_stdin(&["webhook", "sign"], BODY).exits(0);
    assert_eq!(signed.stdout, format!("{SIGNATURE}\n"));
    std::fs::write(home.path().join("body"), BODY).unwrap();
    let json = home.run(&["webhook", "sign", "body", "--json"]).exits(0).document();
    assert_eq!(json, json!({"header": "x-machins-signature", "signature": SIGNATURE}));
    let verify = ["webhook", "verify", "--signature", SIGNATURE];
    assert_eq!(home.run_with_stdin(&verify, BODY).exits(0).stdout, "verified\n");
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

/// RFC 4231, test case 2.
const SECRET: &str = "Jefe";
const BODY: &str = "what do ya want for nothing?";
const SIGNATURE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn verify(secret: &str, signature: &str, body: &str) -> Ran {
    let signature = format!("--signature={signature}");
    let home = Home::new().with("MACHINS_WEBHOOK_SECRET", secret);
    home.run_with_stdin(&["webhook", "verify", &signature], body)
}

#[rstest]
#[case::no_signature(SECRET, "", BODY)]
#[case::cut_signature(SECRET, &SIGNATURE[..63], BODY)]
#[case::longer_signature(SECRET, &format!("{SIGNATURE}0"), BODY)]
#[case::another_signature(SECRET, &SIGNATURE.replace('5', "4"), BODY)]
#[case::upper_case_signature(SECRET, &SIGNATURE.to_uppercase(), BODY)]
#[case::signature_twice(SECRET, &format!("{SIGNATURE}{SIGNATURE}"), BODY)]
#[case::list_of_signatures(SECRET, &format!("{SIGNATURE},{SIGNATURE}"), BODY)]
#[case::labelled_signature(SECRET, &format!("sha256={SIGNATURE}"), BODY)]
#[case::no_body(SECRET, SIGNATURE, "")]
#[case::cut_body(SECRET, SIGNATURE, &BODY[1..])]
#[case::longer_body(SECRET, SIGNATURE, &format!("{BODY}\n"))]
#[case::another_body(SECRET, SIGNATURE, &BODY.replace('w', "v"))]
#[case::lower_case_secret("jefe", SIGNATURE, BODY)]
#[case::longer_secret("Jefe ", SIGNATURE, BODY)]
#[case::another_secret("other", SIGNATURE, BODY)]
fn webhooks_with_another_signature_are_refused(
    #[case] secret: &str,
    #[case] signature: &str,
    #[case] body: &str,
) {
    assert_eq!(verify(secret, signature, body).exits(1).stdout, "refused\n");
}

#[test]
fn verifying_without_a_secret_exits_4() {
    // Without a terminal there is nobody to ask for it.
    verify("", SIGNATURE, BODY).exits(4);
}
