//! The tools of the marketplace.

use machins_client::{
    AgentSlug, Delivery, Document, InboxQuery, Intent, ListingId, ListingType, ListingUpdate,
    MarketplaceQuery, Money, NewListing, NewReview, NotificationId, PageQuery, Proposal, Rating,
    Role, Side, Trade, TradeId, TradeQuery, TradeStatus,
};
use serde_json::{Value, json};

use super::arguments::{
    Acknowledge, AgentArgument, Browse, CreateListing, Deliver, Inbox, ListTrades, ListingArgument,
    Nothing, Offset, ProposeTrade, ReviewTrade, TradeArgument, TradeReason, UpdateListing,
};
use super::clients::Clients;
use super::failure::ToolFailure;
use super::table::{Effect, Entry};
use super::text::with_note;
use super::views;

/// How many items a list has at most: what a model can use.
const PAGE: u32 = 20;

type Reply = Result<Value, ToolFailure>;

/// The tools of the marketplace and the wallet.
#[expect(clippy::too_many_lines, reason = "as long as the list of tools")]
pub(super) fn tools() -> Vec<Entry> {
    use Effect::{Changes, Irreversible, Reads};
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
            Changes,
            propose_trade,
        ),
        Entry::new(
            "accept_trade",
            "Accept a proposal",
            "Accepts a proposal on your listing: the buyer's credits are held in escrow.",
            Changes,
            accept_trade,
        ),
        Entry::new(
            "reject_trade",
            "Reject a proposal",
            "Rejects a proposal on your listing.",
            Irreversible,
            reject_trade,
        ),
        Entry::new(
            "cancel_trade",
            "Cancel a trade",
            "Cancels a trade before its delivery: the buyer gets the credits back.",
            Irreversible,
            cancel_trade,
        ),
        Entry::new(
            "deliver_trade",
            "Deliver",
            "Delivers on a trade in which you are the seller. Give result for a task, data for data.",
            Changes,
            deliver_trade,
        ),
        Entry::new(
            "confirm_trade",
            "Confirm a delivery",
            "Confirms a delivery, which pays the seller for good. Look at the delivery first.",
            Irreversible,
            confirm_trade,
        ),
        Entry::new(
            "dispute_trade",
            "Dispute a delivery",
            "Disputes a delivery: the credits stay in escrow until the platform decides.",
            Irreversible,
            dispute_trade,
        ),
        Entry::new(
            "review_trade",
            "Review a trade",
            "Leaves a review about the other party of a completed trade, at most once per trade.",
            Changes,
            review_trade,
        ),
        Entry::new(
            "create_listing",
            "Create a listing",
            "Creates a listing: an offer to sell, or a request to buy. A slug is taken only once.",
            Changes,
            create_listing,
        ),
        Entry::new(
            "update_listing",
            "Change a listing",
            "Changes one of your listings; what is not given stays as it is.",
            Changes,
            update_listing,
        ),
        Entry::new(
            "deactivate_listing",
            "Take down a listing",
            "Takes down one of your listings; open trades continue.",
            Irreversible,
            deactivate_listing,
        ),
        Entry::new(
            "acknowledge_notifications",
            "Acknowledge notifications",
            "Marks notifications as read once you are done with them.",
            Changes,
            acknowledge,
        ),
    ]
}

fn amount(text: Option<&str>) -> Result<Option<Money>, ToolFailure> {
    Ok(text.map(str::parse).transpose()?)
}

async fn browse(clients: Clients, browse: Browse) -> Reply {
    let mut query = MarketplaceQuery::new().limit(PAGE).offset(browse.offset.unwrap_or(0));
    query.filter.search = browse.search;
    query.filter.listing_type = browse.listing_type.map(ListingType::from);
    query.filter.side = browse.side.map(Side::from);
    query.filter.tags = browse.tags.unwrap_or_default();
    query.filter.min_price = amount(browse.min_price.as_deref())?;
    query.filter.max_price = amount(browse.max_price.as_deref())?;
    let page = clients.market().browse(&query).await?;
    let listings: Vec<_> = page
        .items
        .iter()
        .take(PAGE as usize)
        .map(|listing| views::marketplace_listing(listing, false))
        .collect();
    Ok(with_note(json!({"listings": listings, "total": page.total})))
}

async fn get_listing(clients: Clients, given: ListingArgument) -> Reply {
    let listing = clients.market().get_marketplace_listing(&given.listing_id.parse()?).await?;
    Ok(with_note(views::marketplace_listing(&listing, true)))
}

async fn get_agent(clients: Clients, given: AgentArgument) -> Reply {
    let slug: AgentSlug = given.slug.parse()?;
    Ok(with_note(views::agent(&clients.market().get_agent(&slug).await?)))
}

async fn get_wallet(clients: Clients, _: Nothing) -> Reply {
    Ok(views::wallet(&clients.market().get_wallet().await?))
}

async fn get_limits(clients: Clients, _: Nothing) -> Reply {
    let limits = clients.spending().remaining().await?;
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
    let policies = clients.spending().policies().iter().filter(|policy| !policy.is_empty());
    let policies: Vec<_> = policies.map(serde_json::to_value).filter_map(Result::ok).collect();
    Ok(json!({"limits": limits, "policies": policies}))
}

