//! Webhooks as a source: verified, each event once wherever it is received, and nothing that is sent
//! to the receiver holds it up.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use machins_client::webhook::Signer;
use machins_client::{EventType, ListingType, Money, NewListing, NewSubscription, Secret};
use machins_relay::{NatsConnection, Notice, Relay, Webhooks};
use reqwest::{Client, Method, StatusCode};
use rstest::rstest;
use serde_json::json;
use support::{LIMIT, Replica, Seller, World, count, stored, stream};
use test_support::NatsServer;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "whsec-0123456789";

/// A receiver at a free port, and its URL.
async fn receiver() -> (Webhooks, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (Webhooks::new(listener, &Secret::new(SECRET)).unwrap(), url)
}

/// A relay that looks at the inbox at its start, and then only if it is told to.
fn relay(world: &World) -> Relay {
    let hour = Duration::from_hours(1);
    world.relay().every(hour, hour)
}

fn start(relay: Relay, nats: &NatsServer) -> Replica {
    Replica::start(relay, NatsConnection::new(&nats.url()).unwrap(), &stream())
}

async fn active(relay: Relay, nats: &NatsServer) -> Replica {
    let mut replica = start(relay, nats);
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica
}

async fn subscribe(client: &machins_client::Client, event: &str, url: &str) {
    let subscription = NewSubscription::new(EventType::from(event), url);
    let subscription = subscription.secret(Secret::new(SECRET));
    client.subscribe(&subscription).await.unwrap();
}

fn webhook(event: &str, data: &serde_json::Value) -> String {
    json!({"event": event, "subscription_id": "s1", "data": data}).to_string()
}

/// Posts a signed webhook.
async fn post(url: &str, body: &str) -> StatusCode {
    let signature = Signer::new(&Secret::new(SECRET)).unwrap().sign(body.as_bytes());
    let request = Client::new().post(url).header("X-Machins-Signature", signature);
    request.body(body.to_owned()).send().await.unwrap().status()
}

#[tokio::test]
async fn a_webhook_about_a_trade_has_the_inbox_read() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (webhooks, url) = receiver().await;
    let replica = active(relay(&world).webhooks(webhooks), &nats).await;
    for event in ["trade_proposed", "trade_cancelled"] {
        subscribe(&world.seller, event, &url).await;
    }
    let trade = world.propose_and_cancel().await;
    let stored = stored(&nats, 2).await;
    world.drained().await;
    support::check_order(&stored, &[trade]);
    let ids: Vec<_> = stored.iter().map(|stored| stored.event.id.clone()).collect();
    assert!(ids.iter().all(|id| !id.contains("trade")), "{ids:?}");
    world.market.webhooks_sent().await;
    assert!(world.market.webhooks().iter().all(|sent| sent.status == Some(204)));
    replica.stop().await;
    assert_eq!(count(&nats).await, 2);
}

#[tokio::test]
async fn a_webhook_at_another_replica_wakes_the_one_that_reads() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let reader = active(relay(&world), &nats).await;
    let (webhooks, url) = receiver().await;
    let mut other = start(relay(&world).webhooks(webhooks), &nats);
    other.wait_for(|notice| matches!(notice, Notice::Standby(_))).await;
    subscribe(&world.seller, "trade_proposed", &url).await;
    world.propose().await;
    stored(&nats, 1).await;
    world.drained().await;
    other.stop().await;
    reader.stop().await;
}

#[tokio::test]
async fn a_broadcast_is_stored_once_by_all_replicas() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let (webhooks, url) = receiver().await;
        subscribe(&world.seller, "new_listing", &url).await;
        let mut replica = start(relay(&world).webhooks(webhooks), &nats);
        let has_nats = |notice: &Notice| matches!(notice, Notice::Active(_) | Notice::Standby(_));
        replica.wait_for(has_nats).await;
        replicas.push(replica);
    }
    let offer = NewListing::new("Other", "other", ListingType::Task, Money::credits(1));
    let listing = world.buyer.create_listing(&offer).await.unwrap();
    world.market.webhooks_sent().await;
    assert_eq!(world.market.webhooks().len(), 3);
    assert!(world.market.webhooks().iter().all(|sent| sent.status == Some(204)));
    for replica in replicas {
        replica.stop().await;
    }
    let stored = stored(&nats, 1).await.remove(0);
    assert_eq!(count(&nats).await, 1);
    let id = format!("new_listing-{}", listing.id);
    assert_eq!(stored.message_id, format!("{}.{id}", world.agent));
    assert!(stored.subject.starts_with(&format!("machins.{}.new_listing.", world.agent)));
    assert_eq!((&stored.event.id, &stored.event.subject), (&id, &None));
    assert_eq!(stored.event.data["listing_id"], listing.id.as_str());
}

