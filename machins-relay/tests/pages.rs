//! The workers of `docs/workers.md`, as the page has them, with the real clients of NATS, which are installed
//! into the build directory. Where there is no `nats-server`, no Python with pip or no Node with npm, a
//! test says so and passes, unless `REQUIRE_NATS`, `REQUIRE_PYTHON` or `REQUIRE_NODE` is set.
#![cfg(unix)]
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, fs, io, thread};

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use serde_json::{Value, json};
use test_support::NatsServer;

/// How long anything may take before a test fails.
const LIMIT: Duration = Duration::from_mins(1);
const PARTITIONS: u32 = 8;
const PYTHON: &str = "nats-py==2.16.0";
const NODE: [&str; 3] =
    ["@nats-io/transport-node@3.4.0", "@nats-io/jetstream@3.4.0", "@nats-io/kv@3.4.0"];

/// What makes the code of the page defer an event: put before it, and before what it prints.
const PYTHON_DEFERS: (&str, &str) = (
    "early = []\n",
    "if event['id'] == 'early-1' and not early:\n        early.append(1)\n        raise Defer(0.05)\n    ",
);
const NODE_DEFERS: (&str, &str) = (
    "const early = [];\n",
    "if (event.id === 'early-1' && early.push(1) === 1) throw new Defer(50);\n  ",
);

