//! A marketplace with sellers and a buyer, and the server of tools that the buyer's agent uses.

use std::path::PathBuf;
use std::process::Command;

use machins_client::blocking::Client;
use machins_client::{ApiKey, Listing, ListingType, Money, NewListing, Trade, TradeQuery};
use machins_mock::blocking::MockServer;
use machins_mock::{NewAgent, Org, Plan};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Running, request};

/// A marketplace, and the home of a buyer.
pub(crate) struct Shop {
    pub(crate) mock: MockServer,
    pub(crate) org: Org,
    pub(crate) seller: Client,
    pub(crate) key: String,
    folder: TempDir,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let mock = MockServer::start();
        let org = mock.create_org(Plan::Pro);
        let agent = |slug: &str| mock.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
        let seller = client(&mock, &agent("ada"));
        let key = agent("bob");
        Self { org, seller, key, folder: tempfile::tempdir().unwrap(), mock }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn offer(&self, new: &NewListing) -> Listing {
        self.seller.create_listing(new).unwrap()
    }

    pub(crate) fn task(&self, slug: &str, price: i32) -> Listing {
        self.offer(&NewListing::new(slug, slug, ListingType::Task, Money::credits(price)))
    }

    /// The buyer, without any policy.
    pub(crate) fn buyer(&self) -> Client {
        client(&self.mock, &self.key)
    }

    pub(crate) fn trades(&self) -> Vec<Trade> {
        self.mock.clear_faults();
        self.buyer().list_trades(&TradeQuery::new().limit(200)).unwrap().items
    }

    /// A program in the buyer's home.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.folder.path())
            .env("MACHINS_CONFIG", self.path("config.json"))
            .env("MACHINS_BASE_URL", self.mock.machins_base_url())
            .env("MACHINS_API_KEY", &self.key)
            .env("MACHINEID_BASE_URL", self.mock.machineid_base_url())
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env_remove("MACHINEID_ORG_KEY")
            .env_remove("MACHINEID_DEVICE_ID")
            .env_remove("MACHINS_PROFILE");
        command
    }

    /// The words of the server of tools.
    pub(crate) fn words(flags: &[&str]) -> Vec<String> {
        let serve = [env!("CARGO_BIN_EXE_machins"), "mcp", "serve"];
        serve.iter().chain(flags).map(|word| (*word).to_owned()).collect()
    }

    pub(crate) fn serve(&self, flags: &[&str]) -> Tools {
        let words = Self::words(flags);
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        Tools::start(&mut command)
    }
}

fn client(mock: &MockServer, key: &str) -> Client {
    machins_client::Client::builder()
        .base_url(mock.machins_base_url())
        .api_key(ApiKey::new(key).unwrap())
        .build_blocking()
        .unwrap()
}

/// A session with a server of tools, over stdio.
pub(crate) struct Tools {
    running: Running,
    next: u32,
    /// Everything that the server has said.
    pub(crate) said: String,
}

impl Tools {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut tools = Self { running: Running::start(command), next: 0, said: String::new() };
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        tools.ask("initialize", &params);
        tools.running.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        tools
    }

    /// Sends a request, and returns its id.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> u32 {
        self.next += 1;
        self.running.send(&request(self.next, method, params));
        self.next
    }

    /// Sends a request, and returns its reply.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        loop {
            let line = self.running.line();
            self.said.push_str(&line);
            let reply: Value = serde_json::from_str(&line).unwrap();
            if reply["id"] == id {
                return reply;
            }
        }
    }

    /// Calls a tool. Returns whether it failed, and what it said.
    pub(crate) fn call(&mut self, name: &str, arguments: &Value) -> (bool, Value) {
        let reply = self.ask("tools/call", &json!({"name": name, "arguments": arguments}));
        let result = &reply["result"];
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{reply}"));
        let content = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (result["isError"] == true, content)
    }

    #[track_caller]
    pub(crate) fn done(&mut self, name: &str, arguments: &Value) -> Value {
        let (is_error, content) = self.call(name, arguments);
        assert!(!is_error, "{name}: {content}");
        content
    }

    #[track_caller]
    pub(crate) fn refused(&mut self, name: &str, arguments: &Value) -> String {
        let (is_error, content) = self.call(name, arguments);
        assert!(is_error, "{name}: {content}");
        content.to_string()
    }

    /// Ends the server by what is given its process id, or else by leaving it. Returns its exit
    /// status.
    pub(crate) fn end_by(mut self, end: Option<fn(u32)>) -> Option<i32> {
        let stdin = self.running.stdin.take();
        match end {
            Some(end) => end(self.running.process.id()),
            None => drop(stdin),
        }
        self.running.process.wait().unwrap().code()
    }

    /// Ends the server at once.
    pub(crate) fn kill(mut self) {
        self.running.process.kill().unwrap();
    }
}
