//! What each limit refuses.

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use machins_client::{
    Delivery, ErrorKind, FileSpendingStore, ListingType, MemoryIntentStore, MemorySpendingStore,
    NewListing, PolicyDecision, PolicyRule, Proposal, Side, SpendingClient, SpendingPolicy,
};
use machins_mock::MockServer;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::Mock;
use wiremock::matchers::{method, path, query_param_is_missing};

use crate::market::{Market, agent, buy, credits, trades};
use crate::stores::DisturbedStore;
use crate::support::{builder, listing, once, reply, requests, trade, trade_id};

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

#[rstest]
#[case::last_month(true, Ok(()))]
#[case::just_now(false, Err(ErrorKind::Policy))]
#[tokio::test]
async fn a_trade_that_is_not_shown_is_over_after_an_hour(
    #[case] is_old: bool,
    #[case] second: Result<(), ErrorKind>,
) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    // The service shows only newer trades, for example.
    let store = if is_old {
        DisturbedStore::altering(|purchase| {
            purchase.insert("trade_id".into(), "t0".into());
            let then = SystemTime::now() - Duration::from_secs(32 * 24 * 60 * 60);
            let then = then.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            purchase.insert("reserved_at_ms".into(), json!(then.as_millis()));
        })
    } else {
        DisturbedStore::altering(|purchase| drop(purchase.insert("trade_id".into(), "t0".into())))
    };
    let policy = SpendingPolicy::new().max_in_escrow(credits(15));
    let client = SpendingClient::new(&market.buyer, policy).store(store);
    let trade = client.propose_trade_once("a", &Proposal::new(&listing.id)).await.unwrap();
    market.seller.reject_trade(&trade.id, None).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, second);
}

#[tokio::test]
async fn a_slug_like_the_id_of_another_is_not_allowed() {
    let market = Market::new().await;
    let id = market.seller.get_wallet().await.unwrap().agent_id.unwrap();
    let imitator = agent(&market.server, id.as_str()).build().unwrap();
    let new = NewListing::new("work", "work", ListingType::Task, credits(10));
    let listing = imitator.create_listing(&new).await.unwrap();
    let client = market.buyer(SpendingPolicy::new().allow_sellers([id.as_str()]));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
    let listing = market.offer("own", 10).await;
    buy(&client, "b", &listing.id).await.unwrap();
}

#[rstest]
#[case::another_case("Ada")]
#[case::spaces(" ada\t")]
#[tokio::test]
async fn a_denied_seller_is_recognised_in_any_form(#[case] name: &str) {
    let market = Market::new().await;
    let listing = market.offer("work", 10).await;
    let client = market.buyer(SpendingPolicy::new().deny_sellers([name]));
    assert_eq!(buy(&client, "a", &listing.id).await, Err(ErrorKind::Policy));
}

#[rstest]
#[case::trades("/trades")]
#[case::transactions("/wallets/transactions")]
#[tokio::test]
async fn all_is_read_if_the_newest_are_not_listed_first(
    #[case] list: &str,
    // In short pages, of which the service says that there are more, or nothing.
    #[values(json!({"total": 3}), json!({}))] said: Value,
) {
    let page_of = |items: Value| {
        let mut page = said.clone();
        page["items"] = items;
        page
    };
    let server = wiremock::MockServer::start().await;
    let wallet = json!({"id": "w", "agent_id": "buyer-uuid", "balance": "500.00",
        "held_balance": "0.00", "available_balance": "500.00"});
    once(&server, "GET", "/wallets/me", reply(&wallet)).await;
    let empty = json!({"items": [], "total": 0, "has_more": false});
    let item = |id: u32, at: &str| match list {
        "/trades" => {
            let mut trade = trade("completed");
            trade["id"] = json!(format!("t{id}"));
            trade["price"] = json!("10.00");
            trade["proposed_at"] = json!(at);
            trade
        }
        _ => json!({"id": format!("e{id}"), "transaction_id": format!("x{id}"),
            "entry_type": "debit", "amount": "10.00", "balance_after": "1.00",
            "category": "other", "reference_type": "agent", "reference_id": format!("r{id}"),
            "description": "", "created_at": at}),
    };
    let (one, two) = (item(1, "2026-01-01T00:00:00Z"), item(2, "2026-01-02T00:00:00Z"));
    let first = page_of(json!([one, two]));
    // A time that cannot be read counts as of now.
    let last = page_of(json!([two, item(3, "today")]));
    let other = if list == "/trades" { "/wallets/transactions" } else { "/trades" };
    // The search for the key comes before anything is decided. Nothing is listed by status.
    for (list, page) in [
        ("/trades", &empty),
        (list, &first),
        (list, &last),
        (list, &page_of(json!([item(3, "today")]))),
        (list, &page_of(json!([]))),
        (other, &empty),
    ] {
        let at = format!("/api/v1{list}");
        let get = Mock::given(method("GET")).and(path(at)).and(query_param_is_missing("status"));
        get.respond_with(reply(page)).up_to_n_times(1).mount(&server).await;
    }
    let mut offer = listing();
    offer["price"] = json!("10.00");
    once(&server, "GET", "/marketplace/a1b2c3d4", reply(&offer)).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().max_per_day(credits(15)))
        .store(MemorySpendingStore::new());
    let proposal = Proposal::new(&machins_client::ListingId::new("a1b2c3d4").unwrap());
    let error = client.propose_trade_once("a", &proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
}

#[tokio::test]
async fn a_seller_who_may_be_denied_is_not_accepted() {
    let server = wiremock::MockServer::start().await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade("proposed"))).await;
    let wallet = json!({"id": "w", "agent_id": "buyer-uuid", "balance": "500.00",
        "held_balance": "0.00", "available_balance": "500.00"});
    for _ in 0..2 {
        once(&server, "GET", "/wallets/me", reply(&wallet)).await;
    }
    let page = json!({"items": [], "total": 0, "has_more": false});
    for list in ["/trades", "/wallets/transactions"] {
        once(&server, "GET", list, reply(&page)).await;
    }
    let mut request = listing();
    request["side"] = "request".into();
    once(&server, "GET", "/listings/a1b2c3d4", reply(&request)).await;
    // The service does not show the id of its profile.
    once(&server, "GET", "/public/agent/eve", reply(&json!({"slug": "eve", "name": "Eve"}))).await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let client = SpendingClient::new(&client, SpendingPolicy::new().deny_sellers(["eve"]))
        .store(MemorySpendingStore::new());
    let error = client.accept_trade(&trade_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert!(!requests(&server).await.iter().any(|request| request.starts_with("POST")));
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
async fn proposals_of_strangers_use_up_no_limit() {
    let market = Market::new().await;
    let client = market.buyer(SpendingPolicy::new().max_per_day(credits(15)));
    let request = NewListing::new("Wanted", "wanted", ListingType::Task, credits(10));
    let request = client.create_listing(&request.side(Side::Request)).await.unwrap();
    for _ in 0..3 {
        market.seller.propose_trade(&Proposal::new(&request.id)).await.unwrap();
    }
    let listing = market.offer("work", 10).await;
    buy(&client, "a", &listing.id).await.unwrap();
    assert_eq!(buy(&client, "b", &listing.id).await, Err(ErrorKind::Policy));
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
    assert_eq!(accepted, [Ok(()), Err(ErrorKind::Policy)]);
}
