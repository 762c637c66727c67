//! Purchases whose outcome is not known, and records.

use std::time::Duration;

use futures_util::future::join_all;
use machins_client::{
    ClientOptions, ErrorKind, FileSpendingStore, ListingType, MemoryIntentStore,
    MemorySpendingStore, MockClock, NewListing, SpendingClient, SpendingPolicy,
};
use machins_mock::Fault;
use rstest::rstest;

use crate::market::{Market, agent, buy, credits, trades, with_reference};

#[tokio::test]
async fn what_may_be_under_way_counts_until_it_is_known() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let store = MemorySpendingStore::new();
    let buyer = agent(&market.server, "eve")
        .intent_store(MemoryIntentStore::new())
        .options(ClientOptions::new().timeout(Duration::from_secs(2)));
    // No reply says whether it was lost, and the service does not show it.
    let posts = Fault::drop_before().method("POST").path("/api/v1/trades");
    let fault = market.server.fault_scoped(posts).unwrap();
    let policy = SpendingPolicy::new().max_per_day(credits(15));
    let client = SpendingClient::new(&buyer.build().unwrap(), policy).store(store.clone());
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::OutcomeUnknown));
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::Policy));
    drop(fault);
}

#[tokio::test]
async fn a_purchase_that_the_service_refuses_is_not_counted() {
    let market = Market::new().await;
    let (gone, listing) = (market.offer("gone", 10).await, market.offer("work", 10).await);
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(10)));
    let fault = Fault::status(422).method("POST").path("/api/v1/trades").times(1);
    market.server.add_fault(fault).unwrap();
    assert_eq!(buy(&client, "a", &gone.id).await, Err(ErrorKind::InvalidTransition));
    buy(&client, "b", &listing.id).await.unwrap();
}

#[tokio::test]
async fn a_corrupt_record_buys_nothing() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let folder = tempfile::tempdir().unwrap();
    let client = SpendingClient::new(&market.buyer, SpendingPolicy::new().max_per_day(credits(50)))
        .store(FileSpendingStore::new(folder.path()));
    buy(&client, "a", &listing.id).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            std::fs::write(path, "{").unwrap();
        }
    }
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::Storage));
    assert_eq!(trades(&market.buyer).await, 1);
}

#[tokio::test]
async fn one_reference_on_several_listings_passes_no_limit() {
    let market = Market::new().await;
    let (one, other) = (market.offer("one", 10).await, market.offer("other", 10).await);
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(15)));
    client.propose_trade_once("a", &with_reference(&one.id, 1)).await.unwrap();
    let error = client.propose_trade_once("b", &with_reference(&other.id, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
}

#[tokio::test]
async fn one_reference_at_once_on_one_listing_passes_no_limit() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(35)));
    let calls = (0..16).map(|number| {
        let (client, proposal) = (client.clone(), with_reference(&listing.id, 1));
        async move { client.propose_trade_once(&format!("k{number}"), &proposal).await }
    });
    join_all(calls).await;
    assert!((1..=3).contains(&trades(&market.buyer).await));
}

#[tokio::test]
async fn what_may_be_under_way_counts_for_its_reference_too() {
    let market = Market::new().await;
    let (one, other) = (market.offer("one", 10).await, market.offer("other", 10).await);
    let client = market.waiting_buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let posts = Fault::drop_before().method("POST").path("/api/v1/trades");
    let fault = market.server.fault_scoped(posts).unwrap();
    let error = client.propose_trade_once("a", &with_reference(&one.id, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    let error = client.propose_trade_once("b", &with_reference(&other.id, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    drop(fault);
}

#[tokio::test]
async fn a_trade_stands_for_no_purchase_on_another_listing() {
    let market = Market::new().await;
    let (one, other) = (market.offer("one", 10).await, market.offer("other", 10).await);
    let options = ClientOptions::new().clock(MockClock::new(0.0));
    let buyer = agent(&market.server, "eve").intent_store(MemoryIntentStore::new());
    let buyer = buyer.options(options).build().unwrap();
    // Nothing is recorded of this one.
    buyer.propose_trade(&with_reference(&one.id, 1)).await.unwrap();
    let policy = SpendingPolicy::new().max_per_day(credits(25));
    let client = SpendingClient::new(&buyer, policy).store(MemorySpendingStore::new());
    let posts = Fault::drop_before().method("POST").path("/api/v1/trades");
    let fault = market.server.fault_scoped(posts).unwrap();
    let error = client.propose_trade_once("a", &with_reference(&other.id, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(buy(&client, "b", &other.id).await, Err(ErrorKind::Policy));
    drop(fault);
}

#[rstest]
#[case::request_timeout(408, Err(ErrorKind::Policy))]
#[case::too_many_requests(429, Ok(()))]
#[case::invalid(422, Ok(()))]
#[tokio::test]
async fn a_reply_that_leaves_the_outcome_open_counts(
    #[case] status: u16,
    #[case] second: Result<(), ErrorKind>,
) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.waiting_buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let posts = Fault::status(status).method("POST").path("/api/v1/trades");
    let fault = market.server.fault_scoped(posts).unwrap();
    buy(&client, "a", &listing.id).await.unwrap_err();
    drop(fault);
    assert_eq!(buy(&client, "b", &listing.id).await, second);
}

#[rstest]
#[case::redirected(303, 1)]
#[case::request_timeout(408, 1)]
#[case::invalid(422, 0)]
#[tokio::test]
async fn a_key_whose_outcome_is_open_is_not_forgotten(#[case] status: u16, #[case] kept: usize) {
    let market = Market::new().await;
    let client = market.waiting_buyer(SpendingPolicy::new());
    let posts = Fault::status(status).method("POST").path("/api/v1/listings");
    let fault = market.server.fault_scoped(posts).unwrap();
    let new = NewListing::new("Sold", "sold", ListingType::Task, credits(10));
    client.create_listing_once("k", &new).await.unwrap_err();
    drop(fault);
    assert_eq!(client.client().list_intents().await.unwrap().len(), kept);
}
