//! The examples in the help of each command, and a world in which they work.

use std::path::{Path, PathBuf};

use machins_mock::{Plan, Snapshot};

use crate::help::pages;
use crate::home::{Home, Ran};
use crate::hook::event;
use crate::shop::{Shop, id};
use crate::stub::{self, Reply};

/// The decision log that examples name.
const DECISION_LOG: &str = "decisions.jsonl";

/// An example of a command's help.
pub(crate) struct Example {
    /// The command, without the program's name.
    pub(crate) command: String,
    pub(crate) line: String,
    /// Whether its command has none before it.
    pub(crate) is_first: bool,
}

/// All examples, but for those that go on until they are stopped, run an agent runtime (tests of their own
/// run them), and those of the commands that control a mock server.
pub(crate) fn examples() -> Vec<Example> {
    all().into_iter().filter(|example| !is_about_a_mock(&example.command)).collect()
}

/// The examples of the commands that control a mock server.
pub(crate) fn control_examples() -> Vec<Example> {
    let goes_on = |command: &str| ["mock serve", "mock record"].contains(&command);
    let all = all().into_iter();
    all.filter(|one| is_about_a_mock(&one.command) && !goes_on(&one.command)).collect()
}

fn is_about_a_mock(command: &str) -> bool {
    command.starts_with("mock ") && command != "mock exec"
}

fn all() -> Vec<Example> {
    let mut examples = Vec::new();
    for (command, help) in pages() {
        let lines = help
            .lines()
            .skip_while(|line| !line.starts_with("Example"))
            .skip(1)
            .map(str::trim)
            .filter(|line| !line.is_empty());
        for (at, line) in lines.enumerate() {
            let runs_another_program = line.starts_with("claude ");
            let goes_on = line.contains("--watch")
                || command.starts_with("relay")
                || (command == "listen" && !line.contains("--until"));
            if !runs_another_program && !goes_on {
                let (command, line) = (command.clone(), line.to_owned());
                examples.push(Example { command, line, is_first: at == 0 });
            }
        }
    }
    examples
}

/// A world that has all that the examples name.
pub(crate) struct World {
    pub(crate) shop: Shop,
    /// What the ids in the examples stand for.
    pub(crate) ids: Vec<(&'static str, String)>,
    market: Snapshot,
    config: String,
    org_key: String,
    decision_log: String,
    claim_url: String,
    /// What the address of a receiver in the examples stands for.
    receiver: String,
    /// The files of Ada's keys, and of a purchase that was approved.
    records: Vec<(PathBuf, String)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let shop = Shop::new();
        let sell = ["sell", "--title", "Bob's", "--price", "3", "--slug", "bob-sells", "--json"];
        let theirs = id(&shop.bob.run(&sell).exits(0));
        let ours = shop.offer();
        let bought = |deeds: &[&str]| {
            let trade = id(&shop.ada.run(&["buy", &theirs, "--json"]).exits(0));
            for deed in deeds {
                let more: &[&str] = if *deed == "deliver" { &["--result", "1"] } else { &[] };
                shop.bob.run(&[&[*deed, &trade], more].concat()).exits(0);
            }
            trade
        };
        let reviewed = bought(&["accept", "deliver"]);
        shop.ada.run(&["confirm", &reviewed]).exits(0);
        let hook = ["subscribe", "new_agent", "https://agent.example/hook", "--json"];
        let mut ids = vec![
            ("3f2a9c10", theirs.clone()),
            ("8d41e7b2", ours.clone()),
            ("a1b2c3d4", shop.proposed(&ours)),
            ("b7e69f58", shop.accepted(&ours)),
            ("c05d7e36", bought(&["accept", "deliver"])),
            ("d9f80a7b", bought(&["accept", "deliver"])),
            ("e2c4a6b8", reviewed),
            ("77aa88bb", id(&shop.ada.run(&hook).exits(0))),
        ];
        let inbox = shop.ada.run(&["inbox", "--json"]).exits(0).document();
        ids.push(("11223344", inbox["items"][0]["id"].as_str().unwrap().to_owned()));
        let claim_url = |home: &Home| std::fs::read_to_string(home.path().join("claim_url"));
        let claim = ["claim", &claim_url(&shop.ada).unwrap(), "--email", "ada@example.com"];
        shop.ada.run_with_stdin(&claim, "correct horse\n").exits(0);
        let login = ["owner", "login", "--email", "ada@example.com"];
        shop.ada.run_with_stdin(&login, "correct horse\n").exits(0);
        let claim_url = claim_url(&shop.bob).unwrap();
        let org = shop.server.create_org(Plan::Free);
        let device = Home::against(&shop.server, &org);
        device.run(&["register", "agent-01"]).exits(0);
        device.run(&["validate", "agent-02", "--decision-log", DECISION_LOG]).exits(3);
        device.run(&["validate", "agent-01", "--decision-log", DECISION_LOG]).exits(0);
        let decision_log = std::fs::read_to_string(device.path().join(DECISION_LOG)).unwrap();
        shop.ada.run(&["--profile", "eve", "config", "set", "agent_slug", "eve"]).exits(0);
        let (market, config) = (shop.server.snapshot(), shop.ada.read_config());
        let records = records(&shop, &theirs, &config);
        shop.server.restore(&market);
        let org_key = org.key().to_owned();
        let receiver = stub::serve(|_| Reply::json(200, &serde_json::json!({})));
        let receiver = receiver.trim_start_matches("http://").to_owned();
        Self { shop, ids, market, config, org_key, decision_log, claim_url, receiver, records }
    }

