//! The machins client against the mock server: two readings of one reference.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures_util::TryStreamExt;
use machins_client::{
    ApiKey, CancellationToken, Claim, Client, ClientBuilder, ClientOptions, Delivery, Error,
    ErrorKind, Event, EventType, InboxQuery, Joined, ListingType, ListingUpdate, MarketplaceQuery,
    MockClock, Money, NewAgent, NewListing, NewReview, NewSubscription, Notification, PageQuery,
    Proposal, Rating, Role, Secret, Sort, Trade, TradeQuery, TradeStatus, TrustTier, blocking,
};
use machins_mock::{Fault, MockServer};
use rstest::rstest;
use serde_json::json;

fn nobody(server: &MockServer) -> ClientBuilder {
    Client::builder().base_url(server.machins_base_url())
}

async fn join(server: &MockServer, slug: &str) -> Joined {
    nobody(server).build().unwrap().join(&NewAgent::new(slug, slug)).await.unwrap()
}

async fn agent(server: &MockServer, slug: &str) -> Client {
    nobody(server).api_key(join(server, slug).await.api_key).build().unwrap()
}

fn offer(slug: &str, price: &str) -> NewListing {
    NewListing::new("Sentiment", slug, ListingType::Task, price.parse().unwrap()).tag("nlp")
}

/// A server with a seller, a buyer, and a trade that the buyer has proposed.
async fn proposed(server: &MockServer) -> (Client, Client, Trade) {
    let (seller, buyer) = (agent(server, "seller").await, agent(server, "buyer").await);
    let listing = seller.create_listing(&offer("work", "50")).await.unwrap();
    let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    (seller, buyer, trade)
}

async fn balance(client: &Client) -> Money {
    client.get_wallet().await.unwrap().balance
}

/// The whole lifecycle of the reference. The buyer is asynchronous, the seller blocking, and each
/// reacts to its own inbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_and_a_seller_complete_a_trade() {
    let server = MockServer::start().await;
    let buyer = agent(&server, "buyer").await;
    let seller_key = join(&server, "seller").await.api_key;
    let seller = nobody(&server).api_key(seller_key).build_blocking().unwrap();
    let seller = thread::spawn(move || sell_one(&seller));

    let listing = loop {
        let query = MarketplaceQuery::new().search("sentiment").tag("nlp").sort(Sort::Newest);
        let found: Vec<_> = buyer.browse_all(&query).try_collect().await.unwrap();
        if let Some(listing) = found.into_iter().next() {
            break listing;
        }
    };
    let detail = buyer.get_marketplace_listing(&listing.id).await.unwrap();
    assert_eq!(detail.seller.unwrap().slug, listing.seller_agent_slug);

    let proposal = Proposal::new(&listing.id).terms("JSON, please");
    let trade = buyer.propose_trade(&proposal).await.unwrap();
    assert_eq!(trade.terms.as_deref(), Some("JSON, please"));
    let stop = CancellationToken::new();
    let watch = buyer.inbox_watch().every(Duration::from_millis(1), Duration::from_millis(20));
    let handler = async |notification: Notification| {
        match notification.event() {
            Event::TradeDelivered(event) => {
                assert_eq!(event.trade_id, trade.id);
                let held = buyer.get_wallet().await?;
                assert_eq!(held.held_balance, Money::credits(50));
                let confirmed = buyer.confirm_trade(&trade.id).await?;
                assert_eq!(confirmed.status, TradeStatus::Completed);
                assert_eq!(confirmed.delivery_payload.unwrap()["result"], "positive");
            }
            Event::TradeCompleted(_) => stop.cancel(),
            _ => {}
        }
        Ok::<(), Error>(())
    };
    watch.stop(stop.clone()).run(handler).await.unwrap();
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast");
    buyer.create_review(&trade.id, &review).await.unwrap();
    assert_eq!(balance(&buyer).await, Money::credits(450));
    assert_eq!(seller.join().unwrap(), "547.50".parse().unwrap(), "less the fee of 5 %");

    let detail = buyer.get_marketplace_listing(&listing.id).await.unwrap();
    assert_eq!(detail.reviews.unwrap()[0].rating, Some(5));
    let profile = buyer.get_agent(&detail.seller_agent_slug.unwrap()).await.unwrap();
    assert_eq!(profile.reputation_score, Some("5.00".into()));
    let ledger: Vec<_> =
        buyer.transactions_all(&PageQuery::new().limit(1)).try_collect().await.unwrap();
    assert!(ledger.len() >= 2, "{ledger:?}");
}

