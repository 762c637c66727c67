//! Credits that a request holds, and changes of listings.

use std::time::Duration;

use machins_client::{
    CallOptions, ErrorKind, ListingId, ListingType, ListingUpdate, MemoryIntentStore,
    MemorySpendingStore, NewListing, Proposal, Side, SpendingClient, SpendingPolicy,
};
use machins_mock::Fault;
use rstest::rstest;
use serde_json::{Value, json};

use crate::market::{Market, agent, credits};
use crate::stores::DisturbedStore;
use crate::support::{builder, once, reply, trade};

#[tokio::test]
async fn bounties_are_limited_and_nothing_accepts_by_itself() {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_in_escrow(credits(15)));
    let request = |slug: &str| {
        NewListing::new("Wanted", slug, ListingType::Task, credits(10)).side(Side::Request)
    };
    let error = client.create_listing(&request("wanted-a").auto_accept()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    let held = client.create_listing_once("k", &request("wanted-b").bounty()).await.unwrap();
    let error = client.create_listing(&request("wanted-c").bounty()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    let again = client.create_listing_once("k", &request("wanted-b").bounty()).await.unwrap();
    assert_eq!(again.id, held.id);
    let raise = |price| ListingUpdate::new().price(credits(price));
    let error = client.update_listing(&held.id, &raise(16)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    client.update_listing(&held.id, &raise(15)).await.unwrap();
    let accepts = ListingUpdate::new().field("auto_accept", true);
    let error = client.update_listing(&held.id, &accepts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
}

/// The first request may still arrive, whatever becomes of the second one.
#[rstest]
#[case::a_limit_on_requests(429)]
#[case::invalid(400)]
#[tokio::test]
async fn a_refusal_frees_nothing_of_an_earlier_call(#[case] status: u16) {
    let market = Market::new().await;
    let client = market.waiting_buyer(SpendingPolicy::new().max_in_escrow(credits(15)));
    let request = |slug: &str| {
        NewListing::new("Wanted", slug, ListingType::Task, credits(10)).request().bounty()
    };
    for status in [408, status] {
        let posts = Fault::status(status).method("POST").path("/api/v1/listings");
        let fault = market.server.fault_scoped(posts).unwrap();
        client.create_listing(&request("wanted-a")).await.unwrap_err();
        drop(fault);
    }
    let error = client.create_listing(&request("wanted-b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    // Once it is made, the wallet alone counts.
    client.create_listing(&request("wanted-a")).await.unwrap();
    assert_eq!(client.client().get_wallet().await.unwrap().held_balance, credits(10));
}

#[rstest]
#[case::redirected(303, Err(ErrorKind::Policy))]
#[case::request_timeout(408, Err(ErrorKind::Policy))]
#[case::invalid(422, Ok(()))]
#[tokio::test]
async fn a_bounty_whose_outcome_is_open_counts(
    #[case] status: u16,
    #[case] second: Result<(), ErrorKind>,
) {
    let market = Market::new().await;
    let client = market.waiting_buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let request = |slug: &str| {
        NewListing::new("Wanted", slug, ListingType::Task, credits(10)).request().bounty()
    };
    let posts = Fault::status(status).method("POST").path("/api/v1/listings");
    let fault = market.server.fault_scoped(posts).unwrap();
    client.create_listing(&request("wanted-a")).await.unwrap_err();
    drop(fault);
    let created = client.create_listing(&request("wanted-b")).await;
    assert_eq!(created.map(drop).map_err(|error| error.kind()), second);
}

/// What was set aside for it may have been given to others meanwhile.
#[rstest]
#[case::created(false)]
#[case::created_once(true)]
#[tokio::test]
async fn a_process_that_was_stopped_sends_no_bounty(#[case] is_once: bool) {
    let market = Market::new().await;
    let limit = Duration::from_secs(1);
    let client = market.buyer.with(CallOptions::new().timeout(limit));
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(15)))
        .store(DisturbedStore::stopping(limit));
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let request = request.request().bounty();
    let created = if is_once {
        client.create_listing_once("wanted", &request).await
    } else {
        client.create_listing(&request).await
    };
    assert_eq!(created.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(market.buyer.list_listings().await.unwrap().is_empty());
}

/// As above, for one that is raised.
#[tokio::test]
async fn a_process_that_was_stopped_raises_no_bounty() {
    let market = Market::new().await;
    let limit = Duration::from_secs(1);
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let held = market.buyer.create_listing(&request.request().bounty()).await.unwrap();
    let client = market.buyer.with(CallOptions::new().timeout(limit));
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(15)))
        .store(DisturbedStore::stopping(limit));
    let raised = ListingUpdate::new().price(credits(12));
    let error = client.update_listing(&held.id, &raised).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(market.buyer.get_listing(&held.id).await.unwrap().price, credits(10));
}

#[rstest]
#[case::a_bounty(Side::Request, ListingUpdate::new().field("bounty", true))]
#[case::a_request(Side::Offer, ListingUpdate::new().field("side", "request"))]
#[case::two_prices(Side::Request, ListingUpdate::new().price(credits(10)).field("price", 1000))]
#[case::no_price(Side::Request, ListingUpdate::new().field("price", "lots"))]
#[case::price_of_another_shape(Side::Request, ListingUpdate::new().field("price", json!([90])))]
#[case::an_unknown_field(Side::Request, ListingUpdate::new().field("reserve", 90))]
#[tokio::test]
async fn an_update_that_could_hold_more_is_refused(
    #[case] side: Side,
    #[case] update: ListingUpdate,
) {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_in_escrow(credits(15)));
    let new = NewListing::new("Work", "work", ListingType::Task, credits(10)).side(side.clone());
    let new = if side == Side::Request { new.bounty() } else { new };
    let listing = client.create_listing(&new).await.unwrap();
    let error = client.update_listing(&listing.id, &update).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
}

#[rstest]
#[case::harmless(ListingUpdate::new().field("expires_in_hours", 5).title("New"))]
#[case::last_price(ListingUpdate::new().field("price", 1000).price(credits(12)))]
#[case::price_as_field(ListingUpdate::new().price(credits(1000)).field("price", 12))]
#[case::accepts_not(ListingUpdate::new().field("auto_accept", false))]
#[tokio::test]
async fn an_update_that_holds_no_more_is_made(#[case] update: ListingUpdate) {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_in_escrow(credits(15)));
    let new = NewListing::new("Work", "work", ListingType::Task, credits(10)).request().bounty();
    let listing = client.create_listing(&new).await.unwrap();
    client.update_listing(&listing.id, &update).await.unwrap();
}

#[rstest]
#[case::setter_last(ListingUpdate::new().field("price", 1000).price(credits(12)))]
#[case::field_last(ListingUpdate::new().price(credits(1000)).field("price", "12.00"))]
fn a_field_that_is_given_twice_is_sent_once(#[case] update: ListingUpdate) {
    assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"price":"12.00"}"#);
}

