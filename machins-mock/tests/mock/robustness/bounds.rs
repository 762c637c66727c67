//! Clients that never stop, and the bounds that they meet.

use std::process::Command;

use machins_mock::{MAX_QUEUED, MockServer, NewAgent, Plan, blocking};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::raw::{Reply, exchange, get, request};

/// A bound that a few hundred calls reach.
const BOUND: usize = 100 * 1024;

fn post(server: &MockServer, path: &str, key: &str, body: &Value) -> Reply {
    send(server, "POST", path, key, body)
}

fn send(server: &MockServer, method: &str, path: &str, key: &str, body: &Value) -> Reply {
    let headers = match key {
        "" => String::new(),
        key if key.starts_with("org_") => format!("x-org-key: {key}\r\n"),
        key => format!("x-api-key: {key}\r\n"),
    };
    let body = body.to_string();
    let request = request(method, path.as_bytes(), headers.as_bytes(), body.as_bytes());
    exchange(server.addr(), &request).expect("a reply")
}

/// The n-th call of a client that never stops, with the keys of an org and of an agent.
type Call = fn(&MockServer, &str, &str, usize) -> Reply;

fn create_org(server: &MockServer, _: &str, _: &str, _: usize) -> Reply {
    post(server, "/api/v1/org/create", "", &json!({}))
}

fn register_device(server: &MockServer, org: &str, _: &str, number: usize) -> Reply {
    let id = json!({"deviceId": format!("d{number}")});
    let reply = post(server, "/api/v1/devices/register", org, &id);
    // Revoked ones do not count against the plan.
    post(server, "/api/v1/devices/revoke", org, &id);
    reply
}

fn join(server: &MockServer, _: &str, _: &str, number: usize) -> Reply {
    let body = json!({"name": "N", "slug": format!("agent-{number}")});
    post(server, "/api/v1/agents/onboard", "", &body)
}

fn create_listing(server: &MockServer, _: &str, key: &str, number: usize) -> Reply {
    let body = json!({"title": "T", "slug": format!("listing-{number}"), "price": 1,
        "listing_type": "task", "input_schema": {"x": "x".repeat(5_000)}});
    post(server, "/api/v1/listings", key, &body)
}

fn subscribe(server: &MockServer, _: &str, key: &str, _: usize) -> Reply {
    let body = json!({"event_type": "new_agent", "webhook_url": "http://127.0.0.1:9/",
        "filters": {"x": "x".repeat(5_000)}});
    post(server, "/api/v1/subscriptions", key, &body)
}

/// Does the same with ever new numbers until it is refused, and says how.
fn until_full(call: impl Fn(usize) -> Reply) -> Reply {
    let calls = (0..10 * BOUND / 512).map(call);
    calls.into_iter().find(|reply| reply.status >= 300).expect("there is a bound")
}

#[rstest]
#[case::orgs(create_org)]
#[case::devices(register_device)]
#[case::agents(join)]
#[case::listings(create_listing)]
#[case::subscriptions(subscribe)]
fn a_full_server_refuses_more_and_keeps_answering(#[case] call: Call) {
    let server = MockServer::builder().max_world_bytes(BOUND).start().unwrap();
    let org = server.create_org(Plan::Max);
    let agent = server.create_agent(NewAgent::new()).unwrap();
    let reply = until_full(|number| call(&server, org.key(), &agent.api_key, number));
    assert_eq!(reply.status, 413, "{:?}", String::from_utf8_lossy(&reply.body));
    let text = reply.json().to_string();
    assert!(text.contains("/_mock/reset"), "{text}");
    let stored = serde_json::to_vec(&server.snapshot()).unwrap().len();
    assert!(stored < 2 * BOUND, "{stored}");

    // Reading works all the same.
    let device = json!({"deviceId": "d0"});
    assert!(post(&server, "/api/v1/devices/validate", org.key(), &device).status != 413);
    get(server.addr(), "/api/v1/marketplace");
    assert_eq!(post(&server, "/_mock/reset", "", &Value::Null).status, 200);
    assert_eq!(post(&server, "/api/v1/org/create", "", &json!({})).status, 200);
}

#[test]
fn repeated_changes_are_bounded_too() {
    let server = MockServer::builder().max_world_bytes(BOUND).start().unwrap();
    let agent = server.create_agent(NewAgent::new()).unwrap();
    let body = json!({"title": "T", "slug": "bounty", "price": 1, "listing_type": "task",
        "side": "request", "bounty": true});
    let listing = post(&server, "/api/v1/listings", &agent.api_key, &body).json();
    let path = format!("/api/v1/listings/{}", listing["id"].as_str().unwrap());
    // Each change of a bounty is a transaction.
    let reply = until_full(|number| {
        send(&server, "PUT", &path, &agent.api_key, &json!({"price": 1 + number % 2}))
    });
    assert_eq!(reply.status, 413);
    assert!(server.ledger().balanced);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_beyond_a_full_queue_are_dropped_and_logged() {
    const BEYOND: usize = 3;
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = blocking::MockServer::start();
    let agent = server.create_agent(NewAgent::new()).unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    let body = json!({"event_type": "new_agent", "webhook_url": url});
    assert_eq!(post(&server, "/api/v1/subscriptions", &agent.api_key, &body).status, 201);
    server.create_agent(NewAgent::new()).unwrap();
    // The first is under way from here on, and never answered: it waits in no queue.
    let (mut stream, _) = receiver.accept().await.unwrap();
    stream.read_u8().await.unwrap();
    for _ in 0..MAX_QUEUED + BEYOND {
        server.create_agent(NewAgent::new()).unwrap();
    }
    let dropped = server.webhooks();
    assert_eq!(dropped.len(), BEYOND, "{:?}", dropped.first());
    for attempt in dropped {
        assert_eq!((attempt.status, attempt.attempt), (None, 0), "never sent");
        assert!(attempt.error.unwrap().contains("10000 events were already waiting"));
    }
}

/// Parsed, this object takes 65 times the memory of its text, and the bound on the size of the
/// world would be none.
#[cfg(target_os = "linux")]
#[test]
fn stored_objects_take_the_memory_of_their_text() {
    /// The memory of this process, in bytes.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        1024 * line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
    }
    // Other tests share this process, so that it measures one of its own.
    if std::env::var_os("IS_ALONE").is_none() {
        let name = "robustness::bounds::stored_objects_take_the_memory_of_their_text";
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let output = alone.args([name, "--exact"]).env("IS_ALONE", "1").output().unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && report.contains("1 passed"), "{report}");
        return;
    }
    let server = MockServer::builder().start().unwrap();
    let agent = || server.create_agent(NewAgent::new()).unwrap();
    let (seller, buyer) = (agent(), agent());
    let listing = json!({"title": "t", "slug": "abc", "listing_type": "task", "price": 1});
    let listing = post(&server, "/api/v1/listings", &seller.api_key, &listing).json();
    let parts = vec![json!({"": 0}); 6000];
    let proposal = json!({"listing_id": listing["id"], "metadata": {"a": parts}});
    let before = resident();
    let mut sent = 0;
    for _ in 0..200 {
        assert_eq!(post(&server, "/api/v1/trades", &buyer.api_key, &proposal).status, 201);
        sent += serde_json::to_vec(&proposal).unwrap().len();
    }
    // The world holds it once, and the journal what came and what was answered.
    let grown = resident().saturating_sub(before);
    assert!(grown < 10 * sent, "{grown} bytes for {sent}");
}
