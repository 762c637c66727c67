//! A relay that posts events to a receiver: each is acknowledged after a status from 200 to 299.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::TcpListener;

use futures_util::FutureExt;
use machins_client::webhook::Signer;
use machins_client::{ApiKey, CancellationToken, Client, Secret};
use machins_relay::{CloudEvent, HttpReceiver, Notice, Relay, RelayError};
use rstest::rstest;
use serde_json::json;
use support::{LIMIT, Seller, World};
use tokio::sync::mpsc::unbounded_channel;
use wiremock::matchers::{body_string_contains, method};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Runs a relay to a receiver, until `until` has ended.
async fn relay_until(
    world: &World,
    receiver: &HttpReceiver,
    until: impl Future<Output = ()>,
) -> Vec<Notice> {
    let eve = Seller::join(&world.market, "eve").await;
    let stop = CancellationToken::new();
    let (sender, notices) = std::sync::mpsc::channel();
    let relay = world.relay().agent(&eve.client, eve.agent).stop(stop.clone());
    let relay = relay.on_notice(move |notice| sender.send(notice.clone()).unwrap());
    let until = async {
        tokio::time::timeout(LIMIT, until).await.unwrap();
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(relay.to_http(receiver), until);
    ended.unwrap();
    notices.try_iter().collect()
}

async fn answering(server: &MockServer, reply: ResponseTemplate) {
    Mock::given(method("POST")).respond_with(reply).mount(server).await;
}

fn event(request: &Request) -> CloudEvent {
    serde_json::from_slice(&request.body).unwrap()
}

/// What was posted about a trade, in order.
async fn posted_about(server: &MockServer, trade: &str) -> Vec<String> {
    let posted = server.received_requests().await.unwrap();
    let events = posted.iter().map(event).filter(|event| event.subject.as_deref() == Some(trade));
    events.map(|event| event.event_type().to_owned()).collect()
}

#[tokio::test]
async fn each_event_is_posted_signed_and_in_order() {
    let (world, server) = (World::start().await, MockServer::start().await);
    answering(&server, ResponseTemplate::new(202)).await;
    let mut trades = Vec::new();
    for _ in 0..10 {
        trades.push(world.propose_and_cancel().await);
    }
    let receiver = HttpReceiver::new(&format!("{}/hook?token=t", server.uri())).unwrap();
    let secret = Secret::new("whsec-0123456789");
    let receiver = receiver.secret(&secret).unwrap();
    let notices = relay_until(&world, &receiver, world.drained()).await;
    assert!(notices.is_empty(), "{notices:?}");
    let posted = server.received_requests().await.unwrap();
    assert_eq!(posted.len(), 20);
    for request in &posted {
        assert_eq!(request.headers["content-type"], "application/cloudevents+json");
        let signature = Signer::new(&secret).unwrap().sign(&request.body);
        assert_eq!(request.headers["x-machins-signature"], signature);
        assert_eq!(event(request).specversion, "1.0");
        assert_eq!((request.url.path(), request.url.query()), ("/hook", Some("token=t")));
    }
    for trade in trades {
        let types = posted_about(&server, trade.as_str()).await;
        assert_eq!(types, ["trade_proposed", "trade_cancelled"]);
    }
}

#[tokio::test]
async fn the_binary_mode_has_attributes_as_headers() {
    let (world, server) = (World::start().await, MockServer::start().await);
    answering(&server, ResponseTemplate::new(200)).await;
    let trade = world.propose().await;
    let notification = world.unread().await.remove(0);
    let receiver = HttpReceiver::new(&server.uri()).unwrap().binary();
    let secret = Secret::new("whsec-0123456789");
    let receiver = receiver.secret(&secret).unwrap();
    relay_until(&world, &receiver, world.drained()).await;
    let posted = server.received_requests().await.unwrap();
    assert_eq!(posted.len(), 1);
    let headers = &posted[0].headers;
    let event = CloudEvent::new(&world.market.machins_base_url(), &world.agent, &notification);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["ce-specversion"], "1.0");
    assert_eq!(headers["ce-id"], notification.id.as_str());
    assert_eq!(headers["ce-source"], event.source.as_str());
    assert_eq!(headers["ce-type"], "co.machins.trade_proposed");
    assert_eq!(headers["ce-subject"], trade.as_str());
    assert_eq!(headers["ce-time"], event.time.unwrap().as_str());
    assert_eq!(std::str::from_utf8(&posted[0].body).unwrap(), notification.payload.as_json());
    let signature = Signer::new(&secret).unwrap().sign(&posted[0].body);
    assert_eq!(headers["x-machins-signature"], signature);
}

