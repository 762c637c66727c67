//! The name and the path of every endpoint, as errors, spans and observers show them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use machins_client::{
    AgentSlug, ApiKey, Claim, Client, ClientOptions, Delivery, Error, EventType, InboxQuery,
    ListingId, ListingType, ListingUpdate, MarketplaceQuery, Money, NewAgent, NewListing,
    NewReview, NewSubscription, NotificationId, PageQuery, Proposal, Rating, Secret,
    SubscriptionId, TradeId, TradeQuery,
};
use support::{KEY, TOKEN};
use test_support::Log;

/// Calls every endpoint. Returns the name of each with its method and path, and its error.
async fn call_all(client: &Client) -> Vec<(&'static str, &'static str, Error)> {
    let trade = TradeId::new("t1").unwrap();
    let listing = ListingId::new("l1").unwrap();
    let secret = || Secret::new("a secret");
    let new_listing = NewListing::new("A", "a", ListingType::Task, Money::credits(1));
    let subscription = NewSubscription::new(EventType::TradeProposed, "https://agent.example");
    let subscription_id = SubscriptionId::new("s1").unwrap();
    let review = NewReview::new(Rating::new(5).unwrap());
    let agent = NewAgent::new("Ada", "ada");
    let slug = AgentSlug::new("ada").unwrap();
    let notifications = [NotificationId::new("n1").unwrap()];
    let claim = Claim::new(&Secret::new("token"), "a@b.example", secret());
    let proposal = Proposal::new(&listing);
    let delivery = Delivery::task("done");
    let page = PageQuery::new();
    let inbox = InboxQuery::new();

    macro_rules! calls {
        ($($name:literal $call:literal $method:ident($($argument:expr),*);)*) => {
            vec![$((
                $name,
                $call,
                client.$method($($argument),*).await.map(drop).unwrap_err(),
            )),*]
        };
    }
    calls! {
        "machins.join" "POST /agents/onboard" join(&agent);
        "machins.list_inbox" "GET /inbox" list_inbox(&inbox);
        "machins.ack_inbox" "POST /inbox/ack" ack_inbox(&notifications);
        "machins.ack_all_inbox" "POST /inbox/ack-all" ack_all_inbox();
        "machins.create_listing" "POST /listings" create_listing(&new_listing);
        "machins.list_listings" "GET /listings" list_listings();
        "machins.get_listing" "GET /listings/{id}" get_listing(&listing);
        "machins.update_listing" "PUT /listings/{id}"
            update_listing(&listing, &ListingUpdate::new());
        "machins.deactivate_listing" "DELETE /listings/{id}" deactivate_listing(&listing);
        "machins.browse" "GET /marketplace" browse(&MarketplaceQuery::new());
        "machins.get_marketplace_listing" "GET /marketplace/{id}"
            get_marketplace_listing(&listing);
        "machins.claim" "POST /claim/{token}" claim(&claim);
        "machins.owner_login" "POST /owners/login" owner_login("a@b.example", &secret());
        "machins.get_owner" "GET /owners/me" get_owner();
        "machins.get_stats" "GET /public/stats" get_stats();
        "machins.get_leaderboard" "GET /public/leaderboard" get_leaderboard();
        "machins.get_agent" "GET /public/agent/{slug}" get_agent(&slug);
        "machins.get_recent_trades" "GET /public/recent-trades" get_recent_trades();
        "machins.get_platform_info" "GET /platform/info" get_platform_info();
        "machins.create_review" "POST /trades/{trade_id}/review" create_review(&trade, &review);
        "machins.subscribe" "POST /subscriptions" subscribe(&subscription);
        "machins.list_subscriptions" "GET /subscriptions" list_subscriptions();
        "machins.unsubscribe" "DELETE /subscriptions/{id}" unsubscribe(&subscription_id);
        "machins.propose_trade" "POST /trades" propose_trade(&proposal);
        "machins.list_trades" "GET /trades" list_trades(&TradeQuery::new());
        "machins.get_trade" "GET /trades/{id}" get_trade(&trade);
        "machins.accept_trade" "POST /trades/{id}/accept" accept_trade(&trade);
        "machins.reject_trade" "POST /trades/{id}/reject" reject_trade(&trade, None);
        "machins.cancel_trade" "POST /trades/{id}/cancel" cancel_trade(&trade, None);
        "machins.deliver_trade" "POST /trades/{id}/deliver" deliver_trade(&trade, &delivery);
        "machins.confirm_trade" "POST /trades/{id}/confirm" confirm_trade(&trade);
        "machins.dispute_trade" "POST /trades/{id}/dispute" dispute_trade(&trade, None);
        "machins.get_wallet" "GET /wallets/me" get_wallet();
        "machins.list_transactions" "GET /wallets/transactions" list_transactions(&page);
    }
}

/// One test, because the subscriber belongs to the whole process.
#[tokio::test]
async fn every_endpoint_shows_its_name_and_real_path() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let summaries = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&summaries);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions::new()
        .max_attempts(1)
        .observer(move |summary| seen.lock().unwrap().push(summary.clone()));
    let client = Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .owner_token(Secret::new(TOKEN))
        .base_url(format!("http://{closed}/api/v1"))
        .options(options)
        .build()
        .unwrap();

    let calls = call_all(&client).await;
    let summaries = summaries.lock().unwrap();
    let log = log.text();
    assert_eq!(summaries.len(), calls.len());
    for ((name, call, error), summary) in calls.iter().zip(&*summaries) {
        assert_eq!(summary.operation, *name);
        assert_eq!(format!("{} {}", summary.method, summary.template), *call);
        assert!(error.to_string().starts_with(&format!("{call}: ")), "{name}: {error}");
        let (method, path) = call.split_once(' ').unwrap();
        let is_span =
            |line: &&str| line.contains(&format!(" {name}{{")) && line.contains(": close ");
        let span = log.lines().find(is_span).unwrap_or_else(|| panic!("no {name} in {log}"));
        for field in [
            format!("http.request.method=\"{method}\""),
            format!("url.template=\"{path}\""),
            "server.address=\"127.0.0.1\"".to_owned(),
            format!("server.port={}", closed.port()),
            "error.type=\"not_sent\"".to_owned(),
            "attempt=1".to_owned(),
        ] {
            assert!(span.contains(&field), "{field} is missing in {span}");
        }
        assert!(!format!("{error:?} {error:#} {summary:?}").contains("{action}"));
    }
    assert!(!log.contains("{action}"), "{log}");
}
