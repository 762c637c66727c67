//! A price that is raised between the decision and the proposal.

use machins_client::{
    ErrorKind, ListingId, MemoryIntentStore, MemorySpendingStore, Proposal, SpendingClient,
    SpendingPolicy,
};
use rstest::rstest;
use serde_json::json;

use crate::market::credits;
use crate::stores::{DisturbedStore, FailingStore};
use crate::support::{builder, once, reply, requests, trade};

/// A service that sells for 50 what it has offered for 10, and that can be read this often.
async fn raised_meanwhile(reads: usize) -> wiremock::MockServer {
    let server = wiremock::MockServer::start().await;
    let page = || reply(&json!({"items": [], "total": 0, "has_more": false}));
    for _ in 0..=reads {
        once(&server, "GET", "/trades", page()).await;
    }
    for _ in 0..reads {
        once(&server, "GET", "/wallets/transactions", page()).await;
        let wallet = json!({"id": "w", "agent_id": "buyer-uuid", "balance": "500.00",
            "held_balance": "0.00", "available_balance": "500.00"});
        once(&server, "GET", "/wallets/me", reply(&wallet)).await;
    }
    let listing = json!({"id": "a1b2c3d4", "seller_agent_id": "seller-uuid", "title": "T",
        "slug": "t", "listing_type": "task", "price": "10.00", "side": "offer", "tags": []});
    once(&server, "GET", "/marketplace/a1b2c3d4", reply(&listing)).await;
    let mut bought = trade("escrow_held");
    bought["price"] = json!("50.00");
    once(&server, "POST", "/trades", reply(&bought)).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&bought)).await;
    server
}

#[rstest]
#[case::all_can_be_read(2, usize::MAX, "max_per_day")]
#[case::no_wallet(1, usize::MAX, "could not be read")]
#[case::no_record(2, 1, "the disk has failed")]
#[tokio::test]
async fn a_price_that_is_raised_meanwhile_is_given_up(
    #[case] reads: usize,
    #[case] locks: usize,
    #[case] why: &str,
) {
    let server = raised_meanwhile(reads).await;
    once(&server, "POST", "/trades/t1r2a3d4/cancel", reply(&trade("cancelled"))).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(20)))
        .store(FailingStore::new(locks));
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    for part in ["10.00", "50.00", "t1r2a3d4", "was cancelled", why] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert!(requests(&server).await.contains(&"POST /trades/t1r2a3d4/cancel".to_owned()));
}

#[rstest]
#[case::all_can_be_read(3, usize::MAX)]
#[case::no_wallet(1, usize::MAX)]
#[case::no_record(2, 1)]
#[tokio::test]
async fn a_raised_price_is_no_success_later(#[case] reads: usize, #[case] locks: usize) {
    let server = raised_meanwhile(reads).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(20)))
        .store(FailingStore::new(locks));
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    for _ in 0..2 {
        // It cannot be cancelled.
        let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
        assert!(error.to_string().contains("t1r2a3d4"), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Policy | ErrorKind::Storage), "{error}");
    }
}

#[tokio::test]
async fn a_raised_price_is_no_success_after_a_crash() {
    let server = raised_meanwhile(2).await;
    // As if the process had ended before it recorded the trade, and long ago.
    let store = DisturbedStore::altering(|purchase| {
        purchase.remove("trade_id");
        purchase.insert("until_ms".to_owned(), json!(1));
    });
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_trade(credits(20)));
    let client = client.store(store);
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    for _ in 0..2 {
        let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Policy);
    }
}

#[rstest]
#[case::owner_is_shown(Some("seller-uuid"))]
#[case::owner_is_not_shown(None)]
#[tokio::test]
async fn a_request_that_becomes_an_offer_is_given_up(#[case] owner: Option<&str>) {
    let server = wiremock::MockServer::start().await;
    let page = json!({"items": [], "total": 0, "has_more": false});
    once(&server, "GET", "/trades", reply(&page)).await;
    let listing = json!({"id": "a1b2c3d4", "seller_agent_id": owner, "title": "T", "slug": "t",
        "listing_type": "task", "price": "50.00", "side": "request", "tags": []});
    once(&server, "GET", "/marketplace/a1b2c3d4", reply(&listing)).await;
    let wallet = json!({"id": "w", "agent_id": "buyer-uuid", "balance": "500.00",
        "held_balance": "0.00", "available_balance": "500.00"});
    once(&server, "GET", "/wallets/me", reply(&wallet)).await;
    once(&server, "POST", "/trades", reply(&trade("escrow_held"))).await;
    once(&server, "POST", "/trades/t1r2a3d4/cancel", reply(&trade("cancelled"))).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_trade(credits(20)))
        .store(MemorySpendingStore::new());
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(error.to_string().contains("was cancelled"), "{error}");
}