    /// A new home in the world as it was in the beginning. `url` is where its server is, or what
    /// stands in between.
    pub(crate) fn home(&self, url: &str) -> Home {
        let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        self.shop.server.restore(&self.market);
        let home = Home::new()
            .with("MACHINEID_BASE_URL", url)
            .with("MACHINEID_ORG_KEY", &self.org_key)
            .with("MACHINS_BASE_URL", &format!("{url}/api/v1"))
            .with("MACHINS_WEBHOOK_SECRET", "shared")
            .with("CLAIM_URL", &self.claim_url)
            .with("PATH", &path);
        home.write_config(&self.config);
        for (path, text) in &self.records {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(home.path().join(DECISION_LOG), &self.decision_log).unwrap();
        std::fs::write(home.path().join("event.json"), event("claude")).unwrap();
        home
    }

    /// The example with the ids of this world in it, `length` characters of each.
    pub(crate) fn script(&self, example: &Example, length: usize) -> String {
        let line = example.line.replace("localhost:3000", &self.receiver);
        self.ids
            .iter()
            .fold(line, |script, (named, id)| script.replace(named, &id[..length.min(id.len())]))
    }
}

/// The files of the key and of the approved purchase that examples name, in Ada's home.
fn records(shop: &Shop, listing: &str, config: &str) -> Vec<(PathBuf, String)> {
    shop.ada.run(&["buy", listing, "--once", "order-42"]).exits(0);
    let mut limited: serde_json::Value = serde_json::from_str(config).unwrap();
    limited["policy"] = serde_json::json!({"approval_above": "1"});
    shop.ada.write_config(&limited.to_string());
    shop.ada.run(&["buy", listing, "--once", "order-43"]).exits(1);
    let approvals = shop.ada.run(&["approvals", "--json"]).exits(0).document();
    let asked = approvals["items"][0]["id"].as_str().unwrap().to_owned();
    shop.ada.write_config(config);
    let mut records = Vec::new();
    for folder in [".machins/intents", ".machins/spending"] {
        for entry in std::fs::read_dir(shop.ada.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let text =
                    text.replace(&asked, "5d41402abc4b").replace(r#""pending""#, r#""approved""#);
                records.push((path.strip_prefix(shop.ada.path()).unwrap().to_owned(), text));
            }
        }
    }
    records
}

/// Runs an example with flags added to its command, and what it may ask for on stdin.
pub(crate) fn run(home: &Home, example: &Example, script: &str, flags: &str) -> Ran {
    let command = &example.command;
    let with_flags = format!(
        r#"machins() {{ case "$*" in
               "{command}"*) command machins {flags} "$@";;
               *) command machins "$@";;
           esac; }}
           {script}"#
    );
    home.run_program("sh", &["-c", &with_flags], "correct horse\n")
}
