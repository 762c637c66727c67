//! The official clients with official servers, directly and through the gate.

use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{Client, Running, Server, World};
use Client::TypeScript;
use Server::{Everything, FastMcp};

const AUTO: Client = Client::Python { mode: "auto" };
const LEGACY: Client = Client::Python { mode: "legacy" };

/// Without what differs from run to run: the client may miss the last step of progress.
fn steady(mut tour: Value) -> Value {
    if let Some(steps) = tour["steps"].as_array_mut() {
        steps.truncate(1);
    }
    tour
}

fn tour(client: Client, server: Server, world: &World, target: impl Into<Value>) -> Value {
    steady(client.start(world, &server.task("tour"), target).document())
}

#[rstest]
#[case::python_stateless(AUTO, FastMcp, "2026-07-28")]
#[case::python_with_sessions(LEGACY, FastMcp, "2025-11-25")]
#[case::python_with_everything(AUTO, Everything, "2025-11-25")]
#[case::typescript(TypeScript, Everything, "")]
#[case::typescript_with_fastmcp(TypeScript, FastMcp, "")]
fn over_stdio_results_are_the_same_as_without_a_gate(
    #[case] client: Client,
    #[case] server: Server,
    #[case] version: &str,
) {
    let Some(command) = server.command().filter(|_| client.is_installed()) else { return };
    let world = World::new();
    let direct = tour(client, server, &world, command.clone());
    assert_eq!(direct["version"].as_str().unwrap_or_default(), version);
    let gated = tour(client, server, &world, World::gate(&[], &command));
    assert_eq!(direct, gated);
}

#[rstest]
#[case::python_stateless(AUTO, FastMcp, "2026-07-28")]
#[case::python_with_sessions(LEGACY, FastMcp, "2025-11-25")]
#[case::python_with_everything(AUTO, Everything, "2025-11-25")]
#[case::typescript(TypeScript, Everything, "")]
#[case::typescript_with_fastmcp(TypeScript, FastMcp, "")]
fn over_http_results_are_the_same_as_without_a_gate(
    #[case] client: Client,
    #[case] server: Server,
    #[case] version: &str,
) {
    if !client.is_installed() {
        return;
    }
    let world = World::new();
    let Some((_server, url)) = server.serve(&world) else { return };
    let direct = tour(client, server, &world, url.clone());
    assert_eq!(direct["version"].as_str().unwrap_or_default(), version);
    let (_gate, own) = world.http_gate(&[], &url);
    assert_eq!(direct, tour(client, server, &world, own));
}

/// Fifty calls after the device was revoked: all are answered, none arrives.
fn assert_denied(world: &World, server: Server, mut client: Running) {
    let first = client.document();
    assert_ne!(first["isError"], true, "{first}");
    world.revoke();
    client.send("");
    let result = client.document();
    let calls = result["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 50);
    for call in calls {
        assert_eq!(call["isError"], true, "{call}");
        assert!(call["content"][0]["text"].as_str().unwrap().contains("DEVICE_REVOKED"), "{call}");
    }
    // What is no call of a tool still passes.
    assert!(result["tools"]["tools"].as_array().unwrap().len() > 2);
    if let Server::FastMcp = server {
        assert_eq!(world.calls(), ["add"]);
    }
}

#[rstest]
#[case::python_stateless(AUTO, FastMcp)]
#[case::python_with_sessions(LEGACY, FastMcp)]
#[case::python_with_everything(AUTO, Everything)]
#[case::typescript(TypeScript, Everything)]
#[case::typescript_with_fastmcp(TypeScript, FastMcp)]
fn over_stdio_no_denied_call_reaches_the_server(#[case] client: Client, #[case] server: Server) {
    let Some(command) = server.command().filter(|_| client.is_installed()) else { return };
    let world = World::new();
    let gate = World::gate(&[], &command);
    assert_denied(&world, server, client.start(&world, &server.task("watched"), gate));
}

#[rstest]
#[case::python_stateless(AUTO, FastMcp)]
#[case::python_with_sessions(LEGACY, FastMcp)]
#[case::python_with_everything(AUTO, Everything)]
#[case::typescript(TypeScript, Everything)]
#[case::typescript_with_fastmcp(TypeScript, FastMcp)]
fn over_http_no_denied_call_reaches_the_server(#[case] client: Client, #[case] server: Server) {
    if !client.is_installed() {
        return;
    }
    let world = World::new();
    let Some((_server, url)) = server.serve(&world) else { return };
    let (_gate, own) = world.http_gate(&[], &url);
    assert_denied(&world, server, client.start(&world, &server.task("watched"), own));
}

#[rstest]
#[case::stateless(AUTO)]
#[case::with_sessions(LEGACY)]
fn a_long_call_is_cancelled_when_it_is_denied(#[case] client: Client) {
    let Some(server) = FastMcp.command() else { return };
    let world = World::new();
    let gate = World::gate(&["--every", "0.1"], &server);
    let mut running = client.start(&world, "slow", gate);
    running.line();
    while world.calls() != ["slow"] {
        std::thread::yield_now();
    }
    world.disable();
    let result = running.document();
    assert_eq!(result["isError"], true, "{result}");
    assert!(result["content"][0]["text"].as_str().unwrap().contains("ORG_DISABLED"), "{result}");
    while world.calls() != ["slow", "cancelled"] {
        std::thread::yield_now();
    }
}

#[test]
fn the_server_is_given_the_device_and_not_the_key() {
    let Some(server) = FastMcp.command() else { return };
    let world = World::new();
    let mut client = AUTO.start(&world, "environment", World::gate(&[], &server));
    assert_eq!(client.document(), json!(["unset", "agent-01"]));
}