#[rstest]
#[case::new_agent("new_agent", json!({"agent_id": "a7", "listing_id": ""}), "new_agent-a7")]
#[case::unknown("new_thing", json!({"thing": 1}), "new_thing-be04fd")]
#[tokio::test]
async fn a_broadcast_is_identified_by_what_it_names(
    #[case] event: &str,
    #[case] data: serde_json::Value,
    #[case] id: &str,
) {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (webhooks, url) = receiver().await;
    let replica = active(relay(&world).webhooks(webhooks), &nats).await;
    for _ in 0..2 {
        assert_eq!(post(&url, &webhook(event, &data)).await, StatusCode::NO_CONTENT);
    }
    replica.stop().await;
    assert_eq!(count(&nats).await, 1);
    let stored = stored(&nats, 1).await.remove(0);
    assert!(stored.event.id.starts_with(id), "{stored:?}");
}

#[tokio::test]
async fn the_path_names_one_of_several_agents() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let eve = Seller::join(&world.market, "eve").await;
    let (webhooks, url) = receiver().await;
    let relay = relay(&world).agent(&eve.client, eve.agent.clone()).webhooks(webhooks);
    let replica = active(relay, &nats).await;
    let body = webhook("new_agent", &json!({"agent_id": "a7"}));
    assert_eq!(post(&url, &body).await, StatusCode::NOT_FOUND);
    assert_eq!(post(&format!("{url}/hooks/nobody"), &body).await, StatusCode::NOT_FOUND);
    let own = format!("{url}/hooks/{}", eve.agent);
    assert_eq!(post(&own, &body).await, StatusCode::NO_CONTENT);
    replica.stop().await;
    let stored = stored(&nats, 1).await.remove(0);
    assert_eq!(stored.message_id, format!("{}.new_agent-a7", eve.agent));
}

#[tokio::test]
async fn nothing_but_a_signed_webhook_is_passed_on() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (webhooks, url) = receiver().await;
    let mut replica = active(relay(&world).webhooks(webhooks), &nats).await;
    let body = webhook("new_agent", &json!({"agent_id": "a7"}));
    let sign = |body: &str| Signer::new(&Secret::new(SECRET)).unwrap().sign(body.as_bytes());
    let header = "X-Machins-Signature";
    let client = Client::new();
    let post = |body: &str| client.post(&url).body(body.to_owned());
    let large = " ".repeat(1024 * 1024 + 1);
    let requests = [
        ("no signature", post(&body), 401),
        ("another secret", post(&body).header(header, sign("other")), 401),
        ("no hexadecimal", post(&body).header(header, "ä"), 401),
        ("two", post(&body).header(header, sign(&body)).header(header, sign(&body)), 401),
        ("upper case", post(&body).header(header, sign(&body).to_uppercase()), 401),
        ("no JSON", post("{").header(header, sign("{")), 400),
        ("no event", post("[]").header(header, sign("[]")), 400),
        ("too large", post(&large).header(header, sign(&large)), 413),
        ("another method", client.request(Method::GET, &url), 405),
    ];
    for (what, request, status) in requests {
        assert_eq!(request.send().await.unwrap().status(), status, "{what}");
    }
    let is_refusal = |notice: &Notice| matches!(notice, Notice::WebhookRefused(_));
    assert_eq!(replica.further_notices().iter().filter(|notice| is_refusal(notice)).count(), 1);
    assert_eq!(count(&nats).await, 0);
    let signed = post(&body).header(header, sign(&body)).send().await.unwrap();
    assert_eq!(signed.status(), StatusCode::NO_CONTENT);
    assert_eq!(count(&nats).await, 1);
    replica.stop().await;
}

#[tokio::test]
async fn requests_that_stall_hold_up_no_other() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (webhooks, url) = receiver().await;
    let replica = active(relay(&world).webhooks(webhooks), &nats).await;
    let address = url.strip_prefix("http://").unwrap();
    let mut stalled = Vec::new();
    for beginning in ["", "POST / HT", "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"] {
        for _ in 0..30 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            stalled.push(stream);
        }
    }
    let body = webhook("new_agent", &json!({"agent_id": "a7"}));
    let posted = tokio::time::timeout(LIMIT, post(&url, &body)).await.unwrap();
    assert_eq!(posted, StatusCode::NO_CONTENT);
    drop(stalled);
    replica.stop().await;
}

#[tokio::test]
async fn without_nats_a_webhook_is_answered_with_503() {
    let Some(mut nats) = NatsServer::start(&[]) else { return };
    nats.kill();
    let world = World::start().await;
    let (webhooks, url) = receiver().await;
    let mut replica = start(relay(&world).webhooks(webhooks), &nats);
    replica.wait_for(|notice| matches!(notice, Notice::Interrupted(_))).await;
    let body = webhook("trade_proposed", &json!({"trade_id": "t1"}));
    assert_eq!(post(&url, &body).await, StatusCode::SERVICE_UNAVAILABLE);
    // One that is in no inbox is reported, because it does not come again.
    let lost = webhook("new_listing", &json!({"listing_id": "l1"}));
    assert_eq!(post(&url, &lost).await, StatusCode::SERVICE_UNAVAILABLE);
    replica.wait_for(|notice| matches!(notice, Notice::WebhookLost(..))).await;
    nats.restart();
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    assert_eq!(post(&url, &body).await, StatusCode::NO_CONTENT);
    replica.stop().await;
}

#[tokio::test]
async fn an_empty_secret_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(Webhooks::new(listener, &Secret::new("")).is_err());
}
