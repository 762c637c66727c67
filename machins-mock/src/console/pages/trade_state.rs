//! What a trade waits for, in words.

use serde_json::Value;

use crate::console::parts::text;

/// Returns what a trade waits for, and from whom; `None` if it is over.
pub(super) fn waits_for(trade: &Value) -> Option<String> {
    let buyer = text(trade, "buyer_agent_slug");
    let seller = text(trade, "seller_agent_slug");
    match text(trade, "status") {
        "proposed" => {
            let answerer = if trade["proposer_agent_id"] == trade["buyer_agent_id"] {
                format!("{seller}, the seller,")
            } else {
                format!("{buyer}, the buyer,")
            };
            Some(format!("waits for {answerer} to accept or reject it"))
        }
        "escrow_held" => Some(format!("waits for {seller}, the seller, to deliver")),
        "delivered" => Some(format!("waits for {buyer}, the buyer, to confirm or dispute")),
        "disputed" => {
            let outcome =
                if trade["delivery_verified"] == true { "for the seller" } else { "for the buyer" };
            let at = text(trade, "dispute_resolves_at");
            let (date, clock) = at.split_once('T').unwrap_or((at, ""));
            let clock = clock.get(..5).unwrap_or_default();
            Some(format!(
                "waits for a resolution, and is resolved {outcome} by itself on {date} at {clock}"
            ))
        }
        _ => None,
    }
}

/// Returns why a trade is where it is, as far as that is not plain from its state.
pub(super) fn reasons(trade: &Value, buyer_credits: Option<&str>) -> Vec<String> {
    let mut reasons = Vec::new();
    let hundredths = |amount: &str| amount.replace('.', "").parse::<i64>().unwrap_or(0);
    let price = text(trade, "price");
    let is_short = |credits: &&str| hundredths(credits) < hundredths(price);
    let is_proposed = text(trade, "status") == "proposed";
    if let Some(credits) = buyer_credits.filter(is_short).filter(|_| is_proposed) {
        reasons.push(format!(
            "It cannot be accepted now: the buyer has {credits} credits available, and the price is {price}."
        ));
    }
    if trade["delivery_verified"] == false {
        let said = &trade["delivery_verification"];
        let why = said["reason"].as_str().or_else(|| said["error"].as_str());
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        reasons.push(format!("The verification did not accept the delivery{why}."));
    }
    for (field, words) in [
        ("rejection_reason", "Rejected with the reason"),
        ("cancellation_reason", "Cancelled with the reason"),
        ("dispute_reason", "Disputed with the reason"),
    ] {
        if let Some(reason) = trade[field].as_str() {
            reasons.push(format!("{words}: {reason}"));
        }
    }
    match trade["resolution"].as_str() {
        Some("refund") => {
            reasons.push("Resolved for the buyer, who has the credits back.".to_owned());
        }
        Some(_) => reasons.push("Resolved for the seller, who was paid.".to_owned()),
        None => {}
    }
    reasons
}
