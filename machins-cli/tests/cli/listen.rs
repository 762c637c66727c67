//! `listen`: the events of an inbox, posted to this machine as webhooks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use machins_client::webhook::SIGNATURE_HEADER;
use rstest::rstest;
use serde_json::{Value, json};

use crate::home::{Home, Ran};
use crate::receiver::{Post, Receiver, SECRET};
use crate::shop::{Shop, plain};
use crate::stub::{self, Reply};

/// `listen` with the secret of receivers.
fn listen(home: &Home, url: &str, flags: &[&str]) -> Ran {
    let listen = [&["listen", "--forward-to", url, "--secret-stdin"], flags].concat();
    home.run_with_stdin(&listen, &format!("{SECRET}\n"))
}

/// The unread notifications of Ada, oldest first.
pub(crate) fn unread(shop: &Shop) -> Vec<Value> {
    let inbox = shop.ada.run(&["inbox", "--unread", "--json"]).exits(0).document();
    let mut items = inbox["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

fn trigger(shop: &Shop, event: &str) -> Value {
    shop.ada.run(&["trigger", event, "--json"]).exits(0).document()
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_are_posted_as_signed_webhooks_oldest_first() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    let offer = shop.offer();
    shop.proposed(&offer);
    shop.proposed(&offer);
    trigger(&shop, "match_found");
    let inbox = unread(&shop);
    let url = format!("{}/webhooks/?from=here", receiver.url);
    let ran = listen(&shop.ada, &url, &["--until", "match_found", "--json"]).exits(0);
    assert_eq!(ran.stderr, "");
    let (posts, shown) = (receiver.posts(), lines(&ran));
    assert_eq!((inbox.len(), posts.len(), shown.len()), (3, 3, 3));
    for ((notification, post), line) in inbox.iter().zip(&posts).zip(&shown) {
        let webhook = post.webhook(SECRET);
        assert_eq!(webhook.event_type.as_str(), notification["event_type"]);
        assert_eq!(json!(webhook.data), notification["payload"]);
        // The form of the service's own.
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        let fields: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["event", "subscription_id", "data"]);
        assert_eq!(webhook.subscription_id.unwrap().as_str().len(), 36);
        assert!(post.headers.contains("content-type: application/json"), "{}", post.headers);
        assert_eq!(post.path, "/webhooks/?from=here");
        let expected = json!({
            "id": notification["id"], "event_type": notification["event_type"],
            "payload": notification["payload"], "created_at": notification["created_at"],
            "url": format!("{}/webhooks/", receiver.url), "status": 200, "attempts": 1,
        });
        assert_eq!(line, &expected);
    }
    assert_eq!(unread(&shop), [] as [Value; 0]);
}

#[test]
fn people_are_shown_a_line_an_event() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    shop.proposed(&shop.offer());
    let ran = listen(&shop.ada, &receiver.url, &["--until", "trade_proposed"]).exits(0);
    let id = "00000000-0000-4000-8000-000000000000";
    let url = &receiver.url;
    assert_eq!(plain(&ran.stdout), format!("trade_proposed  {id}  → {url}/  200\n"));
    assert_eq!(ran.stderr, format!("Forwarding events to {url}/; Ctrl-C stops\n"));
}

#[rstest]
#[case::ok(200, true)]
#[case::created(201, true)]
#[case::no_content(204, true)]
#[case::last_success(299, true)]
#[case::first_redirect(300, false)]
#[case::moved(302, false)]
#[case::bad_request(400, false)]
#[case::rate_limited(429, false)]
#[case::server_error(500, false)]
fn only_a_status_below_300_acknowledges(#[case] status: u16, #[case] is_taken: bool) {
    let shop = Shop::new();
    shop.proposed(&shop.offer());
    trigger(&shop, "match_found");
    let receiver =
        Receiver::answering(move |event, _| if event == "trade_proposed" { status } else { 200 });
    let ran = listen(&shop.ada, &receiver.url, &["--until", "match_found"]).exits(0);
    // The others go on.
    assert_eq!(receiver.events(), ["trade_proposed", "match_found"]);
    assert_eq!(ran.stdout.lines().count(), if is_taken { 2 } else { 1 });
    let left: Vec<_> = unread(&shop).iter().map(|left| left["event_type"].clone()).collect();
    assert_eq!(left, if is_taken { vec![] } else { vec![json!("trade_proposed")] });
    let said = format!("{}/ answered {status}; trade_proposed", receiver.url);
    assert_eq!(ran.stderr.matches(&said).count(), usize::from(!is_taken), "{ran:?}");
}

