//! The hook in the real agent runtimes: the npm packages, pinned, with a stand-in model on loopback
//! that asks for one shell command. The command must run when its device is allowed, and never else.
//!
//! The packages are installed with npm into a folder of the build directory. Where there is no npm
//! these tests say so and pass, unless `REQUIRE_NODE` is set, as CI does. `FULL_SIZE=1` runs every
//! row of the table. Cursor is not a package and asks no model but its own, so that it is tested on
//! events alone: `tests/cli/hook`.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[cfg(feature = "mcp")]
mod mcp_page;
#[path = "../../src/hook/model.rs"]
mod model;
mod pages;
#[cfg(feature = "mcp")]
mod purchase;
mod session;
#[cfg(feature = "mcp")]
mod tool_model;

use std::fs;
use std::net::TcpListener;

use machins_mock::{Fault, MockServer, Org, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::json;

use session::{Home, Ran, installed};

/// A mock of the service, and a home that uses it.
struct World {
    server: MockServer,
    org: Org,
    home: Home,
}

impl World {
    fn new(runtime: &'static str) -> Self {
        let server = MockServer::builder().start().unwrap();
        let org = server.create_org(Plan::Pro);
        let home = Home::new(runtime)
            .with("MACHINEID_BASE_URL", server.machineid_base_url())
            .with("MACHINEID_ORG_KEY", org.key())
            .with("MACHINEID_DEVICE_ID", "agent-01");
        home.machins(&["register", "agent-01"]).is(0);
        home.machins(&["hook", "install", runtime, "--yes", "--timeout", "3"]).is(0);
        Self { server, org, home }
    }
}

/// A row of the table: what is wrong.
type Row = (&'static str, fn(&mut World));

fn set(world: &World, update: OrgUpdate) {
    world.org.update(update).unwrap();
}

fn fault(world: &World, fault: Fault) {
    world.server.add_fault(fault.path("/api/v1/devices/validate")).unwrap();
}

/// Makes the service give this decision, which is not to allow.
fn decide(world: &World, code: &str) {
    let decision = json!({"allowed": false, "code": code, "request_id": "request-1"});
    fault(world, Fault::status(200).body(decision));
}

/// Replaces the program in the installed hook.
fn replace_program(world: &World, by: &str) {
    let path = world.home.settings();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(env!("CARGO_BIN_EXE_machins"), by)).unwrap();
}

/// The rows that are always run.
const ROWS: [Row; 3] = [
    ("revoked", |world| drop(world.home.machins(&["revoke", "agent-01"]).is(0))),
    ("no service", |world| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        world.home.set("MACHINEID_BASE_URL", format!("http://{free}"));
    }),
    ("killed hook", |world| {
        let killed = world.home.script("killed", "kill -KILL $$");
        replace_program(world, &killed);
    }),
];

const MORE_ROWS: [Row; 18] = [
    ("not registered", |world| world.home.set("MACHINEID_DEVICE_ID", "agent-02")),
    ("org disabled", |world| set(world, OrgUpdate::new().execution_enabled(false))),
    ("plan frozen", |world| set(world, OrgUpdate::new().frozen(true))),
    ("entitlement expired", |world| set(world, OrgUpdate::new().entitlement_active(false))),
    ("system unavailable", |world| set(world, OrgUpdate::new().available(false))),
    ("unknown org", |world| world.home.set("MACHINEID_ORG_KEY", "org_0123456789abcdef0123456789")),
    ("INVALID_ORG_KEY", |world| decide(world, "INVALID_ORG_KEY")),
    ("INVALID_DEVICE_ID", |world| decide(world, "INVALID_DEVICE_ID")),
    ("a new code", |world| decide(world, "A_NEW_CODE")),
    ("invalid device", |world| world.home.set("MACHINEID_DEVICE_ID", "a b")),
    ("no key", |world| world.home.unset("MACHINEID_ORG_KEY")),
    ("no device", |world| world.home.unset("MACHINEID_DEVICE_ID")),
    ("corrupt config", |world| world.home.write(".machins/config.json", "{")),
    ("hang", |world| fault(world, Fault::delay(std::time::Duration::from_mins(1)))),
    ("garbage", |world| fault(world, Fault::garbage())),
    ("truncated", |world| fault(world, Fault::truncate())),
    ("status 500", |world| fault(world, Fault::status(500))),
    ("missing program", |world| replace_program(world, "/no/such/program")),
];

fn full_size() -> bool {
    std::env::var_os("FULL_SIZE").is_some()
}

#[rstest]
#[case::claude("claude")]
#[case::codex("codex")]
#[case::gemini("gemini")]
fn the_tool_runs_when_allowed_and_never_else(#[case] runtime: &'static str) {
    let Some(packages) = installed() else { return };
    let allowed = World::new(runtime);
    assert_eq!(allowed.home.prompt(packages), Ran::Tool, "allowed: {}", allowed.home.output());
    let rows = ROWS.iter().chain(MORE_ROWS.iter().filter(|_| full_size()));
    let mut wrong = Vec::new();
    for (name, change) in rows {
        let mut world = World::new(runtime);
        change(&mut world);
        match world.home.prompt(packages) {
            Ran::Blocked => {}
            other => wrong.push(format!("{name}: {other:?}: {}", world.home.output())),
        }
    }
    assert!(wrong.is_empty(), "{runtime}: {wrong:#?}");
}

#[rstest]
#[case::claude("claude")]
#[case::codex("codex")]
#[case::gemini("gemini")]
fn verify_proves_a_hook_and_finds_a_missing_one(#[case] runtime: &'static str) {
    let Some(packages) = installed() else { return };
    let world = World::new(runtime);
    let mut home = world.home;
    home.path_with(packages);
    if runtime == "codex" {
        // Installed, but not trusted: Codex does not run it.
        let ran = home.machins(&["hook", "verify", "codex"]).is(3);
        assert!(ran.stdout.contains("the tool RAN") && ran.stdout.contains("/hooks"), "{ran:?}");
        home.trust(packages);
    }
    let ran = home.machins(&["hook", "verify", runtime]).is(0);
    let line = format!("{runtime}  blocked  ");
    assert!(ran.stdout.starts_with(&line) && ran.stdout.lines().count() == 1, "{ran:?}");
    home.machins(&["hook", "remove", runtime, "--yes"]).is(0);
    let ran = home.machins(&["hook", "verify", runtime]).is(3);
    assert!(ran.stdout.contains("no hook is installed"), "{ran:?}");
    // The user's own service was asked nothing.
    let asked = world.server.requests();
    assert!(asked.iter().all(|request| !request.path.ends_with("/validate")), "{asked:?}");
}