async fn list_transactions(clients: Clients, given: Offset) -> Reply {
    let query = PageQuery::new().limit(PAGE).offset(given.offset.unwrap_or(0));
    let page = clients.market().list_transactions(&query).await?;
    let entries: Vec<_> = page.items.iter().take(PAGE as usize).map(views::transaction).collect();
    Ok(with_note(json!({"transactions": entries, "total": page.total})))
}

async fn list_trades(clients: Clients, given: ListTrades) -> Reply {
    let mut query = TradeQuery::new().limit(PAGE).offset(given.offset.unwrap_or(0));
    query.filter.role = given.role.map(Role::from);
    query.filter.status = given.status.map(TradeStatus::from);
    let page = clients.market().list_trades(&query).await?;
    let trades: Vec<_> =
        page.items.iter().take(PAGE as usize).map(|trade| views::trade(trade, false)).collect();
    Ok(with_note(json!({"trades": trades, "total": page.total})))
}

fn shown(trade: &Trade) -> Value {
    with_note(views::trade(trade, true))
}

async fn get_trade(clients: Clients, given: TradeArgument) -> Reply {
    Ok(shown(&clients.market().get_trade(&given.trade_id.parse()?).await?))
}

async fn list_own(clients: Clients, _: Nothing) -> Reply {
    let listings = clients.market().list_listings().await?;
    let shown: Vec<_> = listings.iter().take(100).map(views::own_listing).collect();
    Ok(json!({"listings": shown, "total": listings.len()}))
}

async fn list_inbox(clients: Clients, given: Inbox) -> Reply {
    let query = InboxQuery::new().unread().limit(PAGE).offset(given.offset.unwrap_or(0));
    let page = clients.market().list_inbox(&query).await?;
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
    let purpose = words(purpose).unwrap_or_default().to_lowercase();
    let key = Intent::key_from(&[listing.as_str(), terms.unwrap_or_default(), &purpose]);
    format!("mcp-{key}")
}

async fn propose_trade(clients: Clients, given: ProposeTrade) -> Reply {
    let listing: ListingId = given.listing_id.trim().parse()?;
    let terms = words(given.terms.as_deref());
    let key = intent_key(&listing, terms.as_deref(), given.purpose.as_deref());
    let is_known = clients.market().get_intent(&key).await?.is_some_and(|intent| intent.is_done());
    let mut proposal = Proposal::new(&listing);
    if let Some(terms) = terms {
        proposal = proposal.terms(terms);
    }
    let trade = clients.spending().propose_trade_once(&key, &proposal).await?;
    let mut shown = shown(&trade);
    shown["made_before"] = is_known.into();
    Ok(shown)
}

async fn accept_trade(clients: Clients, given: TradeArgument) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&clients.spending().accept_trade(&id).await?))
}

async fn reject_trade(clients: Clients, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&clients.market().reject_trade(&id, given.reason.as_deref()).await?))
}

async fn cancel_trade(clients: Clients, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&clients.market().cancel_trade(&id, given.reason.as_deref()).await?))
}

async fn deliver_trade(clients: Clients, given: Deliver) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    let delivery = match (given.result, given.data) {
        (Some(result), None) => Delivery::task(Document::from(result)),
        (None, Some(rows)) => Delivery::data(rows.into_iter().map(Document::from)),
        _ => return Err(ToolFailure::new("invalid_arguments", "give either result or data")),
    };
    Ok(shown(&clients.market().deliver_trade(&id, &delivery).await?))
}

async fn confirm_trade(clients: Clients, given: TradeArgument) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&clients.spending().confirm_trade(&id).await?))
}

async fn dispute_trade(clients: Clients, given: TradeReason) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    Ok(shown(&clients.market().dispute_trade(&id, given.reason.as_deref()).await?))
}

async fn review_trade(clients: Clients, given: ReviewTrade) -> Reply {
    let id: TradeId = given.trade_id.parse()?;
    let mut review = NewReview::new(Rating::new(given.rating)?);
    if let Some(body) = given.body {
        review = review.body(body);
    }
    let review = clients.market().create_review(&id, &review).await?;
    Ok(json!({"review_id": review.id, "trade_id": id, "rating": review.rating}))
}

async fn create_listing(clients: Clients, given: CreateListing) -> Reply {
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
    Ok(views::own_listing(&clients.spending().create_listing(&listing).await?))
}

async fn update_listing(clients: Clients, given: UpdateListing) -> Reply {
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
    Ok(views::own_listing(&clients.spending().update_listing(&id, &update).await?))
}

async fn deactivate_listing(clients: Clients, given: ListingArgument) -> Reply {
    let id: ListingId = given.listing_id.parse()?;
    clients.market().deactivate_listing(&id).await?;
    Ok(json!({"deactivated": id}))
}

async fn acknowledge(clients: Clients, given: Acknowledge) -> Reply {
    let ids = given.notification_ids.iter().map(|id| id.parse());
    let ids: Vec<NotificationId> = ids.collect::<Result<_, _>>()?;
    clients.market().ack_inbox(&ids).await?;
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
