//! `MACHINS_STORE`: commands on several machines make one purchase for a key and keep one budget. Where
//! there is no `nats-server` these tests say so and pass, unless `REQUIRE_NATS` is set.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::{Command, Output, Stdio};

use machins_mock::{MockServer, NewAgent};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::NatsServer;

/// A market with one listing for one credit, and a buyer who has several machines.
struct Shop {
    server: MockServer,
    key: String,
    seller: String,
    listing: String,
}

/// A machine: a home of its own.
struct Machine<'a> {
    shop: &'a Shop,
    home: TempDir,
    store: String,
}

impl Shop {
    fn new() -> Self {
        let server = MockServer::builder().start().unwrap();
        let agent = |slug: &str| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
        let (seller, key) = (agent("ada"), agent("bob"));
        let shop = Self { server, key, seller, listing: String::new() };
        let sell = ["sell", "--title", "Work", "--price", "1"];
        let sold = end(shop.machine("").command_as(&shop.seller, &sell));
        let listing = document(&sold)["id"].as_str().unwrap().to_owned();
        Self { listing, ..shop }
    }

    fn machine(&self, store: &str) -> Machine<'_> {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".machins")).unwrap();
        Machine { shop: self, home, store: store.to_owned() }
    }

    fn trades(&self) -> usize {
        let trades = end(self.machine("").command_as(&self.seller, &["trades"]));
        document(&trades)["items"].as_array().unwrap().len()
    }
}

impl Machine<'_> {
    fn policy(self, policy: &Value) -> Self {
        let config = self.home.path().join(".machins/config.json");
        fs::write(config, json!({"policy": policy}).to_string()).unwrap();
        self
    }

    fn command_as(&self, key: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_machins"));
        command.args(arguments).arg("--json").current_dir(self.home.path());
        command.env("HOME", self.home.path()).env("MACHINS_API_KEY", key);
        command.env("MACHINS_BASE_URL", self.shop.server.machins_base_url());
        if !self.store.is_empty() {
            command.env("MACHINS_STORE", &self.store);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_as(&self.shop.key, arguments)
    }

    fn buy(&self, key: &str) -> Command {
        self.command(&["buy", &self.shop.listing, "--once", key])
    }
}

fn end(mut command: Command) -> Output {
    command.output().unwrap()
}

/// Runs all at once.
fn together(commands: Vec<Command>) -> Vec<Output> {
    let children: Vec<_> =
        commands.into_iter().map(|mut command| command.spawn().unwrap()).collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

fn document(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(output: &Output) -> Value {
    assert_ne!(output.status.code(), Some(0));
    serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].take()
}

#[test]
fn machines_that_buy_for_one_key_make_one_trade() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let shop = Shop::new();
    let machines: Vec<_> = (0..4).map(|_| shop.machine(&nats.url())).collect();
    let commands = machines.iter().chain(&machines).map(|machine| machine.buy("order")).collect();
    let bought = together(commands);
    let trade = document(&bought[0])["id"].clone();
    assert!(bought.iter().all(|bought| document(bought)["id"] == trade));
    assert_eq!(shop.trades(), 1);
    // A command that has ended holds nothing up, which would take ten seconds.
    for machine in &machines {
        let again = machine.command(&["buy", &shop.listing, "--once", "order", "--timeout", "5"]);
        assert_eq!(document(&end(again))["id"], trade);
        let intents = document(&end(machine.command(&["intents"])));
        assert_eq!(
            (&intents["items"][0]["key"], &intents["items"][0]["trade_id"]),
            (&"order".into(), &trade)
        );
        assert!(!machine.home.path().join(".machins/intents").exists());
    }
}

#[test]
fn machines_with_one_policy_keep_one_budget() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let shop = Shop::new();
    let machine = || shop.machine(&nats.url()).policy(&json!({"max_per_day": "3"}));
    let machines: Vec<_> = (0..4).map(|_| machine()).collect();
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let commands = machines.iter().cycle().zip(keys).map(|(machine, key)| machine.buy(key));
    let bought = together(commands.collect());
    let (allowed, refused): (Vec<_>, Vec<_>) =
        bought.iter().partition(|bought| bought.status.success());
    assert_eq!((allowed.len(), shop.trades()), (3, 3));
    assert!(refused.into_iter().all(|refused| error(refused)["kind"] == "policy"));
    assert!(!machines[0].home.path().join(".machins/spending").exists());
}

#[test]
fn without_the_store_nothing_is_bought() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    nats.kill();
    let shop = Shop::new();
    let machine = shop.machine(&nats.url()).policy(&json!({"max_per_day": "3"}));
    for command in [machine.buy("order"), machine.command(&["buy", &shop.listing])] {
        let error = error(&end(command));
        assert_eq!(error["kind"], "storage", "{error}");
        assert!(error["message"].as_str().unwrap().contains(&nats.address()), "{error}");
    }
    assert_eq!(shop.trades(), 0);
    // What needs no store works.
    document(&end(machine.command(&["wallet"])));
}

#[rstest]
#[case::another_protocol("http://127.0.0.1:4222")]
#[case::with_a_password("http://ada:hushhush@127.0.0.1:4222")]
fn an_invalid_address_names_the_variable(#[case] address: &str) {
    let shop = Shop::new();
    let output = end(shop.machine(address).buy("order"));
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(text.contains("MACHINS_STORE") && !text.contains("hush"), "{text}");
    assert_eq!(output.status.code(), Some(2), "{text}");
}
