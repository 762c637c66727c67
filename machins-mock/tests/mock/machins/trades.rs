//! The trade state machine: who may do what, when, and where the credits go.

use machins_mock::{Agent, NewAgent, Tier};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{
    DUPLICATE, FORBIDDEN, FUNDS, NOT_FOUND, Platform, TRANSITION, VALIDATION, action_path, id, ids,
    result,
};

const STATES: [&str; 8] = [
    "proposed",
    "rejected",
    "escrow_held",
    "cancelled",
    "delivered",
    "completed",
    "disputed",
    "resolved",
];

#[tokio::test]
async fn a_trade_goes_from_proposal_to_completion() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({"price": "50.50"})).await;
    let proposal = json!({
        "listing_id": listing["id"], "terms": "JSON please", "metadata": {"a": [1, null]},
    });
    let (status, trade) = platform.post(&buyer, "/trades", proposal).await;
    assert_eq!(status, 201);
    assert_eq!((&trade["status"], &trade["price"]), (&json!("proposed"), &json!("50.50")));
    assert_eq!(trade["buyer_agent_id"], buyer.agent_id);
    assert_eq!(trade["seller_agent_id"], seller.agent_id);
    assert_eq!(
        (&trade["terms"], &trade["metadata"]),
        (&json!("JSON please"), &json!({"a": [1, null]}))
    );
    assert_eq!(trade["proposed_at"], trade["created_at"]);
    let later = [
        "accepted_at",
        "escrow_held_at",
        "delivered_at",
        "completed_at",
        "cancelled_at",
        "rejected_at",
        "expired_at",
        "disputed_at",
        "resolved_at",
        "cancelled_by",
        "cancellation_reason",
        "delivery_payload",
        "delivery_verified",
        "delivery_verification",
        "delivery_content_hash",
        "escrow_transaction_id",
        "settlement_transaction_id",
        "fee",
    ];
    for field in later {
        assert_eq!(trade[field], Value::Null, "{field}");
        assert!(trade.as_object().unwrap().contains_key(field), "{field}");
    }
    assert_eq!(platform.credits(&buyer).await, ("500.00".into(), "0.00".into()));

    let trade = platform.act(&seller, &trade, "accept").await;
    assert_eq!(trade["status"], "escrow_held");
    assert!(trade["accepted_at"].is_string() && trade["escrow_held_at"].is_string());
    assert!(trade["escrow_transaction_id"].is_string());
    assert_eq!(platform.credits(&buyer).await, ("449.50".into(), "50.50".into()));

    let trade = platform.act(&seller, &trade, "deliver").await;
    assert_eq!(
        (&trade["status"], &trade["delivery_payload"]),
        (&json!("delivered"), &json!({"result": "done"}))
    );
    assert_eq!(trade["delivery_verified"], Value::Null);
    assert_eq!(trade["delivery_content_hash"].as_str().unwrap().len(), 64);

    let trade = platform.act(&buyer, &trade, "confirm").await;
    assert_eq!((&trade["status"], &trade["fee"]), (&json!("completed"), &json!("2.53")));
    assert!(trade["completed_at"].is_string() && trade["settlement_transaction_id"].is_string());
    assert_eq!(platform.credits(&buyer).await, ("449.50".into(), "0.00".into()));
    assert_eq!(platform.credits(&seller).await, ("547.97".into(), "0.00".into()));
    assert_eq!(platform.get(&seller, &format!("/trades/{}", id(&trade))).await, trade);
    platform.assert_balanced();
}

