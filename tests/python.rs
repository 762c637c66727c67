//! The vendors' own Python clients, unchanged, against `machins mock serve`.
//!
//! These tests install the packages with pip into a folder of the build directory. Where there
//! is no Python with pip they say so and pass, unless `REQUIRE_PYTHON` is set, as CI does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "tests"
)]

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

const PACKAGES: [&str; 2] = ["machineid-io==0.1.6", "machins[cli]==0.1.0"];

/// Returns the folder with the packages, or the reason why there is none.
fn packages() -> &'static Result<PathBuf, String> {
    static PACKAGES_FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PACKAGES_FOLDER.get_or_init(|| {
        let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folders.join(PACKAGES.join(" "));
        // Each test may be a process of its own: one installs, the others wait.
        let lock = File::create(folders.join("python.lock")).unwrap();
        lock.lock().unwrap();
        if folder.exists() {
            return Ok(folder);
        }
        let unfinished = folders.join("python.unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        let pip = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(&unfinished)
            .args(PACKAGES)
            .output();
        match pip {
            Ok(output) if output.status.success() => {
                fs::rename(unfinished, &folder).unwrap();
                Ok(folder)
            }
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(format!("python3: {error}")),
        }
    })
}

/// Runs a script of this folder with the packages; `None` when there is no Python to run it.
fn python(script: &str, arguments: &[&str]) -> Option<Value> {
    let folder = match packages() {
        Ok(folder) => folder,
        Err(why) if env::var_os("REQUIRE_PYTHON").is_some() => panic!("no Python packages: {why}"),
        Err(why) => {
            eprintln!("SKIPPED: the official Python packages cannot be installed here: {why}");
            return None;
        }
    };
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script))
        .args(arguments)
        .env("PYTHONPATH", folder)
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{stderr}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Our own `machins`, which Cargo builds beside the tests of the workspace.
fn machins() -> Command {
    let test = env::current_exe().unwrap();
    let machins = test.ancestors().nth(2).unwrap().join("machins");
    Command::new(machins.with_extension(env::consts::EXE_EXTENSION))
}

/// `machins mock serve` on a free port, ended when it is dropped.
struct Serve {
    process: Child,
    ready: Value,
}