#[tokio::test]
async fn an_attribute_that_no_header_takes_is_encoded() {
    let (world, server) = (World::start().await, MockServer::start().await);
    answering(&server, ResponseTemplate::new(200)).await;
    let inbox = MockServer::start().await;
    let notification = json!({
        "id": "n1", "event_type": "trade_proposed",
        "payload": {"trade_id": "a \"b\" %\r\nx: \u{e9}"},
    });
    let page = ResponseTemplate::new(200).set_body_json(json!({"items": [notification]}));
    Mock::given(method("GET")).respond_with(page).mount(&inbox).await;
    answering(&inbox, ResponseTemplate::new(200).set_body_json(json!({"acknowledged": 1}))).await;
    let key = ApiKey::new("at_0123456789").unwrap();
    let client = Client::builder().base_url(inbox.uri()).api_key(key).build().unwrap();
    let stop = CancellationToken::new();
    let relay = Relay::new().agent(&client, world.agent.clone()).stop(stop.clone());
    let receiver = HttpReceiver::new(&server.uri()).unwrap().binary();
    let until = async {
        while server.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(
        relay.to_http(&receiver),
        tokio::time::timeout(LIMIT, until).map(Result::unwrap)
    );
    ended.unwrap();
    let posted = server.received_requests().await.unwrap();
    assert_eq!(posted[0].headers["ce-subject"], "a%20%22b%22%20%25%0D%0Ax:%20%C3%A9");
    assert!(!posted[0].headers.contains_key("ce-time"));
}

#[tokio::test]
async fn an_outage_is_waited_out_and_told_once() {
    let (world, server) = (World::start().await, MockServer::start().await);
    let down = Mock::given(method("POST")).respond_with(ResponseTemplate::new(503));
    down.up_to_n_times(3).with_priority(1).mount(&server).await;
    answering(&server, ResponseTemplate::new(200)).await;
    world.propose().await;
    let receiver = HttpReceiver::new(&server.uri()).unwrap();
    let notices = relay_until(&world, &receiver, world.drained()).await;
    assert!(
        matches!(&notices[..], [Notice::Interrupted(reason), Notice::Resumed] if reason.contains("503")),
        "{notices:?}"
    );
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_waited_for() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    world.propose().await;
    let receiver = HttpReceiver::new(&format!("http://{address}/?token=hush")).unwrap();
    let (sender, mut notices) = unbounded_channel();
    let stop = CancellationToken::new();
    let relay = world.relay().stop(stop.clone());
    let relay = relay.on_notice(move |notice| sender.send(notice.clone()).unwrap());
    let until = async {
        let Notice::Interrupted(reason) = notices.recv().await.unwrap() else { panic!() };
        assert!(reason.contains("127.0.0.1") && !reason.contains("hush"), "{reason}");
        let listener = TcpListener::bind(address).unwrap();
        let server = MockServer::builder().listener(listener).start().await;
        answering(&server, ResponseTemplate::new(200)).await;
        world.drained().await;
        stop.cancel();
    };
    tokio::join!(relay.to_http(&receiver), until).0.unwrap();
    assert!(matches!(notices.recv().await, Some(Notice::Resumed)));
}

#[tokio::test]
async fn a_refused_event_holds_up_its_trade_alone() {
    let (world, server) = (World::start().await, MockServer::start().await);
    let refused = world.propose_and_cancel().await;
    let refusing = Mock::given(body_string_contains(refused.as_str()));
    let refusing = refusing.respond_with(ResponseTemplate::new(422));
    refusing.up_to_n_times(2).with_priority(1).mount(&server).await;
    answering(&server, ResponseTemplate::new(200)).await;
    let taken = world.propose_and_cancel().await;
    let receiver = HttpReceiver::new(&server.uri()).unwrap();
    let notices = relay_until(&world, &receiver, world.drained()).await;
    assert!(
        matches!(&notices[..], [Notice::NotTaken(_, reason)] if reason.contains("422")),
        "{notices:?}"
    );
    assert_eq!(posted_about(&server, taken.as_str()).await, ["trade_proposed", "trade_cancelled"]);
    let types = posted_about(&server, refused.as_str()).await;
    let tries = ["trade_proposed", "trade_proposed", "trade_proposed"];
    assert_eq!(types, [&tries[..], &["trade_cancelled"]].concat());
}

#[tokio::test]
async fn many_refused_events_hold_up_no_other_trade() {
    let (world, server) = (World::start().await, MockServer::start().await);
    // More than are posted at the same time.
    for _ in 0..70 {
        world.propose().await;
    }
    let taken = world.propose().await;
    let taking = Mock::given(body_string_contains(taken.as_str()));
    taking.respond_with(ResponseTemplate::new(200)).with_priority(1).mount(&server).await;
    answering(&server, ResponseTemplate::new(422)).await;
    let receiver = HttpReceiver::new(&server.uri()).unwrap();
    let until = async {
        while posted_about(&server, taken.as_str()).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let notices = relay_until(&world, &receiver, until).await;
    let told = notices.iter().filter(|notice| matches!(notice, Notice::NotTaken(..))).count();
    assert_eq!((told, notices.len()), (70, 70), "each is told once");
    assert_eq!(world.unread().await.len(), 70);
}

#[tokio::test]
async fn an_event_that_is_too_large_stays_unread() {
    let (world, server) = (World::start().await, MockServer::start().await);
    answering(&server, ResponseTemplate::new(413)).await;
    world.propose().await;
    let receiver = HttpReceiver::new(&server.uri()).unwrap();
    let until = async {
        while server.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    relay_until(&world, &receiver, until).await;
    assert_eq!(world.unread().await.len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (world, server) = (World::start().await, MockServer::start().await);
    let elsewhere = MockServer::start().await;
    let to = ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    answering(&server, to).await;
    world.propose().await;
    let receiver = HttpReceiver::new(&server.uri()).unwrap();
    let until = async {
        while server.received_requests().await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    relay_until(&world, &receiver, until).await;
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
    assert_eq!(world.unread().await.len(), 1);
}

#[rstest]
#[case::another_protocol("ftp://127.0.0.1/")]
#[case::plain_http_to_another_machine("http://hooks.example/")]
#[case::password("https://ada:hushhush@hooks.example/")]
#[case::nothing("")]
fn an_address_that_does_not_fit_is_an_error(#[case] url: &str) {
    let error = HttpReceiver::new(url).unwrap_err();
    assert!(matches!(error, RelayError::Receiver(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[rstest]
#[case::secure("https://hooks.example/a?token=hush", "https://hooks.example/a")]
#[case::local_name("http://relay.localhost:80/a", "http://relay.localhost/a")]
#[case::local_v6("http://[::1]:81/", "http://[::1]:81/")]
fn an_address_is_shown_without_its_query(#[case] url: &str, #[case] shown: &str) {
    assert_eq!(HttpReceiver::new(url).unwrap().to_string(), shown);
    assert!(!format!("{:?}", HttpReceiver::new(url).unwrap()).contains("hush"));
}
