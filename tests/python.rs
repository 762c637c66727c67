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
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

const PACKAGES: [&str; 2] = ["machineid-io==0.1.6", "machins[cli]==0.1.0"];

/// The folder that holds the packages, or why there is none.
fn packages() -> &'static Result<PathBuf, String> {
    static PACKAGES_FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PACKAGES_FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let installed = folder.join("machineid").exists() && folder.join("machins").exists();
        if installed {
            return Ok(folder);
        }
        let pip = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(&folder)
            .args(PACKAGES)
            .output();
        match pip {
            Ok(output) if output.status.success() => Ok(folder),
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
            eprintln!("SKIPPED: the official Python packages can't be installed here: {why}");
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

/// `machins mock serve` on a free port, ended when it is dropped.
struct Serve {
    process: Child,
    ready: Value,
}

impl Serve {
    fn start() -> Self {
        // Cargo builds the command line beside the tests of the workspace.
        let test = env::current_exe().unwrap();
        let machins = test.ancestors().nth(2).unwrap().join("machins");
        let mut process = Command::new(machins.with_extension(env::consts::EXE_EXTENSION))
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
fn machineid() {
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
fn machins_package() {
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
fn machins_command_line() {
    let server = Serve::start();
    let homes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("homes");
    let _ = std::fs::remove_dir_all(&homes);
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