#[tokio::test]
async fn a_corrupt_intent_stops_no_other_listing() {
    let market = Market::new().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0123.json"), "{").unwrap();
    let buyer = agent(&market.server, "eve")
        .intent_store(machins_client::FileIntentStore::new(folder.path()))
        .build()
        .unwrap();
    let client = SpendingClient::new(&buyer, SpendingPolicy::new().max_in_escrow(credits(15)))
        .store(MemorySpendingStore::new());
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let request = request.request().bounty();
    let held = client.create_listing_once("k", &request).await.unwrap();
    assert_eq!(client.create_listing_once("k", &request).await.unwrap().id, held.id);
}

#[tokio::test]
async fn a_bounty_becomes_the_escrow_of_its_trade() {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_in_escrow(credits(15)));
    let request = |slug: &str, price| {
        NewListing::new("Wanted", slug, ListingType::Task, credits(price)).request().bounty()
    };
    let wanted = client.create_listing(&request("wanted", 10)).await.unwrap();
    client.create_listing(&request("also", 5)).await.unwrap();
    for expected in [Ok(()), Err(ErrorKind::Policy)] {
        let trade = market.seller.propose_trade(&Proposal::new(&wanted.id)).await.unwrap();
        let accepted = client.accept_trade(&trade.id).await;
        assert_eq!(accepted.map(drop).map_err(|error| error.kind()), expected);
    }
}

#[tokio::test]
async fn a_trade_that_is_accepted_meanwhile_hides_no_bounty() {
    let server = wiremock::MockServer::start().await;
    let wallet = |held: &str, version: u32| {
        json!({"id": "w", "agent_id": "buyer-uuid", "balance": "500.00", "held_balance": held,
            "available_balance": "400.00", "version": version})
    };
    // A bounty of 8 is held, and a trade of 10 is accepted after the wallet was read.
    for (held, version) in [("8.00", 1), ("18.00", 2), ("18.00", 2), ("18.00", 2)] {
        once(&server, "GET", "/wallets/me", reply(&wallet(held, version))).await;
    }
    let mut accepted = trade("escrow_held");
    accepted["price"] = json!("10.00");
    let page = |items: &[Value]| json!({"items": items, "total": items.len(), "has_more": false});
    for _ in 0..3 {
        once(&server, "GET", "/trades", reply(&page(&[accepted.clone()]))).await;
        once(&server, "GET", "/wallets/transactions", reply(&page(&[]))).await;
    }
    let offer = json!({"id": "l2", "seller_agent_id": "seller-uuid", "title": "T", "slug": "t",
        "listing_type": "task", "price": "5.00", "side": "offer", "tags": []});
    once(&server, "GET", "/marketplace/l2", reply(&offer)).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_in_escrow(credits(20)))
        .store(MemorySpendingStore::new());
    let proposal = Proposal::new(&ListingId::new("l2").unwrap());
    let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert!(error.to_string().contains("18.00 of it is used"), "{error}");
}
