//! Every example runs against the mock server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use machins_client::{ApiKey, ListingType, Money, NewListing, Proposal};
use machins_mock::blocking::MockServer;
use machins_mock::{NewAgent, Org, OrgUpdate, Plan};

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
    let client = |key: &str| {
        let builder = machins_client::Client::builder().api_key(ApiKey::new(key).unwrap());
        builder.base_url(server.machins_base_url()).build_blocking().unwrap()
    };
    let offer = NewListing::new("Work", "work", ListingType::Task, Money::credits(5));
    let listing = client(&seller).create_listing(&offer).unwrap();

    let mut program = example("webhook_seller", &server)
        .env("MACHINS_API_KEY", seller)
        .env("MACHINS_WEBHOOK_SECRET", "shared")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("trade_proposed goes to http://127.0.0.1:"));
    let trade = client(&buyer).propose_trade(&Proposal::new(&listing.id)).unwrap();
    let delivered = lines.next().unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(delivered, format!("delivered {}", trade.id));
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
