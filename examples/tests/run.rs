//! Every example runs against the mock server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use machins_client::{
    ApiKey, CancellationToken, ListingId, ListingType, Money, NewListing, Proposal,
};
use machins_mock::blocking::MockServer;
use machins_mock::{Fault, NewAgent, Org, OrgUpdate, Plan};
use machins_relay::{EventStream, NatsConnection, Relay};
use serde_json::json;
use test_support::NatsServer;

/// An example as a user would run it. Cargo has built it beside this test.
fn example(name: &str, server: &MockServer) -> Command {
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let program = target.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
    let mut command = Command::new(program);
    command
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINS_BASE_URL", server.machins_base_url())
        .env("MACHINS_CONFIG", "/nonexistent/config.json");
    command
}

fn device(name: &str, server: &MockServer, org: &Org) -> Command {
    let mut command = example(name, server);
    command.env("MACHINEID_ORG_KEY", org.key()).env("MACHINEID_DEVICE_ID", "agent-01");
    command
}

fn agent(name: &str, server: &MockServer, slug: &str) -> Command {
    let agent = server.create_agent(NewAgent::new().slug(slug)).unwrap();
    let mut command = example(name, server);
    command.env("MACHINS_API_KEY", agent.api_key);
    command
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn gated_worker_works_until_it_is_denied() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let output = device("gated_worker", &server, &org).output().unwrap();
    assert!(stdout(&output).ends_with("all jobs done\n"), "{output:?}");

    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let output = device("gated_worker", &server, &org).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(output.stdout.is_empty(), "denied work began: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("ORG_DISABLED"), "{output:?}");
}

#[test]
fn gated_service_answers_403_when_denied() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let mut service =
        device("gated_service", &server, &org).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let get = || reqwest::blocking::get(url.trim()).unwrap();
    let allowed = get();
    org.update(OrgUpdate::new().frozen(true)).unwrap();
    let denied = get();
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!((allowed.status().as_u16(), allowed.text().unwrap()), (200, "done\n".to_owned()));
    assert_eq!(denied.status().as_u16(), 403);
    assert!(denied.text().unwrap().contains("PLAN_FROZEN"));
}

#[test]
fn gated_tools_runs_a_tool_only_while_allowed() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let run = || {
        let mut command = device("gated_tools", &server, &org);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(b"add {\"a\": 1, \"b\": 2}\n").unwrap();
        process.wait_with_output().unwrap()
    };
    let output = run();
    assert_eq!(stdout(&output), "3\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ALLOW add {\"a\":1,\"b\":2}\n");
    org.update(OrgUpdate::new().frozen(true)).unwrap();
    assert!(stdout(&run()).contains("PLAN_FROZEN"));
}

#[test]
fn gated_mcp_server_runs_a_tool_only_while_allowed() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let mut command = device("gated_mcp_server", &server, &org);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut send = |line: &str| writeln!(stdin, "{line}").unwrap();
    send(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#,
    );
    assert!(lines.next().unwrap().contains("tools"));
    send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;
    send(call);
    let allowed = lines.next().unwrap();
    assert!(allowed.contains("\"3\""), "{allowed}");
    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    send(call);
    let denied = lines.next().unwrap();
    assert!(denied.contains("ORG_DISABLED") && denied.contains("\"isError\":true"), "{denied}");
    drop(stdin);
    process.wait().unwrap();
}

#[test]
fn fleet_rollout_fills_stops_and_restores_a_fleet() {
    let server = MockServer::start();
    let org = server.create_org(Plan::Free);
    let text = stdout(&device("fleet_rollout", &server, &org).output().unwrap());
    assert!(text.contains("worker-4 has no room"), "{text}");
    assert!(text.contains("stopped 3") && text.ends_with("restored 3\n"), "{text}");
}

#[test]
fn policy_buyer_buys_once_and_within_its_limits() {
    let server = MockServer::start();
    let seller = server.create_agent(NewAgent::new().slug("seller")).unwrap();
    let seller = machins_client::Client::builder()
        .base_url(server.machins_base_url())
        .api_key(ApiKey::new(&seller.api_key).unwrap())
        .build_blocking()
        .unwrap();
    let offer = |slug: &str, price| {
        let new = NewListing::new(slug, slug, ListingType::Task, Money::credits(price));
        seller.create_listing(&new).unwrap().id.to_string()
    };
    let listings =
        [offer("cheap", 20), offer("dear", 40), offer("dearer", 45), offer("too-dear", 60)];
    let folder = tempfile::tempdir().unwrap();
    let buyer = server.create_agent(NewAgent::new().slug("buyer")).unwrap();
    let run = || {
        let mut command = example("policy_buyer", &server);
        command.env("MACHINS_CONFIG", folder.path().join("config.json"));
        command.env("MACHINS_API_KEY", &buyer.api_key).args(&listings);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(b"y\n").unwrap();
        stdout(&process.wait_with_output().unwrap())
    };
    let text = run();
    assert!(text.contains(&format!("{}: trade", listings[1])), "{text}");
    assert!(text.contains("max_per_day") && text.contains("max_per_trade"), "{text}");
    assert!(text.contains("max_per_day: 20.00 of 80.00 remains"), "{text}");
    assert_eq!(run().matches(": trade").count(), 2);
    assert_eq!(seller.list_trades(&machins_client::TradeQuery::new()).unwrap().items.len(), 2);
}

