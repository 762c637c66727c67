//! `resend`: an event of the inbox, posted once more.

use serde_json::{Value, json};

use crate::listen::unread;
use crate::receiver::{Receiver, SECRET};
use crate::shop::Shop;

#[test]
fn resend_posts_one_event_again_and_acknowledges_nothing() {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    let offer = shop.offer();
    shop.proposed(&offer);
    shop.proposed(&offer);
    let inbox = unread(&shop);
    let ids: Vec<&str> = inbox.iter().map(|one| one["id"].as_str().unwrap()).collect();
    shop.ada.run(&["inbox", "ack", ids[0]]).exits(0);
    // One that was acknowledged, and one that was not: by its beginning.
    for id in [ids[0], &ids[1][..8]] {
        let resend = ["resend", id, "--forward-to", &receiver.url, "--secret-stdin", "--json"];
        let ran = shop.ada.run_with_stdin(&resend, &format!("{SECRET}\n")).exits(0);
        let line = ran.document();
        assert!(line["id"].as_str().unwrap().starts_with(id), "{line}");
        assert_eq!((&line["status"], &line["attempts"]), (&json!(200), &json!(1)));
    }
    let sent: Vec<Value> =
        receiver.posts().iter().map(|post| json!(post.webhook(SECRET).data)).collect();
    assert_eq!(sent, [inbox[0]["payload"].clone(), inbox[1]["payload"].clone()]);
    assert_eq!(unread(&shop), inbox[1..], "and it stays unread");
}

#[test]
fn resend_posts_once_and_fails_if_that_fails() {
    let shop = Shop::new();
    shop.proposed(&shop.offer());
    let id = unread(&shop)[0]["id"].as_str().unwrap().to_owned();
    let receiver = Receiver::answering(|_, _| 300);
    let error = shop.ada.run(&["resend", &id, "--forward-to", &receiver.url]).exits(1).stderr;
    assert!(error.contains("answered 300"), "{error}");
    let resend = ["resend", &id, "--forward-to", &receiver.url, "--secret-stdin", "--json"];
    let error = shop.ada.run_with_stdin(&resend, "shared\n").exits(1).error();
    assert_eq!((&error["kind"], &error["status"]), (&json!("refused"), &json!(300)));
    assert_eq!(receiver.posts().len(), 2);
    let gone = ["resend", &id, "--forward-to", "127.0.0.1:1", "--secret-stdin", "--json"];
    let error = shop.ada.run_with_stdin(&gone, "shared\n").exits(1).error();
    assert_eq!(error["kind"], "not_sent");
    let unknown = ["resend", "00000000-0000-4000-8000-000000000000", "--forward-to", "3000"];
    assert!(shop.ada.run(&unknown).exits(1).stderr.contains("no notification"));
}

#[cfg(unix)]
mod by_a_running_listen {
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, ChildStdout};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::home::{Home, Ran, mode};
    use crate::listen::spawn;

    /// A `listen` that has posted an event, with the id of its notification and the secret that it made.
    struct Listening {
        process: Child,
        id: String,
        secret: String,
        stdout: BufReader<ChildStdout>,
    }

    impl Listening {
        fn start(shop: &Shop, url: &str) -> Self {
            shop.ada.run(&["trigger", "match_found"]).exits(0);
            let listen = ["listen", "--forward-to", url, "--json"];
            let (mut process, mut stdout) = spawn(shop.ada.machins(&listen));
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let shown: Value = serde_json::from_str(&line).unwrap();
            line.clear();
            BufReader::new(process.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
            let secret: Value = serde_json::from_str(&line).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (id, secret) = (text(&shown["id"]), text(&secret["webhook_secret"]));
            Self { process, id, secret, stdout }
        }

        /// The next line of what it shows.
        fn next(&mut self) -> Value {
            let mut line = String::new();
            self.stdout.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        }

        fn end(mut self, signal: Signal) {
            kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
            self.process.wait().unwrap();
        }
    }

    fn sockets(home: &Home) -> usize {
        fs::read_dir(home.path().join(".machins/listen")).unwrap().count()
    }

    #[test]
    fn it_is_posted_where_listen_posts_and_with_its_secret() {
        let (shop, receiver) = (Shop::new(), Receiver::new());
        let mut listening = Listening::start(&shop, &format!("{}/hook", receiver.url));
        let ran = shop.ada.run(&["resend", &listening.id, "--json"]).exits(0);
        assert_eq!(ran.stderr, "", "no other secret is made");
        assert_eq!(ran.document()["url"], format!("{}/hook", receiver.url));
        assert_eq!(listening.next(), ran.document(), "listen shows it, too");
        let bodies =
            receiver.posts().iter().map(|post| post.webhook(&listening.secret)).collect::<Vec<_>>();
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(mode(&shop.ada.path().join(".machins/listen")), 0o700);
        let id = listening.id.clone();
        listening.end(Signal::SIGTERM);
        assert_eq!(sockets(&shop.ada), 0);
        let alone = shop.ada.run(&["resend", &id]).exits(2);
        assert!(alone.stderr.contains("no listen of this agent is running"), "{alone:?}");
    }

    #[test]
    fn what_the_receiver_refuses_is_exit_1() {
        let shop = Shop::new();
        let receiver = Receiver::answering(|_, before| if before == 0 { 200 } else { 500 });
        let listening = Listening::start(&shop, &receiver.url);
        let ran = shop.ada.run(&["resend", &listening.id]).exits(1);
        assert!(ran.stderr.contains("answered 500"), "{ran:?}");
        assert_eq!(receiver.posts().len(), 2, "it is posted once");
        listening.end(Signal::SIGINT);
    }

    #[test]
    fn one_that_was_killed_is_in_nobodys_way() {
        let (shop, receiver) = (Shop::new(), Receiver::new());
        Listening::start(&shop, &receiver.url).end(Signal::SIGKILL);
        assert_eq!(sockets(&shop.ada), 1);
        let listening = Listening::start(&shop, &receiver.url);
        shop.ada.run(&["resend", &listening.id]).exits(0);
        assert_eq!(receiver.posts().len(), 3);
        listening.end(Signal::SIGTERM);
    }

    #[test]
    fn the_listen_of_another_agent_is_not_asked() {
        let (shop, receiver) = (Shop::new(), Receiver::new());
        let listening = Listening::start(&shop, &receiver.url);
        shop.proposed(&shop.offer());
        let config: Value = serde_json::from_str(&shop.bob.read_config()).unwrap();
        let key = config["api_key"].as_str().unwrap();
        shop.bob.run(&["trigger", "match_found"]).exits(0);
        let inbox = shop.bob.run(&["inbox", "--json"]).exits(0).document();
        let id = inbox["items"][0]["id"].as_str().unwrap();
        let resend =
            shop.ada.machins(&["resend", id]).env("MACHINS_API_KEY", key).output().unwrap();
        Ran::from(resend).exits(2);
        listening.end(Signal::SIGTERM);
    }
}