/// Every action in every state by every role.
#[rstest]
#[case::proposed("proposed")]
#[case::rejected("rejected")]
#[case::escrow_held("escrow_held")]
#[case::cancelled("cancelled")]
#[case::delivered("delivered")]
#[case::completed("completed")]
#[case::disputed("disputed")]
#[case::resolved("resolved")]
#[tokio::test]
async fn only_the_right_party_acts_and_only_in_the_right_state(#[case] state: &str) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.rich("seller"), platform.rich("buyer"));
    let stranger = platform.agent("stranger");
    let trade = platform.trade_at(&seller, &buyer, state).await;
    for (action, from, roles) in [
        ("accept", "proposed", "seller"),
        ("reject", "proposed", "seller"),
        ("cancel", "escrow_held", "seller buyer"),
        ("deliver", "escrow_held", "seller"),
        ("confirm", "delivered", "buyer"),
        ("dispute", "delivered", "buyer"),
    ] {
        for agent in [&stranger, &seller, &buyer] {
            let body = if action == "deliver" { result() } else { Value::Null };
            let path = action_path(&trade, action);
            if !roles.contains(&*agent.slug) {
                platform.refused(agent, &path, body, FORBIDDEN).await;
            } else if state != from {
                platform.refused(agent, &path, body, TRANSITION).await;
            }
        }
    }
    let after = platform.get(&buyer, &format!("/trades/{}", id(&trade))).await;
    assert_eq!(after, trade, "nothing happened");
    platform.assert_balanced();
}

#[tokio::test]
async fn invalid_proposals_are_refused() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let listing = &listing["id"];
    platform.refused(&seller, "/trades", json!({"listing_id": listing}), FORBIDDEN).await;
    for unknown in [json!("nonsense"), json!("00000000-0000-0000-0000-000000000000"), json!("")] {
        platform.refused(&buyer, "/trades", json!({"listing_id": unknown}), NOT_FOUND).await;
    }
    let path = format!("/listings/{}", listing.as_str().unwrap());
    platform.call(reqwest::Method::DELETE, &path, &seller.api_key, Value::Null).await;
    platform.refused(&seller, "/trades", json!({"listing_id": listing}), FORBIDDEN).await;
    platform.refused(&buyer, "/trades", json!({"listing_id": listing}), TRANSITION).await;
    for action in ["accept", "reject", "cancel", "deliver", "confirm", "dispute", "review"] {
        let body = if action == "review" { json!({"rating": 1}) } else { result() };
        platform.refused(&buyer, &format!("/trades/x/{action}"), body, NOT_FOUND).await;
    }
}

#[rstest]
#[case::no_listing(json!({"listing_id": null}))]
#[case::number_as_listing(json!({"listing_id": 1}))]
#[case::number_as_terms(json!({"terms": 1}))]
#[case::long_terms(json!({"terms": "t".repeat(10_001)}))]
#[case::list_as_metadata(json!({"metadata": []}))]
#[case::large_metadata(json!({"metadata": {"x": "y".repeat(65_536)}}))]
#[case::path_as_url(json!({"verification_url": "nowhere"}))]
#[case::number_as_url(json!({"verification_url": 1}))]
#[tokio::test]
async fn an_invalid_field_of_a_proposal_is_refused(#[case] fields: Value) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let mut proposal = json!({"listing_id": listing["id"]});
    for (name, value) in fields.as_object().unwrap() {
        proposal[name] = value.clone();
    }
    platform.refused(&buyer, "/trades", proposal, VALIDATION).await;
}

#[rstest]
#[case::empty(json!({}))]
#[case::list(json!([]))]
#[case::no_body(Value::Null)]
#[tokio::test]
async fn a_proposal_without_fields_is_refused(#[case] body: Value) {
    let platform = Platform::start().await;
    platform.refused(&platform.agent("buyer"), "/trades", body, VALIDATION).await;
}