#[test]
fn nothing_is_acknowledged_before_the_receiver_answers() {
    let shop = Arc::new(Shop::new());
    shop.proposed(&shop.offer());
    let (market, seen) = (Arc::clone(&shop), Arc::new(Mutex::new(Vec::new())));
    let acknowledged = Arc::clone(&seen);
    let receiver = Receiver::answering(move |_, _| {
        acknowledged.lock().unwrap().push(market.asked("POST", "/inbox/ack"));
        200
    });
    listen(&shop.ada, &receiver.url, &["--until", "trade_proposed"]).exits(0);
    assert_eq!((&*seen.lock().unwrap(), shop.asked("POST", "/inbox/ack")), (&vec![0], 1));
}

#[test]
fn a_refused_event_holds_up_its_own_trade_only() {
    let shop = Shop::new();
    let trade = shop.accepted(&shop.offer());
    shop.bob.run(&["cancel", &trade]).exits(0);
    trigger(&shop, "match_found");
    let receiver = Receiver::answering(|event, before| match (event, before) {
        ("trade_proposed", 0) => 500,
        _ => 200,
    });
    let until = ["--until", "trade_cancelled", "--json"];
    let ran = listen(&shop.ada, &receiver.url, &until).exits(0);
    let mut posted = receiver.events();
    let others = posted.iter().position(|event| event == "match_found").unwrap();
    posted.remove(others);
    assert_eq!(posted, ["trade_proposed", "trade_proposed", "trade_cancelled"]);
    let attempts = lines(&ran).into_iter().filter(|line| line["event_type"] != "match_found");
    assert_eq!(attempts.map(|line| line["attempts"].clone()).collect::<Vec<_>>(), [2, 1]);
    let warning: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert!(warning["warning"]["message"].as_str().unwrap().contains("answered 500"), "{ran:?}");
    assert_eq!(unread(&shop), [] as [Value; 0]);
}

#[test]
fn a_receiver_that_does_not_answer_is_named_once() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    let offer = shop.offer();
    for _ in 0..3 {
        shop.proposed(&offer);
    }
    trigger(&shop, "match_found");
    let map = format!("match_found={}", receiver.url);
    // Nobody listens at port 1.
    let flags = ["--map", &map, "--until", "match_found", "-v"];
    let ran = listen(&shop.ada, "127.0.0.1:1", &flags).exits(0);
    assert_eq!(ran.stderr.matches("POST 127.0.0.1:1/").count(), 3, "{ran:?}");
    assert_eq!(ran.stderr.matches("warning:").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains("cannot connect to http://127.0.0.1:1"), "{ran:?}");
    assert_eq!(unread(&shop).len(), 3);
}

#[test]
fn events_go_where_they_are_mapped_to() {
    let (shop, others) = (Shop::new(), Receiver::new());
    let (trades, matches) = (Receiver::new(), Receiver::new());
    shop.proposed(&shop.offer());
    trigger(&shop, "trade_accepted");
    trigger(&shop, "match_found");
    let maps =
        [&format!("trade_proposed={}/trades", trades.url), &format!("match_found={}", matches.url)];
    let flags = ["--map", maps[0], "--map", maps[1], "--until", "match_found"];
    listen(&shop.ada, &others.url, &flags).exits(0);
    assert_eq!(others.events(), ["trade_accepted"]);
    assert_eq!(trades.events(), ["trade_proposed"]);
    assert_eq!(trades.posts()[0].path, "/trades");
    assert_eq!(matches.events(), ["match_found"]);
}

#[test]
fn what_does_not_come_in_time_is_exit_1() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    shop.proposed(&shop.offer());
    let until = ["--until", "match_found", "--within", "0.3", "--json"];
    let error = listen(&shop.ada, &receiver.url, &until).exits(1).error();
    assert_eq!(error["kind"], "timed_out");
    assert_eq!(error["message"], "match_found was not forwarded within 0.3 s");
}

#[rstest]
#[case::no_receiver(&["listen"])]
#[case::another_scheme(&["listen", "--forward-to", "ftp://localhost/"])]
#[case::password(&["listen", "--forward-to", "http://me:secret@localhost/"])]
#[case::unknown_event(&["listen", "--forward-to", "3000", "--map", "no_such_event=3001"])]
#[case::map_without_a_url(&["listen", "--forward-to", "3000", "--map", "new_agent"])]
#[case::one_event_to_two(&["listen", "--forward-to", "3000", "--map", "new_agent=1", "--map", "new_agent=2"])]
#[case::until_nothing_known(&["listen", "--forward-to", "3000", "--until", "no_such_event"])]
#[case::within_without_until(&["listen", "--forward-to", "3000", "--within", "3"])]
#[case::empty_secret(&["listen", "--forward-to", "3000", "--secret-stdin"])]
#[case::map_without_a_receiver(&["resend", "11223344", "--map", "new_agent=3000"])]
#[case::secret_without_a_receiver(&["resend", "11223344", "--secret-stdin"])]
#[case::resend_too_short(&["resend", "1122", "--forward-to", "3000"])]
#[case::trigger_nothing_known(&["trigger", "no_such_event"])]
fn wrong_usage_is_exit_2(#[case] line: &[&str]) {
    let shop = Shop::new();
    shop.ada.run(line).exits(2);
    assert_eq!(shop.asked("GET", "/inbox"), 0);
}

