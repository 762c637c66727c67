//! The official clients list the tools of `machins mcp serve` and call each of them.

use std::process::{Command, Stdio};

use machins_client::{Delivery, Proposal};
use rstest::rstest;
use serde_json::{Value, json};

use crate::shop::Shop;
use crate::world::{Client, Running};

const AUTO: Client = Client::Python { mode: "auto" };
const LEGACY: Client = Client::Python { mode: "legacy" };

/// A call of each tool that succeeds, in this order.
fn calls(shop: &Shop) -> Vec<(&'static str, Value)> {
    let (seller, buyer) = (&shop.seller, shop.buyer());
    let listing = shop.task("work", 10).id;
    let bought = |steps: usize| {
        let trade = buyer.propose_trade(&Proposal::new(&listing)).unwrap().id;
        if steps > 0 {
            seller.accept_trade(&trade).unwrap();
        }
        if steps > 1 {
            seller.deliver_trade(&trade, &Delivery::task("done")).unwrap();
        }
        if steps > 2 {
            buyer.confirm_trade(&trade).unwrap();
        }
        json!({"trade_id": trade})
    };
    let own = machins_client::NewListing::new(
        "Own",
        "own",
        machins_client::ListingType::Task,
        machins_client::Money::credits(1),
    );
    let own = buyer.create_listing(&own).unwrap().id;
    let sold = |is_accepted: bool| {
        let trade = seller.propose_trade(&Proposal::new(&own)).unwrap().id;
        if is_accepted {
            buyer.accept_trade(&trade).unwrap();
        }
        trade
    };
    let review = {
        let mut review = bought(3);
        review["rating"] = json!(5);
        review
    };
    let new = json!({"title": "New", "slug": "new", "price": "2", "listing_type": "data"});
    let device = || json!({"device_id": "agent-02"});
    vec![
        ("browse_marketplace", json!({"search": "work"})),
        ("get_listing", json!({"listing_id": listing})),
        ("get_agent", json!({"slug": "ada"})),
        ("get_wallet", json!({})),
        ("get_spending_limits", json!({})),
        ("list_transactions", json!({})),
        ("list_trades", json!({"role": "buyer"})),
        ("get_trade", bought(0)),
        ("list_my_listings", json!({})),
        ("list_inbox", json!({})),
        ("propose_trade", json!({"listing_id": listing, "purpose": "a test"})),
        ("accept_trade", json!({"trade_id": sold(false)})),
        ("reject_trade", json!({"trade_id": sold(false), "reason": "busy"})),
        ("cancel_trade", bought(1)),
        ("deliver_trade", json!({"trade_id": sold(true), "result": {"done": true}})),
        ("confirm_trade", bought(2)),
        ("dispute_trade", bought(2)),
        ("review_trade", review),
        ("create_listing", new),
        ("update_listing", json!({"listing_id": own, "price": "3"})),
        ("deactivate_listing", json!({"listing_id": own})),
        ("acknowledge_notifications", json!({"notification_ids": []})),
        ("list_devices", json!({})),
        ("register_device", device()),
        ("validate_device", device()),
        ("get_device_usage", json!({})),
        ("revoke_device", device()),
    ]
}

fn names(tools: &Value) -> Vec<&str> {
    let tools = tools.as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn assert_each_works(shop: &Shop, calls: &[(&str, Value)], result: &Value) {
    let called: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&result["tools"]["tools"]), called);
    for ((name, _), reply) in calls.iter().zip(result["calls"].as_array().unwrap()) {
        assert_ne!(reply["isError"], true, "{name}: {reply}");
        assert!(reply["content"][0]["text"].is_string(), "{name}: {reply}");
    }
    let text = result.to_string();
    assert!(!text.contains(&shop.key) && !text.contains(shop.org.key()));
}

fn command(shop: &Shop, program: &str, calls: &[(&str, Value)]) -> Command {
    let mut command = shop.command(program);
    command.env("CALLS", json!(calls).to_string()).env("MACHINEID_ORG_KEY", shop.org.key());
    command
}

#[rstest]
#[case::python_stateless(AUTO)]
#[case::python_with_sessions(LEGACY)]
#[case::typescript(Client::TypeScript)]
fn official_clients_list_and_call_each_tool(#[case] client: Client) {
    if !client.is_installed() {
        return;
    }
    let shop = Shop::new();
    let calls = calls(&shop);
    let server = json!(Shop::words(&[]));
    let command = command(&shop, client.program(), &calls);
    let result = Running::start(&mut client.task(command, "each", &server)).document();
    assert_each_works(&shop, &calls, &result);
}

/// A server over HTTP: its URL and token.
fn over_http(shop: &Shop) -> (Running, String, String) {
    let mut command = shop.command(env!("CARGO_BIN_EXE_machins"));
    command.args(["mcp", "serve", "--listen", "0", "--json"]);
    let mut server = Running::start(command.env("MACHINEID_ORG_KEY", shop.org.key()));
    let first = server.document();
    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    (server, text("url"), text("token"))
}

#[test]
fn over_http_the_official_client_calls_each_tool() {
    if !Client::TypeScript.is_installed() {
        return;
    }
    let shop = Shop::new();
    let calls = calls(&shop);
    let (_server, url, token) = over_http(&shop);
    let mut command = command(&shop, "node", &calls);
    command.env("TOKEN", token);
    let result = Running::start(&mut Client::TypeScript.task(command, "each", &json!(url)));
    let mut result = result;
    assert_each_works(&shop, &calls, &result.document());
}

#[rstest]
#[case::without_a_token(&[], "401")]
#[case::with_a_wrong_token(&["Authorization: Bearer wrong"], "401")]
#[case::from_another_origin(&["Origin: https://evil.example"], "403")]
#[case::for_another_host(&["Host: evil.example"], "403")]
fn over_http_strangers_are_turned_away(#[case] headers: &[&str], #[case] status: &str) {
    use std::io::{Read, Write};

    let shop = Shop::new();
    let (_server, url, token) = over_http(&shop);
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    if status == "403" {
        headers.push(format!("Authorization: Bearer {token}"));
    }
    if !headers.iter().any(|header| header.starts_with("Host")) {
        headers.push(format!("Host: {address}"));
    }
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let request = format!(
        "POST /mcp HTTP/1.1\r\n{}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        headers.join("\r\n"),
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{reply}");
}

#[test]
fn only_loopback_addresses_are_served() {
    let shop = Shop::new();
    let mut command = shop.command(env!("CARGO_BIN_EXE_machins"));
    let output = command.args(["mcp", "serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_inspector_lists_and_calls_each_tool() {
    let Some(packages) = crate::install::inspector() else { return };
    let shop = Shop::new();
    let calls = calls(&shop);
    let inspect = |arguments: &[String]| -> Value {
        let program = packages.join("node_modules/.bin/mcp-inspector");
        let mut command = command(&shop, program.to_str().unwrap(), &calls);
        // The inspector hands no variables on by itself.
        let variables = command
            .get_envs()
            .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value?.to_str()?)))
            .collect::<Vec<_>>();
        let output = command
            .args(["--cli", "-q"])
            .args(variables.iter().flat_map(|variable| ["-e", variable]))
            .args(arguments)
            .arg("--")
            .args(Shop::words(&[]))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text}\n{error}"))
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let tools = inspect(&words(&["--method", "tools/list"]));
    assert_eq!(names(&tools["tools"]), calls.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, arguments) in &calls {
        let arguments = arguments.to_string();
        let given = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", &arguments];
        let given = words(&given);
        let reply = inspect(&given);
        assert_ne!(reply["isError"], true, "{name}: {reply}");
    }
}