/// The block of the page in this language.
fn block(language: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workers.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Replaces a text that must be there.
fn with(program: &str, old: &str, new: &str) -> String {
    assert!(program.contains(old), "the page has no {old}");
    program.replacen(old, new, 1)
}

/// Installs packages into a folder of the build directory, once. `None` if that is not possible.
fn install(
    name: &str,
    variable: &str,
    run: impl FnOnce(&Path) -> io::Result<Output>,
) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mark = folder.join("installed");
    if mark.exists() {
        return Some(folder);
    }
    fs::create_dir_all(&folder).unwrap();
    let why = match run(&folder) {
        Ok(output) if output.status.success() => {
            fs::write(mark, "").unwrap();
            return Some(folder);
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(env::var_os(variable).is_none(), "the packages are missing: {why}");
    eprintln!("skipped: the client of NATS cannot be installed here: {why}");
    None
}

/// Two workers with one output.
struct Workers {
    workers: Vec<Child>,
    lines: Receiver<String>,
}

impl Workers {
    fn start(command: impl Fn(&str) -> Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        let start = |name| {
            let mut command = command(name);
            command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap());
            command.spawn().unwrap()
        };
        let workers = ["one", "two"].map(start).into();
        let (sender, lines) = channel();
        thread::spawn(move || {
            BufReader::new(reader)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { workers, lines }
    }

    /// Reads so many lines, and returns the types of the events by trade.
    fn read(&self, count: usize) -> BTreeMap<String, Vec<String>> {
        let mut by_trade: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for _ in 0..count {
            let line = self.lines.recv_timeout(LIMIT).unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            by_trade.entry(words[2].to_owned()).or_default().push(words[1].to_owned());
        }
        by_trade
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

async fn events(nats: &NatsServer) -> Context {
    let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let config = Config {
        name: "EVENTS".to_owned(),
        subjects: vec!["machins.>".to_owned()],
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
    context
}

async fn publish(context: &Context, id: &str, event_type: &str, trade: &str, data: Value) {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "https://machins.co/agents/ada",
        "type": format!("co.machins.{event_type}"), "subject": trade, "data": data,
    });
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", format!("ada.{id}"));
    let partition = crc32fast::hash(trade.as_bytes()) % PARTITIONS;
    let subject = format!("machins.ada.{event_type}.{partition}");
    let sent = context.publish_with_headers(subject, headers, event.to_string().into()).await;
    sent.unwrap().await.unwrap();
}

/// Lets two workers share events, of which one is deferred, one always fails, and one is stored twice.
async fn share(nats: &NatsServer, command: impl Fn(&str) -> Command) {
    let context = events(nats).await;
    let workers = Workers::start(command);
    let price = || json!({"price": "5.00"});
    let trades: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    for trade in trades.iter().map(String::as_str).chain(["early", "poison"]) {
        publish(&context, &format!("{trade}-1"), "trade_proposed", trade, price()).await;
        if trade == "poison" {
            publish(&context, "poison", "trade_delivered", trade, json!({})).await;
        }
        publish(&context, &format!("{trade}-2"), "trade_cancelled", trade, price()).await;
    }
    let handled = tokio::task::block_in_place(|| workers.read(24));
    assert_eq!(handled.len(), 12);
    let in_order = ["co.machins.trade_proposed", "co.machins.trade_cancelled"];
    assert!(handled.values().all(|types| *types == in_order), "{handled:?}");

    // The same event in another message, as when a dead letter is tried again by mistake.
    let mut again = HeaderMap::new();
    again.insert("Nats-Msg-Id", "another");
    let stored = context.get_stream("EVENTS").await.unwrap().get_raw_message(1).await.unwrap();
    let sent = context.publish_with_headers(stored.subject, again, stored.payload).await;
    sent.unwrap().await.unwrap();
    publish(&context, "last", "trade_completed", "t0", price()).await;
    let handled = tokio::task::block_in_place(|| workers.read(1));
    assert_eq!(handled["t0"], ["co.machins.trade_completed"], "the repeated one is passed over");

    let dead = context.get_stream("EVENTS-dead").await.unwrap();
    assert_eq!(dead.cached_info().state.messages, 1);
    let dead = dead.get_raw_message(1).await.unwrap();
    let partition = crc32fast::hash(b"poison") % PARTITIONS;
    assert_eq!(dead.subject.as_str(), format!("machins-dead.ada.trade_delivered.{partition}"));
    let header = |name: &str| dead.headers.get(name).unwrap().to_string();
    assert_eq!(header("Machins-Original-Msg-Id"), "ada.poison");
    assert_eq!(header("Machins-Dead-Consumer"), format!("workers-{partition}"));
    assert!(header("Machins-Dead-Reason").contains("price"));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_in_python_share_the_events() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let packages = install("page-python", "REQUIRE_PYTHON", |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        pip.arg(folder).arg(PYTHON).output()
    });
    let Some(packages) = packages else { return };
    let program = with(&block("python"), "nats://127.0.0.1:4222", &nats.url());
    let program = with(&program, "RETRY_SECONDS = 5, 1", "RETRY_SECONDS = 5, 0.01");
    let (before, defers) = PYTHON_DEFERS;
    let program = with(&program, "print(", &format!("{defers}print("));
    let program = format!("{before}{program}");
    share(&nats, |name| {
        let mut python = Command::new("python3");
        // With it a line would be written in pieces, between those of the other worker.
        python.env_remove("PYTHONUNBUFFERED");
        python.args(["-c", &program, name]).env("PYTHONPATH", &packages);
        python
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_in_node_share_the_events() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let packages = install("page-node", "REQUIRE_NODE", |folder| {
        fs::write(folder.join("package.json"), "{}").unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        npm.arg("--prefix").arg(folder).args(NODE).output()
    });
    let Some(packages) = packages else { return };
    let program = with(&block("js"), "nats://127.0.0.1:4222", &nats.url());
    let program = with(&program, "[5, 1000]", "[5, 10]");
    let (before, defers) = NODE_DEFERS;
    let program = with(&program, "console.log(", &format!("{defers}console.log("));
    // Node finds the packages beside the program.
    let file = tempfile::Builder::new().suffix(".mjs").tempfile_in(packages).unwrap();
    fs::write(file.path(), format!("{before}{program}")).unwrap();
    share(&nats, |name| {
        let mut node = Command::new("node");
        node.arg(file.path()).arg(name);
        node
    })
    .await;
}