#[test]
fn without_a_key_there_is_nothing_to_follow() {
    let home = Home::new();
    home.run(&["listen", "--forward-to", "3000"]).exits(4);
    home.run(&["resend", "11223344", "--forward-to", "3000"]).exits(4);
}

#[test]
fn a_secret_is_made_and_shown_once() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    let mut secrets = Vec::new();
    for flags in [&[][..], &["-q"], &["-vv"]] {
        trigger(&shop, "trade_proposed");
        let listen = ["listen", "--forward-to", &receiver.url, "--until", "trade_proposed"];
        let ran = shop.ada.run(&[&listen, flags].concat()).exits(0);
        assert!(!ran.stdout.contains("whsec_"), "{ran:?}");
        let mut shown = ran.stderr.split_whitespace().filter(|word| word.contains("whsec_"));
        secrets.push(shown.next().unwrap().to_owned());
        assert_eq!(shown.next(), None, "{ran:?}");
    }
    trigger(&shop, "trade_proposed");
    let listen = ["listen", "--forward-to", &receiver.url, "--until", "trade_proposed", "--json"];
    let shown: Value = serde_json::from_str(&shop.ada.run(&listen).exits(0).stderr).unwrap();
    secrets.push(shown["webhook_secret"].as_str().unwrap().to_owned());
    for (post, secret) in receiver.posts().iter().zip(&secrets) {
        post.webhook(secret);
    }
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!((secrets.len(), receiver.posts().len()), (4, 4));
}

#[test]
fn a_secret_that_was_given_is_not_shown() {
    let (mut shop, receiver) = (Shop::new(), Receiver::new());
    let mut said = String::new();
    shop.proposed(&shop.offer());
    for status in ["--json", "-vv"] {
        trigger(&shop, "match_found");
        let ran = listen(&shop.ada, &receiver.url, &["--until", "match_found", status]).exits(0);
        said += &(ran.stdout + &ran.stderr);
    }
    shop.ada = shop.ada.with("MACHINS_WEBHOOK_SECRET", SECRET);
    trigger(&shop, "match_found");
    let id = unread(&shop)[0]["id"].as_str().unwrap().to_owned();
    for line in [
        &["listen", "--forward-to", &receiver.url, "--until", "match_found", "-vv"][..],
        &["resend", &id, "--forward-to", &receiver.url, "-vv"],
    ] {
        let ran = shop.ada.run(line).exits(0);
        said += &(ran.stdout + &ran.stderr);
    }
    assert_eq!(receiver.events().len(), 5);
    assert!(!said.contains(SECRET), "{said}");
    assert!(!said.contains("Webhook secret"), "{said}");
}

