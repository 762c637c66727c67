//! `machins relay setup`, `status`, `replay` and `dead-letters` with a real NATS server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../machins-relay/tests/support/mod.rs"]
mod support;

use std::fs;
use std::process::Command;

use async_nats::HeaderMap;
use rstest::rstest;
use serde_json::{Value, json};
use support::{World, count, jetstream, stored, stream};
use tempfile::TempDir;
use test_support::NatsServer;

const SETUP: &str = r#"
    [stream]
    name = "EVENTS"
    partitions = 4

    [[consumers]]
    name = "workers"
    max_deliver = 5
"#;

/// A home with a declaration, and the address of NATS.
struct Operator {
    home: TempDir,
    url: String,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Operator {
    fn new(nats: &NatsServer) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("relay.toml"), SETUP).unwrap();
        Self { home, url: nats.url() }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
        command.arg("relay").args(arguments).current_dir(self.home.path());
        command.env("HOME", self.home.path()).env("NATS_URL", &self.url);
        for name in ["MACHINS_API_KEY", "NATS_CREDS", "NATS_NKEY", "NATS_TOKEN"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Has the events of these trades stored in a stream that was set up.
async fn world_with(nats: &NatsServer, operator: &Operator, trades: usize) -> World {
    operator.run(&["setup", "relay.toml"]).exits(0);
    let world = World::start().await;
    for _ in 0..trades {
        world.propose().await;
    }
    let replica = world.run(nats, &stream());
    stored(nats, trades).await;
    world.drained().await;
    replica.stop().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_shows_what_it_changes() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let operator = Operator::new(&nats);
    let check = operator.run(&["setup", "relay.toml", "--check", "--json"]).exits(1);
    assert_eq!(check.document()["changed"], false);
    assert_eq!(check.document()["differences"].as_array().unwrap().len(), 6);
    let made = operator.run(&["setup", "relay.toml"]).exits(0).stdout;
    assert!(made.contains("create  stream EVENTS-dead"), "{made}");
    assert!(made.contains("create  consumer workers-3"), "{made}");
    let again = operator.run(&["setup", "relay.toml"]).exits(0).stdout;
    assert_eq!(again, "as declared  EVENTS\n");
    operator.run(&["setup", "relay.toml", "--check"]).exits(0);

    let changed = SETUP.replace("max_deliver = 5", "max_deliver = 7");
    fs::write(operator.home.path().join("relay.toml"), changed).unwrap();
    let changed = operator.run(&["setup", "relay.toml"]).exits(0).stdout;
    assert_eq!(changed.lines().count(), 4);
    assert!(changed.contains("change  consumer workers-0  max_deliver: 5 → 7"), "{changed}");
    let document = operator.run(&["setup", "relay.toml", "--json"]).exits(0).document();
    assert_eq!(document, json!({"stream": "EVENTS", "changed": false, "differences": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_shown_and_read() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let operator = Operator::new(&nats);
    let world = world_with(&nats, &operator, 3).await;
    let shown = operator.run(&["status", "--stream", "EVENTS"]).exits(0).stdout;
    assert!(shown.contains("workers-2") && shown.contains("dead letters"), "{shown}");
    let base_url = world.market.machins_base_url();
    let agent = [("MACHINS_API_KEY", &*world.key), ("MACHINS_BASE_URL", &base_url)];
    world.propose().await;
    let status = operator.run_with(&["status", "--stream", "EVENTS", "--json"], &agent).exits(0);
    let status = status.document();
    assert_eq!((&status["messages"], &status["inbox_unread"]), (&json!(3), &json!(1)));
    let pending = status["consumers"].as_array().unwrap().iter().map(|one| &one["pending"]);
    assert_eq!(pending.map(|pending| pending.as_u64().unwrap()).sum::<u64>(), 3);
    let missing = operator.run(&["status", "--stream", "OTHER"]).exits(1).stderr;
    assert!(missing.contains("OTHER"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_printed_again_or_go_to_workers_again() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let operator = Operator::new(&nats);
    world_with(&nats, &operator, 3).await;
    let printed = operator.run(&["replay", "--since", "1h", "--stream", "EVENTS"]).exits(0);
    let events = printed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(events.clone().all(|event| event["type"] == "co.machins.trade_proposed"));
    assert_eq!(events.count(), 3);
    let later = "2100-01-01";
    let none = operator.run(&["replay", "--since", later, "--stream", "EVENTS"]).exits(0);
    assert_eq!(none.stdout, "");
    let again =
        ["replay", "--since", "1h", "--stream", "EVENTS", "--consumer", "workers", "--json"];
    assert_eq!(operator.run(&again).exits(0).document()["consumers"], 4);
    let unknown = ["replay", "--since", "1h", "--stream", "EVENTS", "--consumer", "nobody"];
    operator.run(&unknown).exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_and_retried() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let operator = Operator::new(&nats);
    world_with(&nats, &operator, 1).await;
    let list = ["dead-letters", "--stream", "EVENTS"];
    assert_eq!(operator.run(&list).exits(0).stdout, "");
    let event = stored(&nats, 1).await.remove(0);
    let mut headers = HeaderMap::new();
    headers.insert("Machins-Dead-Reason", "no such \u{1b}[31maccount");
    let subject = event.subject.replace("machins.", "machins-dead.");
    let context = jetstream(&nats).await;
    let published = context.publish_with_headers(subject, headers, event.json.clone().into());
    published.await.unwrap().await.unwrap();

    let shown = operator.run(&list).exits(0).stdout;
    assert!(shown.contains("trade_proposed") && shown.contains("account"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let id = operator.run(&[&list[..], &["-o", "id"]].concat()).exits(0).stdout;
    let letters = operator.run(&[&list[..], &["--json"]].concat()).exits(0).document();
    assert_eq!(letters["items"][0]["event"]["subject"], json!(event.event.subject));
    let retry = ["dead-letters", "retry", id.trim(), "--stream", "EVENTS"];
    let retried = operator.run(&retry).exits(0).stdout;
    assert!(retried.contains(&event.subject), "{retried}");
    operator.run(&retry).exits(1);
    assert_eq!((operator.run(&list).stdout.as_str(), count(&nats).await), ("", 2));
}

#[rstest]
#[case::no_file(&["setup", "missing.toml"], 2, "missing.toml")]
#[case::no_stream(&["status"], 2, "--stream")]
#[case::no_stream_of_dead_letters(&["dead-letters"], 2, "--stream")]
#[case::no_time(&["replay", "--stream", "EVENTS"], 2, "--since")]
#[case::wrong_time(&["replay", "--since", "soon", "--stream", "EVENTS"], 2, "30m, 2h or 7d")]
#[case::no_number(&["dead-letters", "retry", "x", "--stream", "EVENTS"], 2, "invalid")]
#[case::flags_of_the_relay(&["--to", "-", "status", "--stream", "EVENTS"], 2, "status")]
#[case::nobody_there(&["status", "--stream", "E", "--nats", "nats://127.0.0.1:1"], 1, "cannot connect")]
#[case::two_agents_as_csv(&["status", "--stream", "E", "-o", "csv"], 2, "only commands that list")]
#[tokio::test]
async fn wrong_usage_is_explained(#[case] given: &[&str], #[case] code: i32, #[case] why: &str) {
    let home = tempfile::tempdir().unwrap();
    let operator = Operator { home, url: "nats://127.0.0.1:1".to_owned() };
    let ran = operator.run(given).exits(code);
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
}
