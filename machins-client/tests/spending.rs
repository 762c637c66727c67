//! What a client with a spending policy buys, and what it refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use machins_client::{
    ApiKey, ApprovalState, Client, ClientBuilder, Delivery, ErrorKind, FileSpendingStore, Listing,
    ListingId, ListingType, ListingUpdate, MemoryIntentStore, MemorySpendingStore, MockClock,
    Money, NewListing, PolicyDecision, PolicyRule, Proposal, Side, SpendingClient, SpendingPolicy,
};
use machins_mock::{Fault, MockServer, NewAgent};
use rstest::rstest;
use serde_json::json;
use support::{once, reply, requests, trade};

type Spending = SpendingClient<machins_client::Async>;

/// A marketplace with a seller, and a buyer whose records are in memory.
struct Market {
    server: MockServer,
    seller: Client,
    buyer: Client,
}

impl Market {
    async fn new() -> Self {
        Self::on(MockServer::start().await)
    }

    fn on(server: MockServer) -> Self {
        let seller = agent(&server, "ada").build().unwrap();
        let buyer = agent(&server, "bob").intent_store(MemoryIntentStore::new()).build().unwrap();
        Self { server, seller, buyer }
    }

    async fn offer(&self, slug: &str, price: i32) -> Listing {
        let new = NewListing::new(slug, slug, ListingType::Task, Money::credits(price)).tag("nlp");
        self.seller.create_listing(&new).await.unwrap()
    }

    fn buyer(&self, policy: SpendingPolicy) -> Spending {
        SpendingClient::new(&self.buyer, policy).store(MemorySpendingStore::new())
    }

    /// A buyer whose waits take no time.
    fn waiting_buyer(&self, policy: SpendingPolicy) -> Spending {
        let options = machins_client::ClientOptions::new().clock(MockClock::new(0.0));
        let buyer = agent(&self.server, "eve").intent_store(MemoryIntentStore::new());
        let buyer = buyer.options(options).build().unwrap();
        SpendingClient::new(&buyer, policy).store(MemorySpendingStore::new())
    }
}

fn agent(server: &MockServer, slug: &str) -> ClientBuilder {
    let key = server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
    Client::builder().base_url(server.machins_base_url()).api_key(ApiKey::new(&key).unwrap())
}

fn credits(amount: i32) -> Money {
    Money::credits(amount)
}

/// Buys, and returns the kind of the error if it is refused.
async fn buy(client: &Spending, key: &str, listing: &ListingId) -> Result<(), ErrorKind> {
    let bought = client.propose_trade_once(key, &Proposal::new(listing)).await;
    bought.map(drop).map_err(|error| error.kind())
}

async fn trades(client: &Client) -> usize {
    let page = client.list_trades(&machins_client::TradeQuery::new()).await.unwrap();
    page.items.len()
}

#[rstest]
#[case::per_trade(SpendingPolicy::new().max_per_trade(credits(9)), 0)]
#[case::per_day(SpendingPolicy::new().max_per_day(credits(25)), 2)]
#[case::per_month(SpendingPolicy::new().max_per_month(credits(35)), 3)]
#[case::in_escrow(SpendingPolicy::new().max_in_escrow(credits(10)), 1)]
#[case::per_seller(SpendingPolicy::new().max_per_seller(credits(20)), 2)]
#[case::per_type(SpendingPolicy::new().max_per_type(&ListingType::Task, credits(10)), 1)]
#[case::of_another_type(SpendingPolicy::new().max_per_type(&ListingType::Data, credits(0)), 5)]
#[case::read_only(SpendingPolicy::new().read_only(), 0)]
#[case::another_seller(SpendingPolicy::new().allow_sellers(["eve"]), 0)]
#[case::this_seller(SpendingPolicy::new().allow_sellers(["ada"]), 5)]
#[case::denied_seller(SpendingPolicy::new().deny_sellers(["ada"]), 0)]
#[case::other_tags(SpendingPolicy::new().allow_tags(["images"]), 0)]
#[case::this_tag(SpendingPolicy::new().allow_tags(["NLP"]), 5)]
#[case::denied_tag(SpendingPolicy::new().deny_tags(["nlp"]), 0)]
#[case::reputation(SpendingPolicy::new().min_reputation("4.50".parse().unwrap()), 0)]
#[tokio::test]
async fn each_rule_refuses_what_exceeds_it(#[case] policy: SpendingPolicy, #[case] bought: usize) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(policy);
    for number in 0..5 {
        let done = buy(&client, &format!("k{number}"), &listing.id).await;
        assert_eq!(done, if number < bought { Ok(()) } else { Err(ErrorKind::Policy) }, "{number}");
    }
    assert_eq!(trades(&market.buyer).await, bought);
}

#[tokio::test]
async fn what_another_machine_bought_counts() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let policy = SpendingPolicy::new().max_per_day(credits(25));
    // Each has records of its own.
    let (one, other) = (market.buyer(policy.clone()), market.buyer(policy));
    buy(&one, "a", &listing.id).await.unwrap();
    market.buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    assert_eq!(buy(&other, "b", &listing.id).await, Err(ErrorKind::Policy));
    let remaining = other.remaining().await.unwrap();
    assert_eq!((remaining[0].used, remaining[0].remaining), (credits(20), credits(5)));
}

