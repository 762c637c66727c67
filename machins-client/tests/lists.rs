//! All items of a list, as a stream and as an iterator.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use futures_util::{StreamExt, TryStreamExt};
use machins_client::{ErrorKind, InboxQuery, MarketplaceQuery, PageQuery, Role, TradeQuery};
use serde_json::{Value, json};
use support::{client, listing, once, reply, requests, trade};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A server that has this many items in every list, in pages of any size.
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
async fn a_stream_fetches_each_page_only_when_needed() {
    let server = lists(7).await;
    let client = client(&server);
    let listings = client.browse_all(&MarketplaceQuery::new().limit(3));
    assert!(requests(&server).await.is_empty(), "nothing is fetched before it is requested");
    let listings: Vec<_> = listings.try_collect().await.unwrap();
    assert_eq!(listings.len(), 7);
    assert_eq!(requests(&server).await.len(), 3);

    let two: Vec<_> = client.trades_all(&TradeQuery::new().limit(3)).take(2).collect().await;
    assert_eq!(two.len(), 2);
    assert_eq!(requests(&server).await.len(), 4, "one page was enough");
}

#[tokio::test]
async fn every_list_can_be_streamed() {
    let server = lists(70).await;
    let client = client(&server);
    let listings = client.browse_all(&MarketplaceQuery::new());
    assert_eq!(listings.try_collect::<Vec<_>>().await.unwrap().len(), 70);
    let trades = client.trades_all(&TradeQuery::new());
    assert_eq!(trades.try_collect::<Vec<_>>().await.unwrap().len(), 70);
    let transactions = client.transactions_all(&PageQuery::new());
    assert_eq!(transactions.try_collect::<Vec<_>>().await.unwrap().len(), 70);
    let notifications = client.inbox_all(&InboxQuery::new());
    assert_eq!(notifications.try_collect::<Vec<_>>().await.unwrap().len(), 70);
}

#[tokio::test]
async fn every_page_is_fetched_with_the_filter() {
    let server = lists(7).await;
    let query = TradeQuery::new().role(Role::Buyer).offset(2).limit(3);
    client(&server).trades_all(&query).try_collect::<Vec<_>>().await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let queries: Vec<_> = requests.iter().map(|request| request.url.query().unwrap()).collect();
    assert_eq!(queries, ["role=buyer&offset=2&limit=3", "role=buyer&offset=4&limit=3"]);
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

#[tokio::test]
async fn fields_that_are_null_do_not_fail_a_page() {
    let mut item = listing();
    for name in ["tags", "description", "seller_agent_slug", "completed_trades"] {
        item[name] = Value::Null;
    }
    let server = test_support::server(200, &json!({"items": [item], "has_more": false})).await;
    let page = client(&server).browse(&MarketplaceQuery::new()).await.unwrap();
    assert!(page.items[0].tags.is_empty());
}

#[cfg(feature = "blocking")]
#[test]
fn an_iterator_fetches_each_page_only_when_needed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(lists(7));
    let client = support::builder(&server).build_blocking().unwrap();
    let listings = client.browse_all(&MarketplaceQuery::new().limit(3));
    assert_eq!(listings.collect::<Result<Vec<_>, _>>().unwrap().len(), 7);
    assert_eq!(client.trades_all(&TradeQuery::new().limit(3)).take(2).count(), 2);
    assert_eq!(runtime.block_on(requests(&server)).len(), 4);
}
