//! Disputes: how they end, by time and by hand.

use machins_mock::{AccountKind, MachinsError, Outcome};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{DAY, HOUR, Platform, id};
use crate::support::receiver::{Receiver, answer};

async fn disputed(platform: &Platform, verification: &'static str) -> Value {
    let verifier = Receiver::start(move |_| answer(200, verification)).await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let url = (!verification.is_empty()).then_some(&verifier.url);
    let proposal = json!({"listing_id": listing["id"], "verification_url": url});
    let trade = platform.done(&buyer, "/trades", proposal).await;
    for (agent, action) in [(&seller, "accept"), (&seller, "deliver")] {
        platform.act(agent, &trade, action).await;
    }
    platform.act(&buyer, &trade, "dispute").await
}

/// The available credits of seller and buyer, by the ledger.
fn available(platform: &Platform) -> (String, String) {
    let accounts = platform.server.ledger().accounts;
    let balance = |slug: &str| {
        let mut own = accounts.iter().filter(|account| account.agent_slug.as_deref() == Some(slug));
        own.find(|account| account.account == AccountKind::Available).unwrap().balance.clone()
    };
    (balance("seller"), balance("buyer"))
}

#[rstest]
#[case::no_verifier("")]
#[case::refused(r#"{"accepted": false}"#)]
#[case::unreadable_answer("nonsense")]
#[tokio::test]
async fn an_unverified_delivery_is_refunded_after_a_day(#[case] verification: &'static str) {
    let platform = Platform::start().await;
    let trade = disputed(&platform, verification).await;
    assert!(trade["dispute_resolves_at"].is_string());
    platform.server.clock().advance(23 * HOUR).unwrap();
    assert_eq!(available(&platform), ("500.00".into(), "450.00".into()));
    platform.server.clock().advance(HOUR).unwrap();
    assert_eq!(available(&platform), ("500.00".into(), "500.00".into()));
    platform.assert_balanced();
}

#[tokio::test]
async fn a_verified_delivery_is_released_after_a_week() {
    let platform = Platform::start().await;
    let trade = disputed(&platform, r#"{"accepted": true}"#).await;
    platform.server.clock().advance(167 * HOUR).unwrap();
    assert_eq!(available(&platform), ("500.00".into(), "450.00".into()));
    platform.server.clock().advance(HOUR).unwrap();
    assert_eq!(available(&platform), ("547.50".into(), "450.00".into()));
    platform.assert_balanced();
    let stats = platform.public("/public/stats").await;
    assert_eq!((&stats["total_trades"], &stats["total_volume"]), (&json!(1), &json!("50.00")));
    assert_eq!(platform.public("/public/recent-trades").await["items"][0]["trade_id"], trade["id"]);
}

#[tokio::test]
async fn due_events_carry_the_time_they_were_due() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("one"), platform.agent("two"));
    let trade = platform.trade_at(&seller, &buyer, "disputed").await;
    let listing = platform.listing(&seller, json!({"expires_in_hours": 30})).await;
    platform.server.clock().advance(100 * DAY).unwrap();
    let trade = platform.get(&buyer, &format!("/trades/{}", id(&trade))).await;
    assert_eq!((&trade["status"], &trade["resolution"]), (&json!("resolved"), &json!("refund")));
    assert_eq!(trade["resolved_at"], trade["dispute_resolves_at"]);
    let listing = platform.get(&seller, &format!("/listings/{}", id(&listing))).await;
    assert_eq!(listing["updated_at"], listing["expires_at"]);
    let transactions = platform.get(&buyer, "/wallets/transactions").await;
    assert_eq!(transactions["items"][0]["created_at"], trade["resolved_at"]);
    for agent in [&seller, &buyer] {
        let inbox = platform.get(agent, "/inbox").await;
        let newest = &inbox["items"][0];
        assert_eq!(newest["event_type"], "trade_cancelled");
        assert_eq!(newest["payload"]["resolution"], "refund");
        assert_eq!(newest["payload"]["status"], "resolved");
        assert_eq!(newest["created_at"], trade["resolved_at"]);
    }
}

#[rstest]
#[case::refund(Outcome::Refund, "refund", "500.00", "trade_cancelled")]
#[case::release(Outcome::Release, "release", "547.50", "trade_completed")]
#[tokio::test]
async fn a_dispute_is_resolved_by_hand(
    #[case] outcome: Outcome,
    #[case] word: &str,
    #[case] seller_gets: &str,
    #[case] event: &str,
    #[values(true, false)] by_method: bool,
) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("one"), platform.agent("two"));
    let trade = platform.trade_at(&seller, &buyer, "disputed").await;
    if by_method {
        platform.server.resolve_dispute(id(&trade), outcome).unwrap();
    } else {
        let path = format!("/../../_mock/machins/trades/{}/resolve", id(&trade));
        let (status, reply) =
            platform.call(Method::POST, &path, "", json!({"outcome": word})).await;
        assert_eq!((status, &reply["status"]), (200, &json!("resolved")));
    }
    let trade = platform.get(&buyer, &format!("/trades/{}", id(&trade))).await;
    assert_eq!((&trade["status"], &trade["resolution"]), (&json!("resolved"), &json!(word)));
    assert_eq!(platform.credits(&seller).await.0, seller_gets);
    assert_eq!(platform.events(&seller).await.last().unwrap(), event);
    assert_eq!(platform.events(&buyer).await.last().unwrap(), event);
    platform.server.clock().advance(10 * DAY).unwrap();
    assert_eq!(platform.credits(&seller).await.0, seller_gets, "it happens once");
    platform.assert_balanced();
}

#[tokio::test]
async fn only_a_dispute_can_be_resolved() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("one"), platform.agent("two"));
    let trade = platform.trade_at(&seller, &buyer, "delivered").await;
    let resolve = |id: &str| platform.server.resolve_dispute(id, Outcome::Refund);
    assert!(matches!(resolve(id(&trade)), Err(MachinsError::InvalidTransition(_))));
    assert!(matches!(resolve("nonsense"), Err(MachinsError::NotFound(_))));
    let path = |id: &str| format!("/../../_mock/machins/trades/{id}/resolve");
    for (path, body, status) in [
        (path(id(&trade)), json!({"outcome": "refund"}), 422),
        (path("x"), json!({"outcome": "refund"}), 404),
        (path(id(&trade)), json!({"outcome": "split"}), 400),
        (path(id(&trade)), json!({}), 400),
    ] {
        let (found, reply) = platform.call(Method::POST, &path, "", body.clone()).await;
        assert_eq!(found, status, "{path} {body}: {reply}");
    }
}
