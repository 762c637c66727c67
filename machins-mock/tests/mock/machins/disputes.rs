//! Disputes: how they end, by time and by hand.

use machins_mock::{MarketError, Outcome};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::platform::{DAY, HOUR, Platform, id};
use crate::support::receiver::{Receiver, answer};

async fn disputed(platform: &Platform, verdict: &'static str) -> Value {
    let verifier = Receiver::start(move |_| answer(200, verdict)).await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let url = (!verdict.is_empty()).then_some(&verifier.url);
    let proposal = json!({"listing_id": listing["id"], "verification_url": url});
    let trade = platform.done(&buyer, "/trades", proposal).await;
    for (agent, action) in [(&seller, "accept"), (&seller, "deliver")] {
        platform.act(agent, &trade, action).await;
    }
    platform.act(&buyer, &trade, "dispute").await
}

/// The trade as the control API would see it, and both parties' available credits.
fn standing(platform: &Platform) -> (String, String) {
    let accounts = platform.server.ledger().accounts;
    let of = |slug: &str| {
        let own = accounts.iter().filter(|it| it.agent_slug.as_deref() == Some(slug));
        let available =
            |it: &&machins_mock::LedgerAccount| it.account == machins_mock::AccountKind::Available;
        own.clone().find(available).unwrap().balance.clone()
    };
    (of("seller"), of("buyer"))
}

#[tokio::test]
async fn a_delivery_that_was_not_verified_is_refunded_after_a_day() {
    for verdict in ["", r#"{"accepted": false}"#, "nonsense"] {
        let platform = Platform::start().await;
        let trade = disputed(&platform, verdict).await;
        assert!(trade["dispute_resolves_at"].is_string());
        platform.server.clock().advance(23 * HOUR).unwrap();
        assert_eq!(standing(&platform), ("500.00".into(), "450.00".into()));
        platform.server.clock().advance(HOUR).unwrap();
        assert_eq!(standing(&platform), ("500.00".into(), "500.00".into()), "{verdict}");
        platform.assert_balanced();
    }
}

#[tokio::test]
async fn a_verified_delivery_is_released_after_a_week() {
    let platform = Platform::start().await;
    let trade = disputed(&platform, r#"{"accepted": true}"#).await;
    platform.server.clock().advance(167 * HOUR).unwrap();
    assert_eq!(standing(&platform), ("500.00".into(), "450.00".into()));
    platform.server.clock().advance(HOUR).unwrap();
    assert_eq!(standing(&platform), ("547.50".into(), "450.00".into()));
    platform.assert_balanced();
    let stats = platform.public("/public/stats").await;
    assert_eq!((&stats["total_trades"], &stats["total_volume"]), (&json!(1), &json!("50.00")));
    assert_eq!(platform.public("/public/recent-trades").await["items"][0]["trade_id"], trade["id"]);
}

#[tokio::test]
async fn what_falls_due_happens_as_of_its_time() {
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

#[tokio::test]
async fn a_dispute_is_resolved_by_hand() {
    for (outcome, word, seller_gets, event) in [
        (Outcome::Refund, "refund", "500.00", "trade_cancelled"),
        (Outcome::Release, "release", "547.50", "trade_completed"),
    ] {
        for typed in [true, false] {
            let platform = Platform::start().await;
            let (seller, buyer) = (platform.agent("one"), platform.agent("two"));
            let trade = platform.trade_at(&seller, &buyer, "disputed").await;
            if typed {
                platform.server.resolve_dispute(id(&trade), outcome).unwrap();
            } else {
                let path = format!("/../../_mock/machins/trades/{}/resolve", id(&trade));
                let (status, reply) =
                    platform.call(Method::POST, &path, "", json!({"outcome": word})).await;
                assert_eq!((status, &reply["status"]), (200, &json!("resolved")));
            }
            let trade = platform.get(&buyer, &format!("/trades/{}", id(&trade))).await;
            assert_eq!(
                (&trade["status"], &trade["resolution"]),
                (&json!("resolved"), &json!(word))
            );
            assert_eq!(platform.credits(&seller).await.0, seller_gets);
            assert_eq!(platform.events(&seller).await.last().unwrap(), event);
            assert_eq!(platform.events(&buyer).await.last().unwrap(), event);
            platform.server.clock().advance(10 * DAY).unwrap();
            assert_eq!(platform.credits(&seller).await.0, seller_gets, "it happens once");
            platform.assert_balanced();
        }
    }
}

#[tokio::test]
async fn only_a_dispute_can_be_resolved() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("one"), platform.agent("two"));
    let trade = platform.trade_at(&seller, &buyer, "delivered").await;
    let resolve = |id: &str| platform.server.resolve_dispute(id, Outcome::Refund);
    assert!(matches!(resolve(id(&trade)), Err(MarketError::InvalidTransition(_))));
    assert!(matches!(resolve("nonsense"), Err(MarketError::NotFound(_))));
    let path = |id: &str| format!("/../../_mock/machins/trades/{id}/resolve");
    for (path, body, status) in [
        (path(id(&trade)), json!({"outcome": "refund"}), 422),
        (path("x"), json!({"outcome": "refund"}), 404),
        (path(id(&trade)), json!({"outcome": "split"}), 400),
        (path(id(&trade)), json!({}), 400),
    ] {
        assert_eq!(platform.call(Method::POST, &path, "", body).await.0, status);
    }
}