#[tokio::test]
async fn what_was_rejected_or_cancelled_is_free_again() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(10)));
    let proposal = Proposal::new(&listing.id);
    let first = client.propose_trade_once("a", &proposal).await.unwrap();
    market.seller.reject_trade(&first.id, None).await.unwrap();
    let second = client.propose_trade_once("b", &proposal).await.unwrap();
    market.seller.accept_trade(&second.id).await.unwrap();
    assert_eq!(buy(&client, "c", &listing.id).await, Err(ErrorKind::Policy));
    market.buyer.cancel_trade(&second.id, None).await.unwrap();
    buy(&client, "c", &listing.id).await.unwrap();
}

#[tokio::test]
async fn what_was_paid_counts_and_a_refund_does_not() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(20)));
    for (key, is_disputed) in [("a", false), ("b", true)] {
        let trade = client.propose_trade_once(key, &Proposal::new(&listing.id)).await.unwrap();
        market.seller.accept_trade(&trade.id).await.unwrap();
        market.seller.deliver_trade(&trade.id, &Delivery::task("done")).await.unwrap();
        if is_disputed {
            market.buyer.dispute_trade(&trade.id, None).await.unwrap();
            assert_eq!(buy(&client, "c", &listing.id).await, Err(ErrorKind::Policy));
            let refund = machins_mock::Outcome::Refund;
            market.server.resolve_dispute(trade.id.as_str(), refund).unwrap();
        } else {
            client.confirm_trade(&trade.id).await.unwrap();
        }
    }
    let used = client.remaining().await.unwrap()[0].used;
    assert_eq!(used, credits(10));
    buy(&client, "c", &listing.id).await.unwrap();
    assert_eq!(buy(&client, "d", &listing.id).await, Err(ErrorKind::Policy));
}

#[tokio::test]
async fn a_key_returns_its_trade_though_the_limit_is_reached() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(10)));
    let proposal = Proposal::new(&listing.id);
    let first = client.propose_trade_once("a", &proposal).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::Policy));
    assert_eq!(client.propose_trade_once("a", &proposal).await.unwrap().id, first.id);
}

#[tokio::test]
async fn many_at_once_stay_within_the_limit_together() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let folder = tempfile::tempdir().unwrap();
    let client = |folder: &Path| {
        SpendingClient::new(&market.buyer, SpendingPolicy::new().max_per_day(credits(35)))
            .store(FileSpendingStore::new(folder))
    };
    let clients: Vec<_> = (0..16).map(|_| client(folder.path())).collect();
    let calls = clients.iter().enumerate().map(|(number, client)| {
        let listing = listing.id.clone();
        async move { buy(client, &format!("k{number}"), &listing).await }
    });
    let done = join_all(calls).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 3, "{done:?}");
    assert_eq!(trades(&market.buyer).await, 3);
}

#[tokio::test]
async fn what_may_be_under_way_counts_until_it_is_known() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let store = MemorySpendingStore::new();
    let buyer = agent(&market.server, "eve")
        .intent_store(MemoryIntentStore::new())
        .options(machins_client::ClientOptions::new().timeout(Duration::from_secs(2)));
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

#[rstest]
#[case::behind(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))]
#[case::ahead(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000))]
#[tokio::test]
async fn a_clock_of_the_service_that_is_wrong_lifts_no_limit(#[case] clock: SystemTime) {
    let market = Market::on(MockServer::builder().clock(clock).start().unwrap());
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let trade = client.propose_trade_once("a", &Proposal::new(&listing.id)).await.unwrap();
    market.seller.accept_trade(&trade.id).await.unwrap();
    market.seller.deliver_trade(&trade.id, &Delivery::task("done")).await.unwrap();
    client.confirm_trade(&trade.id).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::Policy));
}

#[tokio::test]
async fn only_a_verified_delivery_is_confirmed() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().require_verified());
    let trade = client.propose_trade_once("a", &Proposal::new(&listing.id)).await.unwrap();
    market.seller.accept_trade(&trade.id).await.unwrap();
    market.seller.deliver_trade(&trade.id, &Delivery::task("done")).await.unwrap();
    let error = client.confirm_trade(&trade.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert!(error.to_string().contains("require_verified"), "{error}");
}

#[tokio::test]
async fn a_price_above_the_amount_needs_the_approval_of_a_person() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let approvals = client.list_approvals().await.unwrap();
    let [approval] = approvals.as_slice() else { panic!("{approvals:?}") };
    assert_eq!((approval.amount(), approval.state()), (credits(10), ApprovalState::Pending));

    client.decide_approval(approval.id(), false).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
    client.decide_approval(approval.id(), true).await.unwrap();
    // It holds up to this price, and for this purchase alone.
    let raised = ListingUpdate::new().price(credits(11));
    market.seller.update_listing(&listing.id, &raised).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let lowered = ListingUpdate::new().price(credits(9));
    market.seller.update_listing(&listing.id, &lowered).await.unwrap();
    let approvals = client.list_approvals().await.unwrap();
    let [raised] = approvals.as_slice() else { panic!("{approvals:?}") };
    assert_eq!((raised.amount(), raised.state()), (credits(11), ApprovalState::Pending));
    client.decide_approval(raised.id(), true).await.unwrap();
    buy(&client, "a", &listing.id).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let unknown = client.decide_approval("nothing", true).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[rstest]