/// Sells one task, driven by the inbox, and returns the final balance.
fn sell_one(client: &blocking::Client) -> Money {
    client.create_listing(&offer("sentiment", "50")).unwrap();
    let watch = client.inbox_watch().every(Duration::from_millis(1), Duration::from_millis(20));
    for delivery in watch.deliveries() {
        let delivery = delivery.unwrap();
        let event = delivery.event();
        if let Event::TradeProposed(event) = &event {
            let accepted = client.accept_trade(&event.trade_id).unwrap();
            assert_eq!(accepted.status, TradeStatus::EscrowHeld);
            client.deliver_trade(&event.trade_id, &Delivery::task("positive")).unwrap();
        }
        delivery.acknowledge().unwrap();
        if let Event::TradeCompleted(_) = event {
            break;
        }
    }
    client.get_wallet().unwrap().balance
}

#[rstest]
#[case::task(Delivery::task("done"))]
#[case::data(Delivery::data([json!({"row": 1})]))]
#[case::api(Delivery::api("https://api.example/v1", json!({"token": "t"})))]
#[case::model(Delivery::model("https://model.example/v1", json!({"token": "t"})))]
#[case::asset(Delivery::asset("0xabc"))]
#[tokio::test]
async fn each_type_takes_its_own_delivery_and_no_other(#[case] delivery: Delivery) {
    let server = MockServer::start().await;
    let (seller, buyer) = (agent(&server, "seller").await, agent(&server, "buyer").await);
    let listing_type = delivery.listing_type().unwrap().clone();
    let offer = NewListing::new("Thing", "thing", listing_type, Money::credits(10));
    let listing = seller.create_listing(&offer).await.unwrap();
    let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    seller.accept_trade(&trade.id).await.unwrap();
    let wrong = Delivery::payload(json!({"nothing": true}));
    let error = seller.deliver_trade(&trade.id, &wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    let delivered = seller.deliver_trade(&trade.id, &delivery).await.unwrap();
    assert_eq!(delivered.status, TradeStatus::Delivered);
}

#[tokio::test]
async fn a_bounty_is_held_at_once_and_pays_the_seller() {
    let server = MockServer::start().await;
    let (buyer, seller) = (agent(&server, "buyer").await, agent(&server, "seller").await);
    let request = offer("wanted", "80").request().bounty();
    let listing = buyer.create_listing(&request).await.unwrap();
    assert_eq!(listing.bounty_held, Some(true));
    assert_eq!(buyer.get_wallet().await.unwrap().held_balance, Money::credits(80));
    let trade = seller.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    buyer.accept_trade(&trade.id).await.unwrap();
    seller.deliver_trade(&trade.id, &Delivery::task("done")).await.unwrap();
    buyer.confirm_trade(&trade.id).await.unwrap();
    assert_eq!(balance(&seller).await, Money::credits(576));
    assert_eq!(buyer.get_wallet().await.unwrap().held_balance, Money::ZERO);
}

#[tokio::test]
async fn each_documented_error_is_a_kind_of_its_own() {
    let server = MockServer::start().await;
    let (seller, buyer, trade) = proposed(&server).await;
    let kind = |result: Result<Trade, machins_client::Error>| result.unwrap_err().kind();
    assert_eq!(kind(buyer.accept_trade(&trade.id).await), ErrorKind::Forbidden);
    assert_eq!(kind(buyer.confirm_trade(&trade.id).await), ErrorKind::InvalidTransition);
    assert_eq!(kind(buyer.get_trade(&"nobodys".parse().unwrap()).await), ErrorKind::NotFound);
    let own = Proposal::new(&trade.listing_id);
    assert_eq!(kind(seller.propose_trade(&own).await), ErrorKind::Forbidden);

    let again = seller.create_listing(&offer("work", "50")).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let odd = seller.create_listing(&offer("No Slug", "50")).await.unwrap_err();
    assert_eq!(odd.kind(), ErrorKind::BadRequest);
    let dear = seller.create_listing(&offer("dear", "600").request().bounty()).await.unwrap_err();
    assert_eq!(dear.kind(), ErrorKind::InsufficientFunds);
    let stranger = nobody(&server).api_key(ApiKey::new("at_wrong").unwrap()).build().unwrap();
    assert_eq!(stranger.get_wallet().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    server.add_fault(Fault::status(429).retry_after(999).times(1)).unwrap();
    assert_eq!(buyer.get_wallet().await.unwrap_err().kind(), ErrorKind::RateLimited);
}

#[rstest]
#[case::reply_dropped(Fault::drop_after())]
#[case::reply_truncated(Fault::truncate())]
#[case::reply_unreadable(Fault::garbage())]
#[case::request_dropped(Fault::drop_before())]
#[tokio::test]
async fn a_call_whose_reply_was_lost_takes_effect_once(#[case] lost: Fault) {
    let server = MockServer::start().await;
    let (seller, buyer) = (agent(&server, "seller").await, agent(&server, "buyer").await);
    let lose = |path: &str| {
        let fault = lost.clone().method("POST").path(path).times(1);
        server.add_fault(fault).unwrap();
    };
    lose("/api/v1/listings");
    let listing = seller.create_listing(&offer("work", "50")).await.unwrap();
    assert_eq!(seller.list_listings().await.unwrap().len(), 1);

    lose("/api/v1/trades");
    let proposal = Proposal::new(&listing.id);
    let trade = match buyer.propose_trade(&proposal).await {
        Ok(trade) => trade,
        // Not being listed does not mean that it will not arrive: the caller decides.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
            assert!(buyer.list_trades(&TradeQuery::new()).await.unwrap().items.is_empty());
            buyer.propose_trade(&proposal).await.unwrap()
        }
    };
    lose("/api/v1/trades/*/accept");
    assert_eq!(
        seller.accept_trade(&trade.id).await.unwrap().status,
        TradeStatus::EscrowHeld,
        "{lost:?}"
    );
    lose("/api/v1/trades/*/deliver");
    seller.deliver_trade(&trade.id, &Delivery::task("done")).await.unwrap();
    lose("/api/v1/trades/*/confirm");
    buyer.confirm_trade(&trade.id).await.unwrap();
    lose("/api/v1/trades/*/review");
    let review = NewReview::new(Rating::new(4).unwrap());
    buyer.create_review(&trade.id, &review).await.unwrap();
    lose("/api/v1/subscriptions");
    let hook = NewSubscription::new(EventType::NewAgent, "http://127.0.0.1:9/hook");
    if let Err(error) = buyer.subscribe(&hook).await {
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
        buyer.subscribe(&hook).await.unwrap();
    }

    let trades = buyer.list_trades(&TradeQuery::new().role(Role::Buyer)).await.unwrap();
    assert_eq!(trades.items.len(), 1);
    assert_eq!(trades.items[0].status, TradeStatus::Completed);
    let detail = buyer.get_marketplace_listing(&listing.id).await.unwrap();
    assert_eq!(detail.reviews.unwrap().len(), 1);
    assert_eq!(buyer.list_subscriptions().await.unwrap().len(), 1);
    assert_eq!(balance(&buyer).await, Money::credits(450));
    assert_eq!(balance(&seller).await, "547.50".parse().unwrap());
}

#[tokio::test]
async fn a_join_whose_reply_was_lost_says_that_the_key_is_lost() {
    let server = MockServer::start().await;
    server.add_fault(Fault::drop_after().path("/api/v1/agents/onboard").times(1)).unwrap();
    let error =
        nobody(&server).build().unwrap().join(&NewAgent::new("Ada", "ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().contains("another slug"), "{error}");
    assert_eq!(server.requests().len(), 1, "a creation is not repeated");
}

#[tokio::test]
async fn disputes_resolve_after_a_day() {
    let server = MockServer::start().await;
    let (seller, buyer, trade) = proposed(&server).await;
    seller.accept_trade(&trade.id).await.unwrap();
    seller.deliver_trade(&trade.id, &Delivery::task("?")).await.unwrap();
    let disputed = buyer.dispute_trade(&trade.id, Some("not it")).await.unwrap();
    assert_eq!(disputed.status, TradeStatus::Disputed);
    assert_eq!(buyer.get_wallet().await.unwrap().held_balance, Money::credits(50));
    server.clock().advance(Duration::from_hours(25)).unwrap();
    assert_eq!(buyer.get_trade(&trade.id).await.unwrap().status, TradeStatus::Resolved);
    assert_eq!(balance(&buyer).await, Money::credits(500), "refunded: it was not verified");
}

#[tokio::test]
async fn a_claimed_agent_trades_without_limit_and_has_an_owner() {
    let server = MockServer::start().await;
    let joined = join(&server, "seller").await;
    assert_eq!(joined.trust_tier.as_ref().unwrap().current, TrustTier::Starter);
    let password = Secret::new("securepassword");
    let claim =
        Claim::new(joined.claim_url.as_ref().unwrap(), "human@example.com", password.clone())
            .name("Alice");
    let client = nobody(&server).build().unwrap();
    client.claim(&claim).await.unwrap();
    assert_eq!(client.claim(&claim).await.unwrap_err().kind(), ErrorKind::Conflict);

    let wrong = client.owner_login("human@example.com", &Secret::new("wrong-password")).await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Unauthorized);
    let session = client.owner_login("human@example.com", &password).await.unwrap();
    let owner = nobody(&server).owner_token(session.token).build().unwrap();
    let profile = owner.get_owner().await.unwrap();
    assert_eq!(profile.email.as_deref(), Some("human@example.com"));
    assert_eq!(client.get_owner().await.unwrap_err().kind(), ErrorKind::MissingCredential);
    server.clock().advance(Duration::from_hours(25)).unwrap();
    assert_eq!(owner.get_owner().await.unwrap_err().kind(), ErrorKind::Unauthorized, "24 hours");
}

#[tokio::test]
async fn listings_are_changed_and_taken_down() {
    let server = MockServer::start().await;
    let seller = agent(&server, "seller").await;
    let listing = seller.create_listing(&offer("work", "50")).await.unwrap();
    let update = ListingUpdate::new().price("60.50".parse().unwrap()).title("Better");
    let changed = seller.update_listing(&listing.id, &update).await.unwrap();
    assert_eq!((changed.price.to_string().as_str(), &*changed.title), ("60.50", "Better"));
    assert_eq!(seller.get_listing(&listing.id).await.unwrap(), changed);
    let down = seller.deactivate_listing(&listing.id).await.unwrap();
    assert_eq!(down.reply["is_active"], false);
    let found = seller.browse(&MarketplaceQuery::new()).await.unwrap();
    assert_eq!(found.total, Some(0));
}

/// Accepting a trade takes it off the list of proposed trades.
#[tokio::test]
async fn every_proposed_trade_is_listed_while_each_is_accepted() {
    let server = MockServer::start().await;
    let (seller, buyer) = (agent(&server, "seller").await, agent(&server, "buyer").await);
    let listing = seller.create_listing(&offer("work", "1")).await.unwrap();
    for _ in 0..95 {
        buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    }
    let mut proposed =
        seller.trades_all(&TradeQuery::new().status(TradeStatus::Proposed).limit(20));
    let mut accepted = HashSet::new();
    while let Some(trade) = proposed.try_next().await.unwrap() {
        seller.accept_trade(&trade.id).await.unwrap();
        accepted.insert(trade.id);
    }
    assert_eq!(accepted.len(), 95);
}

#[tokio::test]
async fn the_inbox_is_listed_and_acknowledged() {
    let server = MockServer::start().await;
    let (seller, _buyer, trade) = proposed(&server).await;
    let unread = seller.list_inbox(&InboxQuery::new().unread()).await.unwrap();
    assert_eq!(unread.unread_count, Some(1));
    let Event::TradeProposed(event) = unread.items[0].event() else { panic!("{unread:?}") };
    assert_eq!((event.trade_id, event.price), (trade.id, Some(Money::credits(50))));
    seller.ack_inbox(&[unread.items[0].id.clone()]).await.unwrap();
    let unread = seller.list_inbox(&InboxQuery::new().unread()).await.unwrap();
    assert_eq!((unread.items.len(), unread.unread_count), (0, Some(0)));
    seller.ack_all_inbox().await.unwrap();
    assert_eq!(
        seller.inbox_all(&InboxQuery::new()).try_collect::<Vec<_>>().await.unwrap().len(),
        1
    );
    server.clock().advance(Duration::from_hours(24 * 8)).unwrap();
    assert!(seller.list_inbox(&InboxQuery::new()).await.unwrap().items.is_empty(), "pruned");
}

#[tokio::test]
async fn a_stopped_watch_leaves_what_it_did_not_hand_over() {
    let server = MockServer::start().await;
    let (seller, buyer, trade) = proposed(&server).await;
    buyer.propose_trade(&Proposal::new(&trade.listing_id)).await.unwrap();
    let stop = CancellationToken::new();
    let mut deliveries = seller.inbox_watch().stop(stop.clone()).deliveries();
    let oldest = deliveries.next().await.unwrap().unwrap();
    let Event::TradeProposed(event) = oldest.event() else { panic!("{oldest:?}") };
    assert_eq!(event.trade_id, trade.id, "the mock lists the newest first");
    oldest.acknowledge().await.unwrap();
    stop.cancel();
    assert!(deliveries.next().await.is_none());
    let unread = seller.list_inbox(&InboxQuery::new().unread()).await.unwrap();
    assert_eq!(unread.unread_count, Some(1));
}

/// The loop of the README, disturbed for ever at one trade, or a few times at the inbox.
#[rstest]
#[case::insufficient_funds("POST", "/trades/HOSTILE/accept", 400, json!({"error": {"code": "INSUFFICIENT_FUNDS"}}))]
#[case::invalid_transition("POST", "/trades/HOSTILE/accept", 422, json!({"detail": "no"}))]
#[case::forbidden("POST", "/trades/HOSTILE/deliver", 403, json!({"detail": "no"}))]
#[case::not_found("GET", "/trades/HOSTILE", 404, json!({"detail": "no"}))]
#[case::html_for_a_trade("GET", "/trades/HOSTILE", 200, json!("<html>Please wait</html>"))]
#[case::malformed_entries("GET", "/inbox", 200, json!({"items": [{"id": 5}, null], "has_more": false}))]
#[case::html("GET", "/inbox", 200, json!("<html>Please wait</html>"))]
#[case::html_not_found("GET", "/inbox", 404, json!("<html>Nothing</html>"))]
#[case::html_for_an_acknowledgement("POST", "/inbox/ack", 502, json!("<html>Bad gateway</html>"))]
#[tokio::test]
async fn the_documented_loop_survives(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] body: serde_json::Value,
) {
    let server = MockServer::start().await;
    let seller = join(&server, "seller").await.api_key;
    let options = ClientOptions::new().clock(MockClock::new(0.0));
    let client = nobody(&server).api_key(seller).options(options).build().unwrap();
    let buyer = agent(&server, "buyer").await;
    let listing = client.create_listing(&offer("work", "5")).await.unwrap();
    let hostile = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    let honest = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    let path = format!("/api/v1{path}").replace("HOSTILE", hostile.id.as_str());
    let times = if path.contains("inbox") { 4 } else { u64::MAX };
    server
        .add_fault(Fault::status(status).body(body).method(method).path(path).times(times))
        .unwrap();

    let stop = CancellationToken::new();
    let handler = async |notification: Notification| {
        if let Event::TradeProposed(proposed) = notification.event() {
            let mut trade = client.get_trade(&proposed.trade_id).await?;
            if trade.status == TradeStatus::Proposed {
                trade = client.accept_trade(&trade.id).await?;
            }
            if trade.status == TradeStatus::EscrowHeld {
                client.deliver_trade(&trade.id, &Delivery::task("done")).await?;
            }
            if trade.id == honest.id {
                stop.cancel();
            }
        }
        Ok::<(), Error>(())
    };
    client.inbox_watch().concurrency(8).stop(stop.clone()).run(handler).await.unwrap();
    let delivered = buyer.get_trade(&honest.id).await.unwrap();
    assert_eq!(delivered.status, TradeStatus::Delivered);
}

/// A receiver with the axum extractor gets signed webhooks, and only what it subscribed to.
#[tokio::test]
async fn webhooks_arrive_signed_and_are_verified() {
    use axum::{Router, routing::post};
    use machins_client::webhook::{Verified, Verifier};

    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let verifier = Verifier::new(&Secret::new("shared")).unwrap();
    let hook = async move |Verified(webhook): Verified| sender.send(webhook).unwrap();
    let router = Router::new().route("/hook", post(hook)).with_state(verifier);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let server = MockServer::start().await;
    let (seller, buyer) = (agent(&server, "seller").await, agent(&server, "buyer").await);
    let subscription = NewSubscription::new(EventType::TradeProposed, &*url);
    let subscription = subscription.secret(Secret::new("shared"));
    let subscribed = seller.subscribe(&subscription).await.unwrap();
    let listing = seller.create_listing(&offer("work", "50")).await.unwrap();
    let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    let webhook = received.recv().await.unwrap();
    assert_eq!(webhook.subscription_id, Some(subscribed.id));
    let Event::TradeProposed(event) = webhook.event() else { panic!("{webhook:?}") };
    assert_eq!(event.trade_id, trade.id);
}

/// The buyer's own server says whether a delivery is as agreed.
#[tokio::test]
async fn a_delivery_is_verified_by_the_buyers_callback() {
    use axum::{Json, Router, routing::post};
    use machins_client::webhook::Verification;

    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let verify = async move |Json(body): Json<serde_json::Value>| {
        log.lock().unwrap().push(body.clone());
        let accepted = body["payload"]["result"] == "good";
        Json(if accepted { Verification::accept() } else { Verification::reject("not good") })
    };
    let router = Router::new().route("/verify", post(verify));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/verify", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let server = MockServer::start().await;
    let (seller, buyer) = (agent(&server, "seller").await, agent(&server, "buyer").await);
    let listing = seller.create_listing(&offer("work", "50")).await.unwrap();
    for (result, verified) in [("good", true), ("bad", false)] {
        let proposal = Proposal::new(&listing.id).verification_url(&*url);
        let trade = buyer.propose_trade(&proposal).await.unwrap();
        seller.accept_trade(&trade.id).await.unwrap();
        let delivered = seller.deliver_trade(&trade.id, &Delivery::task(result)).await.unwrap();
        assert_eq!(delivered.delivery_verified, Some(verified), "{result}: {delivered:?}");
        assert_eq!(asked.lock().unwrap().last().unwrap()["trade_id"], trade.id.as_str());
    }
}

#[tokio::test]
async fn public_figures_need_no_key() {
    let server = MockServer::start().await;
    let (_seller, _buyer, _trade) = proposed(&server).await;
    let client = nobody(&server).build().unwrap();
    let stats = client.get_stats().await.unwrap();
    assert_eq!((stats.total_agents, stats.active_listings), (Some(2), Some(1)));
    client.get_leaderboard().await.unwrap();
    client.get_recent_trades().await.unwrap();
    client.get_platform_info().await.unwrap();
    let slug = "seller".parse().unwrap();
    assert_eq!(client.get_agent(&slug).await.unwrap().slug, Some(slug));
    let options = ClientOptions::new().max_attempts(1);
    let offline = nobody(&server).options(options).build().unwrap();
    let _outage = server.fault_scoped(Fault::status(503)).unwrap();
    assert_eq!(offline.get_stats().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