#[test]
fn seller_and_buyer_complete_a_trade() {
    let server = MockServer::start();
    let mut seller = agent("seller_agent", &server, "seller");
    let mut seller = seller.args(["my-shout", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(seller.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("offering "));

    let mut buyer = agent("buyer_agent", &server, "buyer");
    let text = stdout(&buyer.arg("please shout this").output().unwrap());
    assert!(text.ends_with("confirmed: Some(\"PLEASE SHOUT THIS\")\n"), "{text}");
    assert!(seller.wait().unwrap().success());
    assert_eq!(lines.last().unwrap().unwrap(), "balance 504.75");
}

#[test]
fn webhook_seller_delivers_after_a_webhook() {
    let server = MockServer::start();
    let [seller, buyer] = ["seller", "buyer"]
        .map(|slug| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key);
    let offer = NewListing::new("Work", "work", ListingType::Task, Money::credits(5));
    let listing = client(&seller, &server).create_listing(&offer).unwrap();

    let mut program = example("webhook_seller", &server)
        .env("MACHINS_API_KEY", seller)
        .env("MACHINS_WEBHOOK_SECRET", "shared")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("trade_proposed goes to http://127.0.0.1:"));
    let trade = client(&buyer, &server).propose_trade(&Proposal::new(&listing.id)).unwrap();
    let delivered = lines.next().unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(delivered, format!("delivered {}", trade.id));
}

/// The ways in which a stranger, a proxy and the service can disturb a seller, each once.
fn disturb(server: &MockServer) {
    let accept = || ("POST", "/api/v1/trades/*/accept");
    let (inbox, trade) = (("GET", "/api/v1/inbox"), ("GET", "/api/v1/trades/*"));
    let refusal = |code: &str| json!({"error": {"code": code, "message": "no"}});
    let malformed = json!({
        "items": [5, {"event_type": "trade_proposed"}, {"id": "n", "event_type": []}],
        "has_more": false,
    });
    let html = "<html>Please wait</html>";
    for ((method, path), fault) in [
        (inbox, Fault::status(200).body(malformed)),
        (inbox, Fault::status(200).body(html)),
        (inbox, Fault::status(404).body(html)),
        (inbox, Fault::garbage()),
        (accept(), Fault::status(422).body(refusal("INVALID_TRANSITION"))),
        (accept(), Fault::status(403).body(refusal("FORBIDDEN"))),
        (accept(), Fault::status(400).body(refusal("INSUFFICIENT_FUNDS"))),
        (trade, Fault::status(404).body(refusal("NOT_FOUND"))),
        (trade, Fault::status(200).body(html)),
    ] {
        server.add_fault(fault.method(method).path(path).times(1)).unwrap();
    }
}

fn client(key: &str, server: &MockServer) -> machins_client::blocking::Client {
    let builder = machins_client::Client::builder().api_key(ApiKey::new(key).unwrap());
    builder.base_url(server.machins_base_url()).build_blocking().unwrap()
}

#[test]
fn strangers_cannot_stop_the_seller() {
    let server = MockServer::start();
    let mut seller = agent("seller_agent", &server, "seller");
    let mut seller = seller.args(["my-shout", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(seller.stdout.take().unwrap()).lines().map(Result::unwrap);
    let listing = lines.next().unwrap();
    let listing = ListingId::new(listing.strip_prefix("offering ").unwrap()).unwrap();
    disturb(&server);
    for number in 0..10 {
        let poor = NewAgent::new().slug(format!("poor-{number}")).credits(1);
        let poor = client(&server.create_agent(poor).unwrap().api_key, &server);
        poor.propose_trade(&Proposal::new(&listing)).unwrap();
    }

    let buyer = server.create_agent(NewAgent::new().slug("buyer")).unwrap().api_key;
    let buyer = client(&buyer, &server);
    // One of the disturbances makes the seller believe that one buyer cannot pay: hence two.
    let trades = [1, 2].map(|_| buyer.propose_trade(&Proposal::new(&listing)).unwrap().id);
    let delivered = |line: &String| trades.iter().find(|id| line.ends_with(id.as_str())).cloned();
    let delivered = lines
        .by_ref()
        .filter(|line| line.starts_with("delivered "))
        .find_map(|line| delivered(&line))
        .unwrap();
    buyer.confirm_trade(&delivered).unwrap();
    assert!(lines.any(|line| line == "balance 504.75"));
    assert!(seller.wait().unwrap().success());
}

#[test]
fn strangers_cannot_stop_the_webhook_seller() {
    let server = MockServer::start();
    let [seller, buyer] = ["seller", "buyer"]
        .map(|slug| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key);
    let (seller_client, buyer) = (client(&seller, &server), client(&buyer, &server));
    let offer = NewListing::new("Work", "work", ListingType::Task, Money::credits(5));
    let listing = seller_client.create_listing(&offer).unwrap().id;
    // No webhook brings this one: it is proposed before the subscription.
    let mut trades = vec![buyer.propose_trade(&Proposal::new(&listing)).unwrap().id];

    let mut program = example("webhook_seller", &server)
        .env("MACHINS_API_KEY", &seller)
        .env("MACHINS_WEBHOOK_SECRET", "shared")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("trade_proposed goes to "));
    assert_eq!(lines.next().unwrap(), format!("delivered {}", trades[0]));

    // More than the ten failures in a row after which machins deactivates a subscription.
    let refused = Fault::status(403).method("POST").path("/api/v1/trades/*/accept").times(12);
    server.add_fault(refused).unwrap();
    trades.clear();
    for _ in 0..12 {
        trades.push(buyer.propose_trade(&Proposal::new(&listing)).unwrap().id);
    }
    let mut delivered: Vec<String> =
        lines.by_ref().filter(|line| line.starts_with("delivered ")).take(12).collect();
    program.kill().unwrap();
    program.wait().unwrap();
    let mut expected: Vec<String> = trades.iter().map(|id| format!("delivered {id}")).collect();
    delivered.sort();
    expected.sort();
    assert_eq!(delivered, expected);
    assert!(seller_client.list_subscriptions().unwrap()[0].is_active == Some(true));
}

#[test]
fn wallet_report_lists_transactions_and_balance() {
    let server = MockServer::start();
    let text = stdout(&agent("wallet_report", &server, "ada").output().unwrap());
    assert_eq!(
        text, "starter_credits          500.00\navailable                500.00\n",
        "{text}"
    );
}

/// Needs a `nats-server`; without one it says so and passes, unless `REQUIRE_NATS` is set.
#[test]
fn event_workers_share_the_trades_of_a_seller() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let server = MockServer::start();
    let [seller, buyer] = ["seller", "buyer"]
        .map(|slug| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key);
    let offer = NewListing::new("Shouting", "shouting", ListingType::Task, Money::credits(5));
    let listing = client(&seller, &server).create_listing(&offer).unwrap();

    // Both write to one pipe.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let mut workers = [(); 2].map(|()| {
        let mut worker = example("event_workers", &server);
        worker.env("MACHINS_API_KEY", &seller).env("NATS_URL", nats.url());
        worker.stdout(writer.try_clone().unwrap()).stderr(Stdio::null()).spawn().unwrap()
    });
    drop(writer);
    assert!(lines.by_ref().take(2).all(|line| line == "working"));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stop = CancellationToken::new();
    let relay = {
        let key = ApiKey::new(&seller).unwrap();
        let builder = machins_client::Client::builder().base_url(server.machins_base_url());
        let (client, url, stop) = (builder.api_key(key).build().unwrap(), nats.url(), stop.clone());
        runtime.spawn(async move {
            let agent = client.get_wallet().await.unwrap().agent_id.unwrap();
            let relay = Relay::new().agent(&client, agent).stop(stop);
            let connection = NatsConnection::new(&url).unwrap();
            relay.to_nats(&connection, &EventStream::new("EVENTS").unwrap()).await
        })
    };
    let buyer = client(&buyer, &server);
    let mut trades: Vec<String> = (0..6)
        .map(|_| buyer.propose_trade(&Proposal::new(&listing.id).terms("hello")).unwrap())
        .map(|trade| format!("invoice for {}", trade.id))
        .collect();
    let mut invoices: Vec<String> = lines.by_ref().take(6).collect();
    stop.cancel();
    runtime.block_on(relay).unwrap().unwrap();
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    assert_eq!(lines.next(), None, "one invoice for each");
    trades.sort();
    invoices.sort();
    assert_eq!(invoices, trades);
}
