//! The tools of the marketplace.

use std::fmt::Write;

use machins_client::{
    AgentSlug, Delivery, Document, InboxQuery, ListingId, ListingType, ListingUpdate,
    MarketplaceQuery, Money, NewListing, NewReview, NotificationId, PageQuery, Proposal, Rating,
    Role, Side, Trade, TradeId, TradeQuery, TradeStatus,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::arguments::{
    Acknowledge, AgentArgument, Browse, CreateListing, Deliver, Inbox, ListTrades, ListingArgument,
    Nothing, Offset, ProposeTrade, ReviewTrade, TradeArgument, TradeReason, UpdateListing,
};
use super::failure::ToolFailure;
use super::shop::Shop;
use super::table::{Effect, Entry};
use super::text::with_note;
use super::views;

/// How many items a list has at most: what a model can use.
const PAGE: u32 = 20;

type Reply = Result<Value, ToolFailure>;

/// The tools of the marketplace and the wallet.
#[expect(clippy::too_many_lines, reason = "as long as the list of tools")]
pub(super) fn tools() -> Vec<Entry> {
    use Effect::{Acts, Ends, Reads};
    vec![
        Entry::new(
            "browse_marketplace",
            "Browse the marketplace",
            "Lists what other agents offer or want, 20 at a time, newest first.",
            Reads,
            browse,
        ),
        Entry::new(
            "get_listing",
            "Show a listing",
            "Shows one listing of the marketplace with its description and reviews.",
            Reads,
            get_listing,
        ),
        Entry::new(
            "get_agent",
            "Show an agent",
            "Shows the public profile of an agent.",
            Reads,
            get_agent,
        ),
        Entry::new(
            "get_wallet",
            "Show the wallet",
            "Shows the balance of your wallet in credits.",
            Reads,
            get_wallet,
        ),
        Entry::new(
            "get_spending_limits",
            "Show the spending limits",
            "Shows what each limit of the spending policy leaves to be spent now. Days and months are UTC.",
            Reads,
            get_limits,
        ),
        Entry::new(
            "list_transactions",
            "List transactions",
            "Lists the transactions of your wallet, 20 at a time, newest first.",
            Reads,
            list_transactions,
        ),
        Entry::new(
            "list_trades",
            "List trades",
            "Lists your trades, 20 at a time, newest first.",
            Reads,
            list_trades,
        ),
        Entry::new(
            "get_trade",
            "Show a trade",
            "Shows one of your trades, with what was delivered.",
            Reads,
            get_trade,
        ),
        Entry::new(
            "list_my_listings",
            "List your listings",
            "Lists your own listings, inactive ones included.",
            Reads,
            list_own,
        ),
        Entry::new(
            "list_inbox",
            "List unread notifications",
            "Lists your unread notifications, 20 at a time.",
            Reads,
            list_inbox,
        ),
        Entry::new(
            "propose_trade",
            "Propose a trade",
            "Proposes a trade on a listing: on an offer you are the buyer and pay its price. The same listing, terms and purpose are one purchase: calling this again returns the same trade and never pays twice. The spending policy of this machine's owner decides; its refusal is final.",
            Acts,
            propose_trade,
        ),
        Entry::new(
            "accept_trade",
            "Accept a proposal",
            "Accepts a proposal on your listing: the buyer's credits are held in escrow.",
            Acts,
            accept_trade,
        ),
        Entry::new(
            "reject_trade",
            "Reject a proposal",
            "Rejects a proposal on your listing.",
            Ends,
            reject_trade,
        ),
        Entry::new(
            "cancel_trade",
            "Cancel a trade",
            "Cancels a trade before its delivery: the buyer gets the credits back.",
            Ends,
            cancel_trade,
        ),
        Entry::new(
            "deliver_trade",
            "Deliver",
            "Delivers on a trade in which you are the seller. Give result for a task, data for data.",
            Acts,
            deliver_trade,
        ),
        Entry::new(
            "confirm_trade",
            "Confirm a delivery",
            "Confirms a delivery, which pays the seller for good. Look at the delivery first.",
            Ends,
            confirm_trade,
        ),
        Entry::new(
            "dispute_trade",
            "Dispute a delivery",
            "Disputes a delivery: the credits stay in escrow until the platform decides.",
            Ends,
            dispute_trade,
        ),
        Entry::new(
            "review_trade",
            "Review a trade",
            "Leaves a review about the other party of a completed trade, once a trade.",
            Acts,
            review_trade,
        ),
        Entry::new(
            "create_listing",
            "Create a listing",
            "Creates a listing: an offer to sell, or a request to buy. A slug is taken only once.",
            Acts,
            create_listing,
        ),
        Entry::new(
            "update_listing",
            "Change a listing",
            "Changes one of your listings; what is not given stays as it is.",
            Acts,
            update_listing,
        ),
        Entry::new(
            "deactivate_listing",
            "Take down a listing",
            "Takes down one of your listings; open trades continue.",
            Ends,
            deactivate_listing,
        ),
        Entry::new(
            "acknowledge_notifications",
            "Acknowledge notifications",
            "Marks notifications as read once you are done with them.",
            Acts,
            acknowledge,
        ),
    ]
}

fn amount(text: Option<&str>) -> Result<Option<Money>, ToolFailure> {
    Ok(text.map(str::parse).transpose()?)
}

async fn browse(shop: Shop, browse: Browse) -> Reply {
    let mut query = MarketplaceQuery::new().limit(PAGE).offset(browse.offset.unwrap_or(0));
    query.filter.search = browse.search;
    query.filter.listing_type = browse.listing_type.map(ListingType::from);
    query.filter.side = browse.side.map(Side::from);
    query.filter.tags = browse.tags.unwrap_or_default();
    query.filter.min_price = amount(browse.min_price.as_deref())?;
    query.filter.max_price = amount(browse.max_price.as_deref())?;
    let page = shop.market().browse(&query).await?;
    let listings: Vec<_> = page
        .items
        .iter()
        .take(PAGE as usize)
        .map(|listing| views::marketplace_listing(listing, false))
        .collect();
    Ok(with_note(json!({"listings": listings, "total": page.total})))
}

async fn get_listing(shop: Shop, given: ListingArgument) -> Reply {
    let listing = shop.market().get_marketplace_listing(&given.listing_id.parse()?).await?;
    Ok(with_note(views::marketplace_listing(&listing, true)))
}

async fn get_agent(shop: Shop, given: AgentArgument) -> Reply {
    let slug: AgentSlug = given.slug.parse()?;
    Ok(with_note(views::agent(&shop.market().get_agent(&slug).await?)))
}

async fn get_wallet(shop: Shop, _: Nothing) -> Reply {
    Ok(views::wallet(&shop.market().get_wallet().await?))
}

async fn get_limits(shop: Shop, _: Nothing) -> Reply {
    let limits = shop.spending().remaining().await?;
    let limits: Vec<_> = limits
        .iter()
        .map(|status| {
            json!({
                "rule": status.rule.as_str(),
                "limit": status.limit,
                "used": status.used,
                "remaining": status.remaining,
            })
        })
        .collect();
    let policies = shop.spending().policies().iter().filter(|policy| !policy.is_empty());
    let policies: Vec<_> = policies.map(serde_json::to_value).filter_map(Result::ok).collect();
    Ok(json!({"limits": limits, "policies": policies}))
}

async fn list_transactions(shop: Shop, given: Offset) -> Reply {
    let query = PageQuery::new().limit(PAGE).offset(given.offset.unwrap_or(0));
    let page = shop.market().list_transactions(&query).await?;
    let entries: Vec<_> = page.items.iter().take(PAGE as usize).map(views::transaction).collect();
    Ok(with_note(json!({"transactions": entries, "total": page.total})))
}

async fn list_trades(shop: Shop, given: ListTrades) -> Reply {
    let mut query = TradeQuery::new().limit(PAGE).offset(given.offset.unwrap_or(0));
    query.filter.role = given.role.map(Role::from);
    query.filter.status = given.status.map(TradeStatus::from);
    let page = shop.market().list_trades(&query).await?;
    let trades: Vec<_> =
        page.items.iter().take(PAGE as usize).map(|trade| views::trade(trade, false)).collect();
    Ok(with_note(json!({"trades": trades, "total": page.total})))
}

fn shown(trade: &Trade) -> Value {
    with_note(views::trade(trade, true))
}

async fn get_trade(shop: Shop, given: TradeArgument) -> Reply {
    Ok(shown(&shop.market().get_trade(&given.trade_id.parse()?).await?))
}

async fn list_own(shop: Shop, _: Nothing) -> Reply {
    let listings = shop.market().list_listings().await?;
    let shown: Vec<_> = listings.iter().take(100).map(views::own_listing).collect();
    Ok(json!({"listings": shown, "total": listings.len()}))
}

async fn list_inbox(shop: Shop, given: Inbox) -> Reply {
    let query = InboxQuery::new().unread().limit(PAGE).offset(given.offset.unwrap_or(0));
    let page = shop.market().list_inbox(&query).await?;
    let notifications: Vec<_> =
        page.items.iter().take(PAGE as usize).map(views::notification).collect();
    Ok(with_note(json!({"notifications": notifications, "unread_count": page.unread_count})))
}

/// The words of a text, so that spaces make no difference.
fn words(text: Option<&str>) -> Option<String> {
    let text = text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Some(text).filter(|text| !text.is_empty())
}

/// The key of a purchase. A model cannot choose it.
fn intent_key(listing: &ListingId, terms: Option<&str>, purpose: Option<&str>) -> String {
    let purpose = words(purpose).map(|purpose| purpose.to_lowercase());
    let mut hash = Sha256::new();
    for part in
        [listing.as_str(), terms.unwrap_or_default(), purpose.as_deref().unwrap_or_default()]
    {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut key = "mcp-".to_owned();
    for byte in &hash.finalize()[..16] {
        // Writing to a string never fails.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

async fn propose_trade(shop: Shop, given: ProposeTrade) -> Reply {
    let listing: ListingId = given.listing_id.trim().parse()?;
    let terms = words(given.terms.as_deref());
    let key = intent_key(&listing, terms.as_deref(), given.purpose.as_deref());
    let is_known = shop.market().get_intent(&key).await?.is_some_and(|intent| intent.is_done());
    let mut proposal = Proposal::new(&listing);
    if let Some(terms) = terms {
        proposal = proposal.terms(terms);
    }
    let trade = shop.spending().propose_trade_once(&key, &proposal).await?;
    let mut shown = shown(&trade);
    shown["made_before"] = is_known.into();
    Ok(shown)
}

async fn accept_trade(shop: Shop, given: TradeArgument) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&shop.spending().accept_trade(&id).await?))
}

async fn reject_trade(shop: Shop, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&shop.market().reject_trade(&id, given.reason.as_deref()).await?))
}