#[case::approved(true, Ok(()))]
#[case::denied(false, Err(ErrorKind::Policy))]
#[tokio::test]
async fn a_callback_can_ask_the_person(
    #[case] answer: bool,
    #[case] expected: Result<(), ErrorKind>,
) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market
        .buyer(SpendingPolicy::new().approval_above(credits(5)))
        .approve_with(move |purchase| async move { purchase.amount() == credits(10) && answer });
    assert_eq!(buy(&client, "a", &listing.id).await, expected);
}

#[tokio::test]
async fn an_approval_lifts_no_limit() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let policy = SpendingPolicy::new().approval_above(credits(5)).max_per_trade(credits(9));
    let client = market.buyer(policy).approve_with(|_| async { true });
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
}

#[tokio::test]
async fn of_several_policies_the_strictest_holds() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market
        .buyer(SpendingPolicy::new().max_per_day(credits(50)))
        .and(SpendingPolicy::new().max_per_trade(credits(5)));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
    let PolicyDecision::Refused(refusal) = client.decide(&listing.id).await.unwrap() else {
        panic!("it is too much");
    };
    assert_eq!(refusal.rule(), PolicyRule::MaxPerTrade);
}

#[tokio::test]
async fn whoever_sells_is_not_limited() {
    let market = Market::new().await;
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let request = market.seller.create_listing(&request.side(Side::Request)).await.unwrap();
    let client = market.buyer(SpendingPolicy::new().read_only());
    buy(&client, "a", &request.id).await.unwrap();
    let offer = NewListing::new("Sold", "sold", ListingType::Task, credits(10));
    let offer = client.create_listing(&offer).await.unwrap();
    let trade = market.seller.propose_trade(&Proposal::new(&offer.id)).await.unwrap();
    client.accept_trade(&trade.id).await.unwrap();
}

#[tokio::test]
async fn a_buyer_of_a_request_is_limited_when_it_accepts() {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let request = client.create_listing(&request.side(Side::Request)).await.unwrap();
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let trade = market.seller.propose_trade(&Proposal::new(&request.id)).await.unwrap();
        accepted.push(client.accept_trade(&trade.id).await.map(drop).map_err(|e| e.kind()));
    }
    // The second proposal counts as under way itself, and the first one as accepted.
    assert_eq!(accepted, [Ok(()), Err(ErrorKind::Policy)]);
}

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

#[tokio::test]
async fn a_price_that_is_raised_meanwhile_is_given_up() {
    let server = wiremock::MockServer::start().await;
    let page = || reply(&json!({"items": [], "total": 0, "has_more": false}));
    for _ in 0..3 {
        once(&server, "GET", "/trades", page()).await;
    }
    for _ in 0..2 {
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
    once(&server, "POST", "/trades/t1r2a3d4/cancel", reply(&trade("cancelled"))).await;
    let client = support::builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(20)))
        .store(MemorySpendingStore::new());
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy);
    for part in ["10.00", "50.00", "t1r2a3d4", "was cancelled", "max_per_day"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert!(requests(&server).await.contains(&"POST /trades/t1r2a3d4/cancel".to_owned()));
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

fn with_reference(listing: &ListingId, reference: i32) -> Proposal {
    Proposal::new(listing).metadata("client_reference", reference)
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

#[rstest]
#[case::another_listing(1, None)]
#[case::other_terms(0, Some("with extras"))]
#[tokio::test]
async fn an_approval_is_not_that_of_another_purchase(
    #[case] listing: usize,
    #[case] terms: Option<&str>,
) {
    let market = Market::new().await;
    let listings = [market.offer("one", 10).await, market.offer("other", 10).await];
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    let proposal = with_reference(&listings[0].id, 1);
    client.propose_trade_once("a", &proposal).await.unwrap_err();
    let approvals = client.list_approvals().await.unwrap();
    client.decide_approval(approvals[0].id(), true).await.unwrap();
    let another = with_reference(&listings[listing].id, 1);
    let another = terms.iter().fold(another, |another, terms| another.terms(*terms));
    let error = client.propose_trade_once("b", &another).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ApprovalNeeded);
    client.propose_trade_once("a", &proposal).await.unwrap();
}

#[tokio::test]
async fn an_id_does_not_approve_a_price_that_was_raised_later() {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().approval_above(credits(5)));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let seen = client.list_approvals().await.unwrap();
    let raised = ListingUpdate::new().price(credits(90));
    market.seller.update_listing(&listing.id, &raised).await.unwrap();
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
    let error = client.decide_approval(seen[0].id(), true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::ApprovalNeeded));
}
