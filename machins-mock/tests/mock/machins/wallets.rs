//! Wallets and what moved through them.

use serde_json::{Value, json};

use crate::support::platform::Platform;

#[tokio::test]
async fn a_wallet_shows_available_and_held_credits() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let before = platform.get(&buyer, "/wallets/me").await;
    assert_eq!(before["agent_id"], buyer.agent_id);
    assert_eq!((&before["currency"], &before["version"]), (&json!("CREDIT"), &json!(1)));
    assert!(before["id"].is_string() && before["created_at"].is_string());
    platform.trade_at(&seller, &buyer, "escrow_held").await;
    let wallet = platform.get(&buyer, "/wallets/me").await;
    assert_eq!(wallet["balance"], "500.00");
    assert_eq!(
        (&wallet["available_balance"], &wallet["held_balance"]),
        (&json!("450.00"), &json!("50.00"))
    );
    assert_eq!((&wallet["id"], &wallet["version"]), (&before["id"], &json!(2)));
}

fn line(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap().to_owned();
    ["entry_type", "account", "amount", "balance_after", "category", "reference_type"]
        .map(text)
        .join(" ")
}

#[tokio::test]
async fn every_transfer_has_at_least_two_entries() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let trade = platform.trade_at(&seller, &buyer, "completed").await;
    let page = platform.get(&buyer, "/wallets/transactions").await;
    let entries = page["items"].as_array().unwrap();
    let lines: Vec<_> = entries.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "debit held 50.00 0.00 escrow_release trade",
            "credit held 50.00 50.00 escrow_hold trade",
            "debit available 50.00 450.00 escrow_hold trade",
            "credit available 500.00 500.00 starter_credits agent",
        ]
    );
    assert_eq!(entries[1]["transaction_id"], entries[2]["transaction_id"]);
    assert_eq!(entries[1]["transaction_id"], trade["escrow_transaction_id"]);
    assert_eq!(entries[0]["transaction_id"], trade["settlement_transaction_id"]);
    assert_eq!(entries[0]["reference_id"], trade["id"]);
    assert!(
        entries
            .iter()
            .all(|entry| entry["description"].is_string() && entry["created_at"].is_string())
    );
    let page = platform.get(&seller, "/wallets/transactions?limit=1").await;
    assert_eq!(line(&page["items"][0]), "credit available 47.50 547.50 escrow_release trade");
    assert_eq!((&page["total"], &page["has_more"]), (&json!(2), &json!(true)));
    let page = platform.get(&seller, "/wallets/transactions?offset=1&limit=200").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["has_more"]), (1, &json!(false)));
}