async fn cancel_trade(shop: Shop, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&shop.market().cancel_trade(&id, given.reason.as_deref()).await?))
}

async fn deliver_trade(shop: Shop, given: Deliver) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    let delivery = match (given.result, given.data) {
        (Some(result), None) => Delivery::task(Document::from(result)),
        (None, Some(rows)) => Delivery::data(rows.into_iter().map(Document::from)),
        _ => return Err(ToolFailure::new("invalid_arguments", "give either result or data")),
    };
    Ok(shown(&shop.market().deliver_trade(&id, &delivery).await?))
}

async fn confirm_trade(shop: Shop, given: TradeArgument) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&shop.spending().confirm_trade(&id).await?))
}

async fn dispute_trade(shop: Shop, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&shop.market().dispute_trade(&id, given.reason.as_deref()).await?))
}

async fn review_trade(shop: Shop, given: ReviewTrade) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    let mut review = NewReview::new(Rating::new(given.rating)?);
    if let Some(body) = given.body {
        review = review.body(body);
    }
    let review = shop.market().create_review(&id, &review).await?;
    Ok(json!({"review_id": review.id, "trade_id": id, "rating": review.rating}))
}

async fn create_listing(shop: Shop, given: CreateListing) -> Reply {
    let price: Money = given.price.parse()?;
    let side = given.side.map_or(Side::Offer, Side::from);
    let listing_type = ListingType::from(given.listing_type);
    let mut listing = NewListing::new(given.title, given.slug, listing_type, price).side(side);
    if let Some(description) = given.description {
        listing = listing.description(description);
    }
    for tag in given.tags.unwrap_or_default() {
        listing = listing.tag(tag);
    }
    if given.bounty == Some(true) {
        listing = listing.bounty();
    }
    Ok(views::own_listing(&shop.spending().create_listing(&listing).await?))
}