/// What is signed and sent has the digits that the service sent.
#[test]
fn a_payload_is_sent_as_it_came() {
    const PAYLOAD: &str =
        r#"{"trade_id":"t1","price":1.10,"n":123456789012345678901234567890,"é":"\u0001"}"#;
    let url = stub::serve(|request| {
        let is_list = request.head.starts_with("GET");
        let item = format!(r#"{{"id":"n1","event_type":"trade_frozen","payload":{PAYLOAD}}}"#);
        let body = if is_list { format!(r#"{{"items":[{item}],"total":1}}"#) } else { "{}".into() };
        let headers = b"content-type: application/json\r\n".to_vec();
        Reply { status: 200, headers, body: body.into() }
    });
    let (sender, posts) = mpsc::channel();
    let receiver = stub::serve(move |request| {
        sender.send(Post::new(&request)).unwrap();
        Reply::json(200, &json!({}))
    });
    let home = Home::new()
        .with("MACHINS_BASE_URL", &format!("{url}/api/v1"))
        .with("MACHINS_API_KEY", "at_0123456789abcdef")
        .with("MACHINS_WEBHOOK_SECRET", SECRET);
    let (mut child, _stdout) = spawn(home.machins(&["listen", "--forward-to", &receiver]));
    let post = posts.recv().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(post.webhook(SECRET).event_type.as_str(), "trade_frozen");
    let body = String::from_utf8(post.body).unwrap();
    assert!(body.ends_with(&format!("{PAYLOAD}}}")), "{body}");
    assert!(!post.headers.contains("at_0123"), "{}", post.headers);
}

/// Starts a command whose output is read.
pub(crate) fn spawn(
    mut command: std::process::Command,
) -> (Child, BufReader<std::process::ChildStdout>) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

#[test]
fn it_ends_at_once_when_its_reader_goes_away() {
    let shop = Shop::new();
    let (reader, writer) = io::pipe().unwrap();
    let mut listen = shop.ada.machins(&["listen", "--forward-to", "127.0.0.1:1"]);
    let mut listen = listen.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    // It waits, and nothing arrives.
    while shop.asked("GET", "/inbox") == 0 {
        std::thread::yield_now();
    }
    drop(reader);
    assert!(listen.wait().unwrap().success());
}

#[cfg(unix)]
mod signals {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    fn send(signal: Signal, to: &Child) {
        kill(Pid::from_raw(to.id().cast_signed()), signal).unwrap();
    }

    #[rstest]
    #[case::ctrl_c(Signal::SIGINT)]
    #[case::term(Signal::SIGTERM)]
    fn a_signal_ends_it_cleanly(#[case] signal: Signal) {
        let (shop, receiver) = (Shop::new(), Receiver::new());
        shop.proposed(&shop.offer());
        let listen = ["listen", "--forward-to", &receiver.url, "--json"];
        let (listen, mut stdout) = spawn(shop.ada.machins(&listen));
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("trade_proposed"), "{line}");
        send(signal, &listen);
        let ran = Ran::from(listen.wait_with_output().unwrap()).exits(0);
        assert!(!ran.stderr.contains("error"), "{ran:?}");
    }

    /// What the receiver takes meanwhile is not lost, nor sent again the next time.
    #[test]
    fn a_signal_waits_for_what_is_being_posted() {
        let shop = Shop::new();
        let offer = shop.offer();
        shop.proposed(&offer);
        shop.proposed(&offer);
        let (posted, is_posted) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let is_released = Mutex::new(is_released);
        let receiver = Receiver::answering(move |_, _| {
            posted.send(()).unwrap();
            is_released.lock().unwrap().recv().unwrap();
            200
        });
        let (listen, _stdout) = spawn(shop.ada.machins(&["listen", "--forward-to", &receiver.url]));
        is_posted.recv().unwrap();
        send(Signal::SIGTERM, &listen);
        release.send(()).unwrap();
        Ran::from(listen.wait_with_output().unwrap()).exits(0);
        let left = unread(&shop).len();
        assert_eq!(receiver.posts().len() + left, 2);
        assert!(left < 2);
    }

    #[test]
    fn stopped_before_the_awaited_event_is_exit_1() {
        let shop = Shop::new();
        shop.proposed(&shop.offer());
        let receiver = Receiver::answering(|_, _| 500);
        let until = ["listen", "--forward-to", &receiver.url, "--until", "trade_proposed"];
        let (mut listen, _stdout) = spawn(shop.ada.machins(&until));
        let mut stderr = BufReader::new(listen.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("answered 500") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0);
        }
        send(Signal::SIGTERM, &listen);
        assert_eq!(listen.wait().unwrap().code(), Some(1));
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        let why = format!("one came, but {}/ answered 500", receiver.url);
        assert!(rest.contains("stopped before trade_proposed") && rest.contains(&why), "{rest}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_the_secret_is_asked_for() {
    use crate::terminal::on_a_terminal;
    let (shop, receiver) = (Shop::new(), Receiver::new());
    shop.proposed(&shop.offer());
    let line = format!(
        "$MACHINS listen --forward-to {} --secret-stdin --until trade_proposed",
        receiver.url
    );
    let typed = [("webhook secret: ", &*format!("{SECRET}\n"))];
    on_a_terminal(&shop.ada, &line, &typed).exits(0);
    assert_eq!(receiver.events(), ["trade_proposed"]);
}

/// The receiver knows the signature by the name that the service gives it.
#[test]
fn the_signature_has_the_services_header() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    shop.proposed(&shop.offer());
    listen(&shop.ada, &receiver.url, &["--until", "trade_proposed"]).exits(0);
    let post = &receiver.posts()[0];
    let mut verify = shop
        .ada
        .machins(&["webhook", "verify", "--signature", signature(post)])
        .env("MACHINS_WEBHOOK_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    verify.stdin.take().unwrap().write_all(&post.body).unwrap();
    assert!(verify.wait().unwrap().success());
}

fn signature(post: &Post) -> &str {
    let value = |line: &'_ str| line.starts_with(SIGNATURE_HEADER);
    post.headers.lines().find(|line| value(line)).unwrap().split_once(": ").unwrap().1
}