impl Serve {
    fn start() -> Self {
        let mut process = machins()
            .args(["mock", "serve", "--addr", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test --workspace` builds `machins`; alone, run `cargo build` first");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, ready: serde_json::from_str(&line).unwrap() }
    }

    fn url(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_machineid_package_works_against_the_mock() {
    let server = Serve::start();
    let url = server.url("machineid_base_url");
    let org = machineid_client::Client::builder()
        .base_url(url)
        .build_blocking()
        .and_then(|client| client.create_org())
        .unwrap();
    let Some(replies) = python("drive_machineid.py", &[url, org.org_key.expose()]) else { return };
    let replies: Vec<(String, Value)> = serde_json::from_value(replies).unwrap();
    let replies: HashMap<String, Value> = replies.into_iter().collect();
    for (call, field, expected) in [
        ("register", "/status", "ok".into()),
        ("register", "/remaining", 2.into()),
        ("register again", "/status", "exists".into()),
        ("validate", "/allowed", true.into()),
        ("validate", "/code", "ALLOW".into()),
        ("revoke", "/status", "ok".into()),
        ("revoke", "/revoked", true.into()),
        ("validate revoked", "/allowed", false.into()),
        ("validate revoked", "/code", "DEVICE_REVOKED".into()),
        ("register revoked", "/error", "device_revoked".into()),
        ("list", "/devices/0/deviceId", "agent-01".into()),
        ("list", "/devices/0/status", "revoked".into()),
        ("unrevoke", "/revoked", false.into()),
        ("restore", "/revoked", false.into()),
        ("validate restored", "/code", "ALLOW".into()),
        ("usage", "/devicesUsed", 1.into()),
        ("usage", "/planTier", "free".into()),
        ("remove", "/status", "ok".into()),
        ("validate removed", "/code", "DEVICE_NOT_FOUND".into()),
        ("remove again", "/status", "not_found".into()),
        ("bad key", "/code", "INVALID_ORG_KEY".into()),
        ("bad key", "/allowed", false.into()),
    ] {
        assert_eq!(replies[call].pointer(field), Some::<&Value>(&expected), "{call}: {field}");
        assert!(replies[call]["request_id"].is_string(), "{call}");
    }
}

#[test]
fn the_machins_package_works_against_the_mock() {
    let server = Serve::start();
    let Some(results) = python("drive_package.py", &[server.url("machins_base_url")]) else {
        return;
    };
    for client in ["sync", "async"] {
        let expected = json!({
            "credits": 500,
            "updated_price": "60.50",
            "listings": [true],
            "fetched": "Sentiment",
            "found": [true],
            "detail": format!("{client}-seller"),
            "subscriptions": 1,
            "proposed": "proposed",
            "inbox": true,
            "acknowledged": true,
            "accepted": "escrow_held",
            "held": "60.50",
            "delivered": "delivered",
            "confirmed": "completed",
            "again": "completed",
            "rating": 5,
            "completed": [true],
            // 500.00 + 60.50 less 5 %: 3.03, rounded half-up.
            "seller_balance": "557.47",
            "transactions": true,
            "rejected": "rejected",
            "cancelled": "cancelled",
            "disputed": "disputed",
            "errors": {
                "duplicate": ["DuplicateError", 409],
                "unknown": ["NotFoundError", 404],
                "transition": ["InvalidTransitionError", 422],
                "forbidden": ["ForbiddenError", 403],
                "unauthorized": ["AuthenticationError", 401],
                "validation": ["MachinsError", 400],
            },
            "is_active": false,
            "total_trades": true,
            "info": true,
        });
        assert_eq!(results[client], expected, "{client}");
    }
}

#[test]
fn their_command_line_works_against_the_mock() {
    let server = Serve::start();
    let homes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("homes");
    let _ = fs::remove_dir_all(&homes);
    let arguments = [server.url("machins_base_url"), homes.to_str().unwrap()];
    let Some(results) = python("drive_cli.py", &arguments) else { return };
    let results: Vec<(String, i32, String)> = serde_json::from_value(results).unwrap();
    assert_eq!(results.len(), 20);
    for (command, status, output) in &results {
        assert_eq!(*status, 0, "machins {command}:\n{output}");
    }
    let output = |start: &str| {
        let found = results.iter().find(|(command, ..)| command.starts_with(start));
        found.map(|(.., output)| output.as_str()).unwrap()
    };
    assert!(output("confirm").contains("completed"), "{}", output("confirm"));
    // 500.00 + 12.50 less 5 %: 0.63, rounded half-up.
    assert!(output("wallet").contains("511.87 CR"), "{}", output("wallet"));
    assert!(output("trades").contains("completed"), "{}", output("trades"));
    assert!(output("reject").contains("rejected"), "{}", output("reject"));
}

/// A config file that both command lines use, in a home directory of its own.
struct SharedConfig {
    home: PathBuf,
    url: String,
}

impl SharedConfig {
    fn new(name: &str, url: &str) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).unwrap();
        Self { home, url: url.to_owned() }
    }

    /// Runs a command of either command line and returns its output.
    #[track_caller]
    fn run(&self, command: &mut Command, arguments: &[&str]) -> String {
        for name in ["MACHINS_API_KEY", "MACHINS_BASE_URL", "MACHINS_CONFIG"] {
            command.env_remove(name);
        }
        let output = command.args(arguments).env("HOME", &self.home).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn ours(&self, arguments: &[&str]) -> String {
        self.run(&mut machins(), arguments)
    }

    #[track_caller]
    fn theirs(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut python = Command::new("python3");
        python.args(["-m", "machins.cli.main"]).env("PYTHONPATH", folder);
        self.run(&mut python, arguments)
    }

    fn config(&self) -> Value {
        let text = fs::read_to_string(self.home.join(".machins/config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn both_command_lines_share_one_config_file() {
    let server = Serve::start();
    if python("click_tree.py", &[]).is_none() {
        return;
    }
    let folder = packages().as_ref().unwrap();
    let shared = SharedConfig::new("shared", server.url("machins_base_url"));
    // They join, we read.
    let join = ["join", "--name", "Ada", "--slug", "ada-shared", "--base-url", &shared.url];
    shared.theirs(folder, &join);
    let first = shared.config();
    assert!(shared.ours(&["status"]).contains("ada-shared"));
    // We write, they read and write, we read.
    shared.ours(&["config", "set", "machineid.device_id", "agent-01"]);
    assert!(shared.theirs(folder, &["status"]).contains("ada-shared"));
    shared.theirs(folder, &["config", "--set", "theme=dark"]);
    assert_eq!(shared.ours(&["config", "get", "machineid.device_id"]), "agent-01\n");
    // We join, they are the new agent, and the old one is kept whole.
    shared.ours(&["join", "--name", "Eve", "--slug", "eve-shared"]);
    assert!(shared.theirs(folder, &["status"]).contains("eve-shared"));
    assert_eq!(shared.theirs(folder, &["config", "--get", "agent_slug"]), "eve-shared\n");
    // They join again, over our agent, and take neither profiles nor settings away.
    shared.theirs(folder, &["join", "--name", "Zoe", "--slug", "zoe-shared"]);
    assert!(shared.ours(&["status"]).contains("zoe-shared"));
    assert!(shared.ours(&["--profile", "ada-shared", "status"]).contains("ada-shared"));
    let last = shared.config();
    assert_eq!(last["profiles"]["ada-shared"]["api_key"], first["api_key"]);
    assert_eq!(
        (&last["theme"], &last["machineid"]["device_id"]),
        (&"dark".into(), &"agent-01".into())
    );
}

#[test]
fn each_of_their_commands_is_ours_or_names_a_call() {
    let Some(tree) = python("click_tree.py", &[]) else { return };
    let tree: Vec<(Vec<String>, Vec<String>)> = serde_json::from_value(tree).unwrap();
    assert!(tree.len() >= 25, "{}", tree.len());
    let mut ours = 0;
    for (words, flags) in tree {
        // A flag without its value is wrong usage, so nothing is done.
        for flag in flags.into_iter().chain(["--no-such-flag".to_owned()]) {
            let output = machins().args(&words).arg(&flag).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{words:?} {flag}: {stderr}");
            if stderr.contains("next: machins api") || words[0] == "mcp" {
                continue;
            }
            let is_unknown = stderr.contains(&format!("unexpected argument '{flag}'"));
            assert_eq!(is_unknown, flag == "--no-such-flag", "{words:?} {flag}: {stderr}");
            ours += 1;
        }
    }
    // 17 commands and their flags.
    assert!(ours > 40, "{ours}");
}
