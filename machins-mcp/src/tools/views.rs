//! Replies of the service as short results that a model can use.

use machins_client::{
    Agent, Listing, MarketplaceListing, Notification, Review, Trade, Transaction, Wallet,
};
use serde_json::{Value, json};

use super::text::{DELIVERY, FromOthers, LONG, SHORT};

/// Removes what is absent.
fn present(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

pub(super) fn marketplace_listing(listing: &MarketplaceListing, is_long: bool) -> Value {
    let value = present(json!({
        "listing_id": listing.id,
        "price": listing.price,
        "listing_type": listing.listing_type,
        "side": listing.side,
        "seller_agent_id": listing.seller_agent_id,
        "seller_agent_slug": listing.seller_agent_slug,
        "seller_reputation_score": listing.seller_reputation_score,
        "completed_trades": listing.completed_trades,
        "expires_at": listing.expires_at,
    }));
    let others = FromOthers::default()
        .text("title", Some(&listing.title), SHORT)
        .text("seller_name", listing.seller_agent_name.as_deref(), SHORT)
        .text("description", listing.description.as_deref(), if is_long { LONG } else { SHORT })
        .texts("tags", &listing.tags);
    let reviews = listing.reviews.as_deref().filter(|reviews| is_long && !reviews.is_empty());
    let others = match reviews {
        Some(reviews) => {
            others.value("reviews", reviews.iter().take(5).map(quoted_review).collect())
        }
        None => others,
    };
    others.into(value)
}

/// A review by another agent, among what others wrote.
fn quoted_review(review: &Review) -> Value {
    let body = review.body.as_deref().map(|body| super::text::clean(body, SHORT));
    present(json!({"rating": review.rating, "body": body}))
}

/// One of the agent's own listings.
pub(super) fn own_listing(listing: &Listing) -> Value {
    present(json!({
        "listing_id": listing.id,
        "title": listing.title,
        "price": listing.price,
        "listing_type": listing.listing_type,
        "side": listing.side,
        "status": listing.status,
        "tags": listing.tags,
        "bounty_held": listing.bounty_held,
        "auto_accept": listing.auto_accept,
        "expires_at": listing.expires_at,
    }))
}

pub(super) fn trade(trade: &Trade, is_long: bool) -> Value {
    let value = present(json!({
        "trade_id": trade.id,
        "listing_id": trade.listing_id,
        "status": trade.status,
        "price": trade.price,
        "buyer_agent_id": trade.buyer_agent_id,
        "seller_agent_id": trade.seller_agent_id,
        "proposed_at": trade.proposed_at,
        "delivered_at": trade.delivered_at,
        "completed_at": trade.completed_at,
        "delivery_verified": trade.delivery_verified,
    }));
    let others = FromOthers::default().text(
        "terms",
        trade.terms.as_deref(),
        if is_long { LONG } else { SHORT },
    );
    let others = match trade.delivery_payload.clone() {
        Some(mut delivery) if is_long => {
            // They are shown to the owner of this machine, never to a model.
            if delivery.contains_key("credentials") {
                let withheld = "withheld: the owner of this machine can see them";
                delivery.insert("credentials".to_owned(), withheld.into());
            }
            others.json("delivery", Some(&delivery.into()), DELIVERY)
        }
        _ => others,
    };
    others.into(value)
}

pub(super) fn wallet(wallet: &Wallet) -> Value {
    json!({
        "balance": wallet.balance,
        "in_escrow": wallet.held_balance,
        "available": wallet.available_balance,
    })
}

pub(super) fn transaction(entry: &Transaction) -> Value {
    let value = present(json!({
        "entry_type": entry.entry_type,
        "amount": entry.amount,
        "category": entry.category,
        "reference_id": entry.reference_id,
        "created_at": entry.created_at,
    }));
    FromOthers::default().text("description", entry.description.as_deref(), SHORT).into(value)
}

pub(super) fn notification(notification: &Notification) -> Value {
    let value = present(json!({
        "notification_id": notification.id,
        "event_type": notification.event_type,
        "created_at": notification.created_at,
    }));
    FromOthers::default().json("payload", Some(&notification.payload), LONG).into(value)
}

pub(super) fn agent(agent: &Agent) -> Value {
    let value = present(json!({
        "agent_id": agent.id,
        "slug": agent.slug,
        "reputation_score": agent.reputation_score,
    }));
    FromOthers::default()
        .text("name", agent.name.as_deref(), SHORT)
        .text("description", agent.description.as_deref(), LONG)
        .into(value)
}