/// A server must be able to read the state that it stored.
#[tokio::test]
async fn free_form_objects_have_a_depth_limit() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let deep = |levels: usize| (1..levels).fold(json!(1), |inner, _| json!([inner]));
    for (levels, fits) in [(64, true), (65, false)] {
        let metadata = json!({"a": deep(levels)});
        let proposal = json!({"listing_id": listing["id"], "metadata": metadata});
        if !fits {
            platform.refused(&buyer, "/trades", proposal, VALIDATION).await;
            continue;
        }
        let trade = platform.done(&buyer, "/trades", proposal).await;
        platform.act(&seller, &trade, "accept").await;
        let path = action_path(&trade, "deliver");
        let too_deep = json!({"payload": {"result": deep(65)}});
        platform.refused(&seller, &path, too_deep, VALIDATION).await;
        platform.done(&seller, &path, json!({"payload": {"result": deep(64)}})).await;
    }
    let stored = serde_json::to_string(&platform.server.snapshot()).unwrap();
    assert!(serde_json::from_str::<machins_mock::Snapshot>(&stored).is_ok());
}

#[tokio::test]
async fn on_a_request_the_proposer_sells() {
    let platform = Platform::start().await;
    let (buyer, seller) = (platform.agent("buyer"), platform.agent("seller"));
    let listing = platform.listing(&buyer, json!({"side": "request"})).await;
    let trade = platform.propose(&seller, &listing).await;
    assert_eq!(trade["buyer_agent_id"], buyer.agent_id);
    assert_eq!(trade["seller_agent_id"], seller.agent_id);
    platform.refused(&seller, &action_path(&trade, "accept"), Value::Null, FORBIDDEN).await;
    platform.act(&buyer, &trade, "accept").await;
    platform.act(&seller, &trade, "deliver").await;
    platform.act(&buyer, &trade, "confirm").await;
    assert_eq!(platform.credits(&buyer).await.0, "450.00");
    assert_eq!(platform.credits(&seller).await.0, "547.50");
}

#[tokio::test]
async fn accepting_uses_the_bounty_as_escrow() {
    let platform = Platform::start().await;
    let (buyer, seller) = (platform.agent("buyer"), platform.agent("seller"));
    let fields = json!({"side": "request", "bounty": true, "price": 90});
    let listing = platform.listing(&buyer, fields).await;
    let (first, second) =
        (platform.propose(&seller, &listing).await, platform.propose(&seller, &listing).await);
    platform.act(&buyer, &first, "accept").await;
    assert_eq!(platform.credits(&buyer).await, ("410.00".into(), "90.00".into()), "not held twice");
    let shown = platform.get(&buyer, &format!("/listings/{}", id(&listing))).await;
    assert_eq!((&shown["bounty_held"], &shown["status"]), (&json!(false), &json!("active")));
    platform.act(&buyer, &second, "accept").await;
    assert_eq!(platform.credits(&buyer).await, ("320.00".into(), "180.00".into()));
    platform.act(&seller, &first, "cancel").await;
    assert_eq!(platform.credits(&buyer).await, ("410.00".into(), "90.00".into()));
    platform.assert_balanced();
}

#[tokio::test]
async fn a_bounty_may_differ_from_the_proposed_price() {
    let platform = Platform::start().await;
    let (buyer, seller) = (platform.agent("buyer"), platform.agent("seller"));
    let fields = json!({"side": "request", "bounty": true, "price": 90});
    let listing = platform.listing(&buyer, fields).await;
    let trade = platform.propose(&seller, &listing).await;
    let path = format!("/listings/{}", id(&listing));
    let change = json!({"price": 20});
    platform.call(reqwest::Method::PUT, &path, &buyer.api_key, change).await;
    let accepted = platform.act(&buyer, &trade, "accept").await;
    assert_eq!(accepted["price"], "90.00", "what was proposed holds");
    assert_eq!(platform.credits(&buyer).await, ("410.00".into(), "90.00".into()));
    platform.assert_balanced();
}

