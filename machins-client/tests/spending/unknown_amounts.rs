//! Replies that leave out what is documented in samples alone: prices, amounts and parties.

use machins_client::{
    Error, ErrorKind, ListingId, MemoryIntentStore, MemorySpendingStore, Proposal, SpendingPolicy,
    Trade,
};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer};

use crate::market::{Spending, credits};
use crate::support::{builder, listing, reply, requests, trade, trade_id};

/// A service with these trades and ledger entries, where an offer costs 10.
async fn service(trades: Value, entries: Value) -> MockServer {
    let server = MockServer::start().await;
    let mut offer = listing();
    offer["price"] = json!("10.00");
    let wallet =
        json!({"balance": "500.00", "held_balance": "0.00", "available_balance": "500.00"});
    let page = |items: Value| json!({"items": items, "has_more": false});
    for (at, body) in [
        ("/marketplace/a1b2c3d4", offer),
        ("/wallets/me", wallet),
        ("/trades", page(trades)),
        ("/wallets/transactions", page(entries)),
    ] {
        answers(&server, "GET", at, body).await;
    }
    server
}

async fn answers(server: &MockServer, verb: &str, at: &str, body: Value) {
    let asked = Mock::given(method(verb)).and(path(format!("/api/v1{at}")));
    asked.respond_with(reply(&body)).mount(server).await;
}

fn spending(server: &MockServer, policy: SpendingPolicy) -> Spending {
    let client = builder(server).intent_store(MemoryIntentStore::new()).build().unwrap();
    Spending::new(&client, policy).store(MemorySpendingStore::new())
}

async fn buy(server: &MockServer, policy: SpendingPolicy) -> Result<Trade, Error> {
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    spending(server, policy).propose_trade_once("a", &proposal).await
}

/// A trade of which the service says little.
fn bare(id: &str, status: &str) -> Value {
    json!({"id": id, "listing_id": "a1b2c3d4", "status": status})
}

fn negative() -> Value {
    let mut trade = bare("t0", "completed");
    trade["price"] = json!("-15.00");
    trade
}

/// What leaves the wallet and what enters it, both with this reference.
fn to_and_fro(reference: &str) -> Value {
    let entry = |id: &str, way: &str| json!({"id": id, "entry_type": way, "amount": "15.00", "reference_id": reference});
    json!([entry("e0", "debit"), entry("e1", "credit")])
}

#[rstest]
#[case::a_trade(json!([bare("t0", "completed")]), json!([]), "what trade t0 costs")]
#[case::an_entry(json!([]), json!([{"id": "e0", "entry_type": "debit"}]), "transaction e0")]
#[case::a_way(json!([]), json!([{"id": "e0", "amount": "15.00"}]), "max_per_month")]
#[case::a_signed_way(json!([]), json!([{"id": "e0", "amount": "-15.00"}]), "max_per_month")]
#[case::for_nothing(json!([]), to_and_fro(" "), "max_per_month")]
#[case::a_negative_price(json!([negative()]), json!([]), "what trade t0 costs")]
#[tokio::test]
async fn what_is_not_said_may_have_been_spent(
    #[case] trades: Value,
    #[case] entries: Value,
    #[case] why: &str,
) {
    let server = service(trades, entries).await;
    let error = buy(&server, SpendingPolicy::new().max_per_month(credits(20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(error.to_string().contains(why), "{error}");
    assert!(!requests(&server).await.iter().any(|request| request.starts_with("POST")));
}

#[tokio::test]
async fn a_trade_that_costs_nothing_needs_no_price() {
    let server = service(json!([bare("t0", "cancelled")]), json!([])).await;
    let mut bought = trade("proposed");
    bought["price"] = json!("10.00");
    bought["seller_agent_id"] = json!("your-agent-uuid");
    answers(&server, "POST", "/trades", bought).await;
    buy(&server, SpendingPolicy::new().max_per_month(credits(20))).await.unwrap();
}

#[tokio::test]
async fn a_trade_that_is_bought_at_an_unknown_price_is_given_up() {
    let server = service(json!([]), json!([])).await;
    answers(&server, "POST", "/trades", bare("t1r2a3d4", "escrow_held")).await;
    answers(&server, "POST", "/trades/t1r2a3d4/cancel", bare("t1r2a3d4", "cancelled")).await;
    let error = buy(&server, SpendingPolicy::new().max_per_trade(credits(20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    for part in ["does not say what it costs", "t1r2a3d4", "was cancelled"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[rstest]
#[case::cancelled("cancelled", "it was cancelled")]
#[case::not_cancelled("escrow_held", "it could not be cancelled")]
#[tokio::test]
async fn a_trade_with_another_seller_is_given_up(#[case] becomes: &str, #[case] says: &str) {
    let server = service(json!([]), json!([])).await;
    let mut bought = trade("escrow_held");
    bought["price"] = json!("10.00");
    answers(&server, "POST", "/trades", bought).await;
    answers(&server, "POST", "/trades/t1r2a3d4/cancel", bare("t1r2a3d4", becomes)).await;
    let error = buy(&server, SpendingPolicy::new().max_per_trade(credits(20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    for part in ["the seller is another", says] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[rstest]
#[case::the_price("price", SpendingPolicy::new().max_per_trade(credits(200)))]
#[case::the_seller("seller_agent_id", SpendingPolicy::new().deny_sellers(["eve"]))]
#[tokio::test]
async fn a_proposal_that_says_too_little_is_not_accepted(
    #[case] field: &str,
    #[case] policy: SpendingPolicy,
) {
    let server = service(json!([]), json!([])).await;
    let mut proposed = trade("proposed");
    proposed.as_object_mut().unwrap().remove(field);
    answers(&server, "GET", "/trades/t1r2a3d4", proposed).await;
    answers(&server, "GET", "/listings/a1b2c3d4", listing()).await;
    answers(&server, "GET", "/public/agent/eve", json!({"id": "eve-uuid"})).await;
    let error = spending(&server, policy).accept_trade(&trade_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert!(!requests(&server).await.iter().any(|request| request.starts_with("POST")));
}

#[tokio::test]
async fn a_delivery_of_unknown_price_is_not_confirmed() {
    let server = service(json!([]), json!([])).await;
    answers(&server, "GET", "/trades/t1r2a3d4", bare("t1r2a3d4", "delivered")).await;
    let policy = SpendingPolicy::new().max_per_trade(credits(200));
    let error = spending(&server, policy).confirm_trade(&trade_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert!(error.to_string().contains("unknown price"), "{error}");
}