async fn update_listing(shop: Shop, given: UpdateListing) -> Reply {
    let id: ListingId = given.listing_id.parse()?;
    let mut update = ListingUpdate::new();
    if let Some(title) = given.title {
        update = update.title(title);
    }
    if let Some(price) = amount(given.price.as_deref())? {
        update = update.price(price);
    }
    if let Some(description) = given.description {
        update = update.description(description);
    }
    if let Some(tags) = given.tags {
        update = update.tags(tags);
    }
    Ok(views::own_listing(&shop.spending().update_listing(&id, &update).await?))
}

async fn deactivate_listing(shop: Shop, given: ListingArgument) -> Reply {
    let id: ListingId = given.listing_id.parse()?;
    Ok(views::own_listing(&shop.market().deactivate_listing(&id).await?))
}

async fn acknowledge(shop: Shop, given: Acknowledge) -> Reply {
    let ids = given.notification_ids.iter().map(|id| id.parse());
    let ids: Vec<NotificationId> = ids.collect::<Result<_, _>>()?;
    shop.market().ack_inbox(&ids).await?;
    Ok(json!({"acknowledged": ids}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_listing_terms_and_purpose() {
        let listing = |id| ListingId::new(id).unwrap();
        let key = |id, terms, purpose| intent_key(&listing(id), terms, purpose);
        let one = key("l1", Some("JSON"), Some("report"));
        assert_eq!(one, key("l1", Some("JSON"), Some("  Report\n")));
        for other in [
            key("l2", Some("JSON"), Some("report")),
            key("l1", Some("XML"), Some("report")),
            key("l1", Some("JSON"), Some("another report")),
            key("l1", Some("JSON"), None),
            key("l1", None, Some("JSON report")),
        ] {
            assert_ne!(one, other);
        }
    }
}
