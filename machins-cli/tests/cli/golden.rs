//! What each command prints and how it exits, in one golden file for each command:
//! `tests/golden/inbox-ack.txt` is that of `machins inbox ack`.
//!
//! `SNAPSHOTS=overwrite cargo test -p machins-cli --features full --test cli` rewrites the files.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use machins_mock::{Fault, MockServer};
use regex::Regex;
use serde_json::{Value, json};
use snapbox::Data;
use snapbox::assert::Assert;

use crate::examples::{Example, World, control_examples, examples, run};
use crate::home::{Home, Ran};
use crate::stub::{self, Reply};

/// How much of an output is kept: more of it says no more.
const LINES: usize = 24;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn golden_file(command: &str) -> PathBuf {
    Path::new(GOLDEN).join(format!("{}.txt", command.replace(' ', "-")))
}

fn compare() -> Assert {
    Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV)
}

#[test]
fn each_command_prints_and_exits_as_in_its_golden_file() {
    let world = World::new();
    let mock = world.shop.server.url();
    let refusing = stub::serve(|_| Reply::json(403, &json!({"detail": "no"})));
    let examples = examples();
    assert!(examples.len() > 70, "{}", examples.len());
    let mut differences = Vec::new();
    for of_one_command in examples.chunk_by(|one, next| one.command == next.command) {
        let mut text = String::new();
        for example in of_one_command {
            let script = world.script(example, 8);
            for flags in ["", "--json"] {
                let home = world.home(&mock);
                let ran = run(&home, example, &script, flags);
                if ran.code != Some(0) {
                    differences.push(format!("{} {flags}: {ran:#?}", example.line));
                }
                if flags == "--json" && !is_documents(example, &ran.stdout) {
                    differences.push(format!("{} prints no document: {ran:#?}", example.line));
                }
                text += &transcript(&home, example, flags, ran);
            }
        }
        let first = &of_one_command[0];
        text += &exit_codes(&world, first, &mock, &refusing);
        let golden = Data::read_from(&golden_file(&first.command), None).raw();
        let compared = compare().try_eq(Some(&first.command), text.into(), golden);
        differences.extend(compared.err().map(|difference| difference.to_string()));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Whether this is one JSON document, or of a command that goes on one a line.
fn is_documents(example: &Example, stdout: &str) -> bool {
    // Stdout is that of another program, too, or goes to one or to a file.
    let others = [" -- ", " > ", " && ", " || ", "xargs", "hook run", "mcp serve"];
    if others.iter().any(|other| example.line.contains(other)) {
        return true;
    }
    let documents: Vec<_> =
        serde_json::Deserializer::from_str(stdout).into_iter::<Value>().collect();
    let is_one = documents.len() == 1 || example.command == "listen";
    is_one && documents.iter().all(Result::is_ok)
}

/// Other builds lack some of the commands.
#[cfg(feature = "full")]
#[test]
fn each_golden_file_is_that_of_a_command() {
    let commands: std::collections::BTreeSet<_> =
        examples().iter().chain(&control_examples()).map(|one| golden_file(&one.command)).collect();
    let files = fs::read_dir(GOLDEN).unwrap().map(|entry| entry.unwrap().path());
    let stale: Vec<_> = files.filter(|file| !commands.contains(file)).collect();
    if compare().selected_action() == snapbox::assert::Action::Overwrite {
        for file in stale {
            fs::remove_file(file).unwrap();
        }
    } else {
        assert!(stale.is_empty(), "there is no such command (any more): {stale:?}");
    }
}

#[test]
fn each_control_command_prints_as_in_its_golden_file() {
    let examples = control_examples();
    assert!(examples.len() > 25, "{}", examples.len());
    let mut differences = Vec::new();
    for of_one_command in examples.chunk_by(|one, next| one.command == next.command) {
        let command = &of_one_command[0].command;
        let mut text = String::new();
        for example in of_one_command {
            for flags in ["", "--json"] {
                let (server, _world, home) = controlled(&example.line);
                let ran = run(&home, example, &example.line, flags);
                if ran.code != Some(0) {
                    differences.push(format!("{} {flags}: {ran:#?}", example.line));
                }
                text += &transcript(&home, example, flags, ran);
                drop(server);
            }
        }
        let code = |home: &Home| run(home, &of_one_command[0], &of_one_command[0].line, "--json");
        let gone = in_path(Home::new()).with("MACHINS_MOCK_URL", "http://127.0.0.1:9");
        fs::write(gone.path().join("market.json"), MARKET).unwrap();
        let unknown = in_path(Home::new());
        fs::write(unknown.path().join("market.json"), MARKET).unwrap();
        let _ = write!(
            text,
            "── exit code when the server is gone: {}\n── exit code without its URL: {}\n",
            code(&gone).code.unwrap(),
            code(&unknown).code.unwrap(),
        );
        let golden = Data::read_from(&golden_file(command), None).raw();
        let compared = compare().try_eq(Some(command), text.into(), golden);
        differences.extend(compared.err().map(|difference| difference.to_string()));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The fixtures that an example adds.
const MARKET: &str = r#"{"agents": [{"slug": "eve", "api_key": "at_eve"}]}"#;

/// A mock server on which something has happened, and a home that knows it.
fn controlled(line: &str) -> (MockServer, Option<MockServer>, Home) {
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_hours(490_896);
    let server = MockServer::builder().seed(7).clock(now).frozen().start().unwrap();
    let fixtures = json!({
        "orgs": [{"org_key": "org_demo", "devices": ["agent-01"]}],
        "agents": [{"slug": "ada", "api_key": "at_ada"}, {"slug": "bob", "api_key": "at_bob"}],
        "listings": [{"agent": "ada", "slug": "summary", "title": "A", "listing_type": "task", "price": 5}],
        "subscriptions": [{"agent": "ada", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:9/"}],
    });
    server.load_fixtures(&fixtures.to_string()).unwrap();
    // After the subscription, so that it has a webhook.
    server.load_fixtures(r#"{"trades": [{"listing": "summary", "buyer": "bob"}]}"#).unwrap();
    let started = std::time::Instant::now();
    while server.webhooks().is_empty() {
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "no webhook");
        std::thread::yield_now();
    }
    server.add_fault(Fault::status(503).path("/never")).unwrap();
    let home = in_path(Home::new())
        .with("MACHINEID_BASE_URL", &server.url())
        .with("MACHINEID_ORG_KEY", "org_demo")
        .with("MACHINS_MOCK_URL", &server.url());
    for _ in 0..2 {
        home.run(&["validate", "agent-01"]).exits(0);
    }
    fs::write(home.path().join("market.json"), MARKET).unwrap();
    let world = (!line.contains("world create")).then(|| server.create_world("worker-1").unwrap());
    (server, world, home)
}

fn in_path(home: Home) -> Home {
    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    home.with("PATH", &format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
}

/// An example as typed, and what came of it.
fn transcript(home: &Home, example: &Example, flags: &str, ran: Ran) -> String {
    let document = serde_json::from_str::<Value>(&ran.stdout);
    let stdout = match document {
        Ok(document) if !flags.is_empty() => format!("{document:#}\n"),
        _ => ran.stdout,
    };
    // The demo is a story, which is told to its end.
    let most = if example.command == "demo" && flags.is_empty() { usize::MAX } else { LINES };
    let with = if flags.is_empty() { String::new() } else { format!("    # with {flags}") };
    let mut text = format!("$ {}{with}\n", example.line);
    text += &steady(home, &stdout, most);
    if !ran.stderr.is_empty() {
        let _ = write!(text, "── stderr\n{}", steady(home, &ran.stderr, most));
    }
    let _ = writeln!(text, "── exit code {}\n", ran.code.unwrap());
    text
}

/// The exit codes of an example when something is wrong.
fn exit_codes(world: &World, example: &Example, mock: &str, refusing: &str) -> String {
    let script = world.script(example, usize::MAX);
    let code = |home: &Home| {
        let ran = run(home, example, &script, "--json");
        assert!(ran.code == Some(0) || !ran.stderr.is_empty(), "{}: {ran:?}", example.line);
        ran.code.unwrap()
    };
    let keyless = world.home(mock).with("MACHINEID_ORG_KEY", "").with("MACHINS_WEBHOOK_SECRET", "");
    keyless.write_config("{}");
    let without_keys = code(&keyless);
    // A folder is no file that could be half written.
    let without_config = code(&world.home(mock).with("MACHINS_CONFIG", "/"));
    format!(
        "── exit code when the server refuses: {}\n\
         ── exit code without keys: {without_keys}\n\
         ── exit code when the config file is unreadable: {without_config}\n",
        code(&world.home(refusing)),
    )
}

/// The first lines of the text, without what differs from run to run; what is aligned stays so.
fn steady(home: &Home, text: &str, most: usize) -> String {
    static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let varying = [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", ZEROES),
            (r"[0-9a-f]{32}", "00000000000000000000000000000000"),
            (r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "2026-01-01T12:00:00Z"),
            (r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{5} UTC", "2026-01-01 12:00 UTC"),
            (r"http://127\.0\.0\.1:[0-9]+", "http://127.0.0.1:0"),
            (r#""host": "127\.0\.0\.1:[0-9]+""#, "\"host\": \"127.0.0.1:0\""),
            (r#""latency_ms": [0-9.e-]+"#, "\"latency_ms\": 0.1"),
            (r#""offset_seconds": [0-9.e-]+"#, "\"offset_seconds\": 0.0"),
            (r"os error [0-9]+", "os error 111"),
            (r"machins-cli/[0-9.]+", "machins-cli/VERSION"),
            (r"(at|org)_[0-9A-Za-z]{8,}", "${1}_KEY"),
            (r"(at|org)_[0-9A-Za-z]{4}…", "${1}_KEY…"),
            (r"trigger-[0-9a-f]{12}", "trigger-000000000000"),
            (r"cs_test_[0-9A-Za-z]{32}", "cs_test_SESSION"),
            (r"…[0-9A-Za-z_-]{4}", "…0000"),
            (r"eyJ[0-9A-Za-z._-]+", "TOKEN"),
            (r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT", HTTP_DATE),
            (r"answered in [0-9]+ ms", "answered in 1 ms"),
            (r"right to [0-9]+ s", "right to 0 s"),
            (r"\((linux|macos|windows) [0-9a-z_]+(, with --jq)?\)", "(SYSTEM)"),
        ];
        varying.map(|(varying, fixed)| (Regex::new(varying).unwrap(), fixed)).into()
    });
    let mut text = text
        .replace(&home.path().display().to_string(), "HOME")
        .replace(env!("CARGO_BIN_EXE_machins"), "PROGRAM");
    for (varying, fixed) in &*VARYING {
        text = varying.replace_all(&text, *fixed).into_owned();
    }
    let rest = text.lines().nth(most).map(|_| "…");
    text.lines().take(most).chain(rest).flat_map(|line| [line.trim_end(), "\n"]).collect()
}

const HTTP_DATE: &str = "Thu, 01 Jan 2026 12:00:00 GMT";
const ZEROES: &str = "00000000-0000-4000-8000-000000000000";