#[tokio::test]
async fn accepting_without_enough_credits_changes_nothing() {
    let platform = Platform::start().await;
    let seller = platform.agent("seller");
    let poor = platform.server.create_agent(NewAgent::new().credits(49)).unwrap();
    let listing = platform.listing(&seller, json!({})).await;
    let trade = platform.propose(&poor, &listing).await;
    let path = action_path(&trade, "accept");
    platform.refused(&seller, &path, Value::Null, FUNDS).await;
    let auto = platform.listing(&seller, json!({"auto_accept": true})).await;
    let (status, proposed) =
        platform.post(&poor, "/trades", json!({"listing_id": auto["id"]})).await;
    assert_eq!((status, &proposed["status"]), (201, &json!("proposed")));
    assert_eq!(platform.credits(&poor).await, ("49.00".into(), "0.00".into()));
    let same = platform.get(&poor, &format!("/trades/{}", id(&trade))).await;
    assert_eq!(same, trade);
    platform.act(&seller, &trade, "reject").await;
}

#[tokio::test]
async fn auto_accept_holds_the_escrow_at_once() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({"auto_accept": true})).await;
    let (status, trade) =
        platform.post(&buyer, "/trades", json!({"listing_id": listing["id"]})).await;
    assert_eq!((status, &trade["status"]), (201, &json!("escrow_held")));
    assert_eq!(platform.credits(&buyer).await.1, "50.00");
    assert_eq!(platform.events(&seller).await, ["trade_proposed"]);
    assert_eq!(platform.events(&buyer).await, ["trade_accepted"]);
}

#[rstest]
#[case::reject("proposed", "seller", "reject", "rejection_reason", "rejected_at")]
#[case::cancel("escrow_held", "seller", "cancel", "cancellation_reason", "cancelled_at")]
#[case::dispute("delivered", "buyer", "dispute", "dispute_reason", "disputed_at")]
#[tokio::test]
async fn reasons_are_optional_and_kept(
    #[case] state: &str,
    #[case] party: &str,
    #[case] action: &str,
    #[case] field: &str,
    #[case] at: &str,
) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let agent = if party == "seller" { &seller } else { &buyer };
    for (body, kept) in [
        (Value::Null, Value::Null),
        (json!({}), Value::Null),
        (json!({"reason": null}), Value::Null),
        (json!({"reason": "Because."}), json!("Because.")),
    ] {
        let trade = platform.trade_at(&seller, &buyer, state).await;
        let path = action_path(&trade, action);
        for bad in [json!({"reason": 1}), json!({"reason": "r".repeat(2001)}), json!([])] {
            platform.refused(agent, &path, bad, VALIDATION).await;
        }
        let done = platform.done(agent, &path, body.clone()).await;
        assert_eq!(done[field], kept, "{body}");
        assert!(done[at].is_string(), "{body}");
        if action == "cancel" {
            assert_eq!(done["cancelled_by"], agent.agent_id, "{body}");
        }
    }
    platform.assert_balanced();
}

#[tokio::test]
async fn fees_are_five_per_cent_rounded_half_up() {
    let platform = Platform::start().await;
    let seller = platform.rich("seller");
    let new = NewAgent::new().credits(2_000_000).tier(Tier::Verified);
    let buyer = platform.server.create_agent(new).unwrap();
    for (price, fee) in [
        ("1000000", "50000.00"),
        ("0.01", "0.00"),
        ("0.09", "0.00"),
        ("0.10", "0.01"),
        ("0.29", "0.01"),
        ("0.30", "0.02"),
        ("19.99", "1.00"),
    ] {
        let listing = platform.listing(&seller, json!({"price": price})).await;
        let mut trade = platform.propose(&buyer, &listing).await;
        for (agent, action) in [(&seller, "accept"), (&seller, "deliver"), (&buyer, "confirm")] {
            trade = platform.act(agent, &trade, action).await;
        }
        assert_eq!(trade["fee"], fee, "{price}");
    }
    platform.assert_balanced();
    let fees = platform
        .server
        .ledger()
        .accounts
        .into_iter()
        .find(|account| account.account == machins_mock::AccountKind::Fees);
    assert_eq!(fees.unwrap().balance, "50001.04");
}

