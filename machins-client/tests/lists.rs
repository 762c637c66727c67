//! Pages as a stream and as an iterator, and the inbox watch.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use machins_client::{
    CancellationToken, ClientOptions, ErrorKind, InboxQuery, MarketplaceQuery, MockClock,
    PageQuery, TradeQuery, WatchError,
};
use serde_json::{Value, json};
use support::{builder, client, listing, once, reply, requests, trade};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A server with this many items at every list, in honest pages.
async fn lists(count: usize) -> MockServer {
    let server = MockServer::start().await;
    let answer = move |request: &Request| {
        let number = |name: &str| {
            let pair = request.url.query_pairs().find(|(key, _)| key == name);
            pair.map_or(0, |(_, value)| value.parse::<usize>().unwrap())
        };
        let (offset, limit) = (number("offset"), number("limit"));
        let items: Vec<Value> = (0..count)
            .skip(offset)
            .take(limit)
            .map(|index| {
                let mut item = listing();
                for (name, value) in trade("proposed").as_object().unwrap() {
                    item[name] = value.clone();
                }
                item["id"] = json!(format!("i{index}"));
                item["entry_type"] = json!("debit");
                item["amount"] = json!("1.00");
                item["event_type"] = json!("match_found");
                item
            })
            .collect();
        let has_more = offset + items.len() < count;
        reply(&json!({"items": items, "total": count, "offset": offset, "limit": limit,
            "has_more": has_more}))
    };
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn streams_fetch_page_after_page_and_only_when_needed() {
    let server = lists(7).await;
    let client = client(&server);
    let listings = client.browse_all(&MarketplaceQuery::new().limit(3));
    assert!(requests(&server).await.is_empty(), "nothing is fetched before it is asked for");
    let listings: Vec<_> = listings.try_collect().await.unwrap();
    assert_eq!(listings.len(), 7);
    assert_eq!(requests(&server).await.len(), 3);

    let two: Vec<_> = client.trades_all(&TradeQuery::new().limit(3)).take(2).collect().await;
    assert_eq!(two.len(), 2);
    assert_eq!(requests(&server).await.len(), 4, "one page was enough");

    let entries = client.transactions_all(&PageQuery::new());
    assert_eq!(entries.try_collect::<Vec<_>>().await.unwrap().len(), 7);
    let notifications = client.inbox_all(&InboxQuery::new());
    assert_eq!(notifications.try_collect::<Vec<_>>().await.unwrap().len(), 7);
}

#[tokio::test]
async fn a_stream_gives_an_error_once_and_ends() {
    let server = MockServer::start().await;
    let first = json!({"items": [listing()], "has_more": true});
    once(&server, "GET", "/marketplace", reply(&first)).await;
    once(&server, "GET", "/marketplace", ResponseTemplate::new(400)).await;
    let mut listings = client(&server).browse_all(&MarketplaceQuery::new());
    assert!(listings.next().await.unwrap().is_ok());
    assert_eq!(listings.next().await.unwrap().unwrap_err().kind(), ErrorKind::BadRequest);
    assert!(listings.next().await.is_none());
}

fn notification(id: &str) -> Value {
    json!({"id": id, "event_type": "trade_proposed", "payload": {"trade_id": id}, "is_read": false})
}

fn inbox(ids: &[&str]) -> ResponseTemplate {
    let items: Vec<_> = ids.iter().map(|id| notification(id)).collect();
    reply(&json!({"items": items, "unread_count": ids.len(), "total": ids.len()}))
}

/// The ids of every acknowledgement so far.
async fn acknowledged(server: &MockServer) -> Vec<Value> {
    let received = server.received_requests().await.unwrap();
    let acks = received.iter().filter(|request| request.url.path().ends_with("/inbox/ack"));
    acks.map(|request| request.body_json::<Value>().unwrap()["notification_ids"].clone()).collect()
}

async fn acks_work(server: &MockServer) {
    Mock::given(method("POST"))
        .and(path("/api/v1/inbox/ack"))
        .respond_with(reply(&json!({"acknowledged": 1})))
        .mount(server)
        .await;
}

#[tokio::test]
async fn each_notification_is_acknowledged_when_the_next_is_asked_for() {
    let server = MockServer::start().await;
    acks_work(&server).await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    let stop = CancellationToken::new();
    let mut watch = client(&server).inbox_watch().stop(stop.clone());
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert!(acknowledged(&server).await.is_empty(), "not before it was handled");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
    assert_eq!(acknowledged(&server).await, [json!(["n1"])]);
    stop.cancel();
    assert!(watch.next().await.unwrap().is_none());
    assert_eq!(acknowledged(&server).await, [json!(["n1"]), json!(["n2"])]);
    let query = server.received_requests().await.unwrap()[0].url.query().unwrap().to_owned();
    assert_eq!(query, "unread=true&limit=50");
}

#[tokio::test]
async fn a_notification_whose_handler_failed_stays_unread() {
    let server = MockServer::start().await;
    acks_work(&server).await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2", "n3"])).await;
    let mut watch = client(&server).inbox_watch();
    let mut handled = Vec::new();
    let result = watch
        .run(async |notification| {
            handled.push(notification.id.to_string());
            if notification.id.as_str() == "n2" { Err("no") } else { Ok(()) }
        })
        .await;
    assert!(matches!(result, Err(WatchError::Handler("no"))));
    assert_eq!(handled, ["n1", "n2"]);
    assert_eq!(acknowledged(&server).await, [json!(["n1"])]);
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n3");
    assert_eq!(acknowledged(&server).await, [json!(["n1"])], "nor later, by the same watch");
}

#[tokio::test]
async fn an_empty_inbox_is_asked_again_after_growing_waits() {
    let server = MockServer::start().await;
    acks_work(&server).await;
    for _ in 0..5 {
        once(&server, "GET", "/inbox", inbox(&[])).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().clock(clock.clone());
    let mut watch = builder(&server)
        .options(options)
        .build()
        .unwrap()
        .inbox_watch()
        .every(Duration::from_secs(2), Duration::from_secs(9));
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    let slept = clock.slept();
    assert_eq!(slept.len(), 5);
    assert!(slept.iter().all(|wait| (2..=9).contains(&wait.as_secs())), "{slept:?}");
}

#[tokio::test]
async fn a_server_that_heeds_no_acknowledgement_hands_nothing_over_twice() {
    let server = MockServer::start().await;
    acks_work(&server).await;
    for _ in 0..4 {
        once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
}

#[tokio::test]
async fn a_stop_is_heard_while_the_inbox_is_being_fetched() {
    let server = MockServer::start().await;
    let slow = inbox(&["n1"]).set_delay(Duration::from_mins(10));
    once(&server, "GET", "/inbox", slow).await;
    let stop = CancellationToken::new();
    let mut watch = client(&server).inbox_watch().stop(stop.clone());
    let (next, ()) = tokio::join!(watch.next(), async { stop.cancel() });
    assert!(next.unwrap().is_none());
}

#[tokio::test]
async fn null_is_no_reason_to_lose_a_page() {
    let mut item = listing();
    for name in ["tags", "description", "seller_agent_slug", "completed_trades"] {
        item[name] = Value::Null;
    }
    let server = support::server(200, &json!({"items": [item], "has_more": false})).await;
    let page = client(&server).browse(&MarketplaceQuery::new()).await.unwrap();
    assert!(page.items[0].tags.is_empty());
}

#[tokio::test]
async fn an_outage_is_waited_out_and_a_refusal_is_not() {
    let server = MockServer::start().await;
    acks_work(&server).await;
    for _ in 0..5 {
        once(&server, "GET", "/inbox", ResponseTemplate::new(503)).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");

    let server = MockServer::start().await;
    once(&server, "GET", "/inbox", ResponseTemplate::new(401)).await;
    let error = client(&server).inbox_watch().next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn an_acknowledgement_that_fails_is_made_later_and_nothing_is_handed_over_twice() {
    let server = MockServer::start().await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    for _ in 0..3 {
        once(&server, "POST", "/inbox/ack", ResponseTemplate::new(503)).await;
    }
    acks_work(&server).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
    assert_eq!(acknowledged(&server).await.last(), Some(&json!(["n1"])));
}

#[cfg(feature = "blocking")]
mod blocking {
    use tokio::runtime::Runtime;

    use super::*;

    #[test]
    fn lists_are_iterators() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(lists(7));
        let client = builder(&server).build_blocking().unwrap();
        let listings = client.browse_all(&MarketplaceQuery::new().limit(3));
        assert_eq!(listings.collect::<Result<Vec<_>, _>>().unwrap().len(), 7);
        assert_eq!(client.trades_all(&TradeQuery::new().limit(3)).take(2).count(), 2);
        assert_eq!(runtime.block_on(requests(&server)).len(), 4);
    }

    #[test]
    fn the_watch_is_an_iterator_whose_handler_may_call() {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            acks_work(&server).await;
            once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
            once(
                &server,
                "GET",
                "/wallets/me",
                reply(&json!({
                    "balance": "1.00", "held_balance": "0.00", "available_balance": "1.00"
                })),
            )
            .await;
            server
        });
        let client = builder(&server).build_blocking().unwrap();
        let stop = CancellationToken::new();
        let mut watch = client.inbox_watch().stop(stop.clone());
        watch
            .run(|notification| {
                if notification.id.as_str() == "n1" {
                    client.get_wallet().map(drop)
                } else {
                    stop.cancel();
                    Ok(())
                }
            })
            .unwrap();
        let acks = runtime.block_on(acknowledged(&server));
        assert_eq!(acks, [json!(["n1"]), json!(["n2"])]);
    }
}