#[tokio::test]
async fn own_trades_are_filtered_by_role_and_status() {
    let platform = Platform::start().await;
    let (one, two) = (platform.agent("one"), platform.agent("two"));
    let bought = platform.trade_at(&two, &one, "completed").await;
    let sold = platform.trade_at(&one, &two, "proposed").await;
    let (bought, sold) = (id(&bought), id(&sold));
    for (query, expected) in [
        ("", vec![sold, bought]),
        ("role=buyer", vec![bought]),
        ("role=seller", vec![sold]),
        ("status=completed", vec![bought]),
        ("status=proposed&role=buyer", vec![]),
        ("limit=1", vec![sold]),
        ("limit=1&offset=1", vec![bought]),
    ] {
        let page = platform.get(&one, &format!("/trades?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    assert_eq!(platform.get(&one, "/trades?limit=1").await["has_more"], true);
    assert_eq!(platform.get(&platform.agent("three"), "/trades").await["total"], 0);
    for bad in ["role=owner", "status=lost", "limit=0", "offset=x"] {
        let path = format!("/trades?{bad}");
        let (status, reply) =
            platform.call(reqwest::Method::GET, &path, &one.api_key, Value::Null).await;
        crate::support::platform::assert_refused(status, &reply, VALIDATION, bad);
    }
    let stranger = platform.agent("stranger");
    let path = format!("/trades/{sold}");
    let (status, reply) =
        platform.call(reqwest::Method::GET, &path, &stranger.api_key, Value::Null).await;
    crate::support::platform::assert_refused(status, &reply, FORBIDDEN, "a stranger's");
}

async fn rate(platform: &Platform, agent: &Agent, trade: &Value, rating: i64) -> (u16, Value) {
    platform.post(agent, &action_path(trade, "review"), json!({"rating": rating})).await
}

#[tokio::test]
async fn the_parties_of_a_completed_trade_review_each_other_once() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.rich("seller"), platform.rich("buyer"));
    let trade = platform.trade_at(&seller, &buyer, "completed").await;
    let path = action_path(&trade, "review");
    for bad in [
        json!({"rating": 0}),
        json!({"rating": 6}),
        json!({"rating": -1}),
        json!({"rating": 4.5}),
        json!({"rating": "5"}),
        json!({}),
        json!({"rating": 5, "body": 1}),
        json!({"rating": 5, "body": "b".repeat(5001)}),
        json!([]),
        Value::Null,
    ] {
        platform.refused(&buyer, &path, bad, VALIDATION).await;
    }
    let stranger = platform.agent("stranger");
    platform.refused(&stranger, &path, json!({"rating": 5}), FORBIDDEN).await;
    let (status, review) = platform.post(&buyer, &path, json!({"rating": 5, "body": "Good"})).await;
    assert_eq!(status, 201);
    assert_eq!((&review["rating"], &review["body"]), (&json!(5), &json!("Good")));
    assert_eq!(review["trade_id"], trade["id"]);
    assert_eq!(review["listing_id"], trade["listing_id"]);
    assert_eq!(review["reviewer_agent_id"], buyer.agent_id);
    assert_eq!(review["reviewed_agent_id"], seller.agent_id);
    platform.refused(&buyer, &path, json!({"rating": 1}), DUPLICATE).await;
    assert_eq!(rate(&platform, &seller, &trade, 3).await.0, 201, "the other party too");

    for state in STATES.into_iter().filter(|state| *state != "completed") {
        let trade = platform.trade_at(&seller, &buyer, state).await;
        let path = action_path(&trade, "review");
        platform.refused(&buyer, &path, json!({"rating": 5}), TRANSITION).await;
    }
    for rating in [4, 4] {
        let trade = platform.trade_at(&seller, &buyer, "completed").await;
        rate(&platform, &buyer, &trade, rating).await;
    }
    let score = |profile: &Value| profile["reputation_score"].clone();
    assert_eq!(score(&platform.public("/public/agent/seller").await), "4.33", "the mean of 5 4 4");
    assert_eq!(score(&platform.public("/public/agent/buyer").await), "3.00");
    assert_eq!(score(&platform.public("/public/agent/stranger").await), "0.00");
}
