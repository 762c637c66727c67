//! One trade: finding it, changing it, showing it and what can be done next.

use machins_client::blocking::Client;
use machins_client::{
    AgentId, Document, Error, ErrorKind, Extra, ListingType, MarketplaceListing, Role, Side, Trade,
    TradeId, TradeStatus,
};

use super::names::Names;
use crate::config::key::{AGENT_ID, API_KEY};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Format;
use crate::format::{json_cell, price, time, trade_style};
use crate::lookup;
use crate::progress::Progress;
use crate::style::{FAINT, GOOD, STRONG, WARN};
use crate::table::{Cell, cell, fields, styled};
use crate::text::clean;

/// Creates a client and finds the trade that the user means.
pub(super) fn find(context: &Context, given: &str) -> Result<(Client, TradeId), Failure> {
    let client = context.machins()?;
    let progress = Progress::start(context.out, "Looking up the trade…");
    let id = lookup::trade(&client, &progress, given)?;
    Ok((client, id))
}

/// Makes a call that changes a trade, and reports its new status.
pub(super) fn change(
    context: &Context,
    id: &str,
    call: impl FnOnce(&Client, &TradeId) -> Result<Trade, Error>,
) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    let trade = call(&client, &id).map_err(|error| match error.kind() {
        ErrorKind::InvalidTransition => {
            let hint = format!("to see the status of the trade: `machins trade {id}`");
            Failure::from(error).hint(hint)
        }
        _ => unknown_outcome(error),
    })?;
    context.out.outcome(&trade, || on_a_line(&trade))?;
    note(context, &client, &trade)
}

/// Converts an error, and says where to look if the outcome of the call is unknown.
pub(super) fn unknown_outcome(error: Error) -> Failure {
    let hint = "to see whether it took effect: `machins trades`";
    Failure::with_hint_for(error, ErrorKind::OutcomeUnknown, hint)
}

/// Formats the status of a trade on one line.
pub(super) fn on_a_line(trade: &Trade) -> String {
    let style = trade_style(&trade.status);
    let (status, id) = (clean(trade.status.as_str()), clean(trade.id.as_str()));
    format!("{style}{status}{style:#}  {id}  {}", price(trade.price))
}

/// Notes what the user can do next with a trade.
pub(super) fn note(context: &Context, client: &Client, trade: &Trade) -> Result<(), Failure> {
    let agent = if context.out.shows_notes() { own_agent(context, client)? } else { None };
    note_next(context, client, trade, agent.as_ref());
    Ok(())
}

/// `machins trade`.
pub(super) fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    show_trade(context, &client, &client.get_trade(&id)?)
}

/// Prints a whole trade, and what can be done next.
pub(super) fn show_trade(context: &Context, client: &Client, trade: &Trade) -> Result<(), Failure> {
    let agent = own_agent(context, client)?;
    let role = agent.as_ref().and_then(|agent| trade.role_of(agent));
    let names = Names::find(context, client, agent.as_ref(), std::slice::from_ref(trade))?;
    context.out.result(trade, || describe(trade, role.as_ref(), &names))?;
    note_next(context, client, trade, agent.as_ref());
    Ok(())
}

/// The id of the user's agent. If it is not configured, or not from where the key is, so that it may
/// be another agent's, the service is asked. `None` if that fails, or if no person is to read it.
pub(crate) fn own_agent(context: &Context, client: &Client) -> Result<Option<AgentId>, Failure> {
    if context.out.format() != Format::Table {
        return Ok(None);
    }
    let (id, key) = (context.setting(&AGENT_ID)?, context.setting(&API_KEY)?);
    let id = id.filter(|id| key.is_some_and(|key| key.origin == id.origin));
    let configured = id.and_then(|id| AgentId::new(&id.value).ok());
    Ok(configured.or_else(|| client.get_wallet().ok().and_then(|wallet| wallet.agent_id)))
}

/// Notes what this agent can do next, if it is known and a party.
fn note_next(context: &Context, client: &Client, trade: &Trade, agent: Option<&AgentId>) {
    let Some(agent) = agent.filter(|_| context.out.shows_notes()) else { return };
    let listing = || client.get_marketplace_listing(&trade.listing_id).ok();
    if let Some(next) = next(trade, agent, listing) {
        context.out.note(&format!("{FAINT}{next}{FAINT:#}"));
    }
}

/// What an agent can do next with a trade. `listing` fetches what the trade is on.
fn next(
    trade: &Trade,
    agent: &AgentId,
    listing: impl Fn() -> Option<MarketplaceListing>,
) -> Option<String> {
    let id = clean(trade.id.as_str());
    let role = trade.role_of(agent)?;
    Some(match (&trade.status, &role) {
        (TradeStatus::Proposed, _) if decides(&listing()?)? == role => {
            format!("You decide:\n  `machins accept {id}`\n  `machins reject {id}`")
        }
        (TradeStatus::Proposed, _) => {
            format!("Wait for the decision:\n  `machins trade {id} --wait escrow_held`")
        }
        (TradeStatus::EscrowHeld, Role::Seller) => {
            if listing()?.listing_type == ListingType::Task {
                format!(
                    "Deliver, with the text of the result on stdin:\n  `machins deliver {id} --result-text -`"
                )
            } else {
                format!("Deliver:\n  `machins deliver {id} --help`")
            }
        }
        (TradeStatus::EscrowHeld, Role::Buyer) => {
            format!("Wait for the delivery:\n  `machins trade {id} --wait delivered`")
        }
        (TradeStatus::Delivered, Role::Buyer) => {
            format!("You decide:\n  `machins confirm {id}`\n  `machins dispute {id}`")
        }
        (TradeStatus::Delivered, Role::Seller) => {
            format!("Wait for the buyer's decision:\n  `machins trade {id} --wait completed`")
        }
        (TradeStatus::Completed, _) if !may_have_reviewed(trade, agent, &listing()?) => {
            format!("Review the trade:\n  `machins review {id} --rating 5`")
        }
        _ => return None,
    })
}

/// The party that decides on a proposal, the owner of the listing. A trade does not say which of
/// them that is; the side of the listing does.
fn decides(listing: &MarketplaceListing) -> Option<Role> {
    match listing.side {
        Some(Side::Offer) => Some(Role::Seller),
        Some(Side::Request) => Some(Role::Buyer),
        _ => None,
    }
}

/// Whether this agent may have reviewed the trade. A second review is refused.
fn may_have_reviewed(trade: &Trade, agent: &AgentId, listing: &MarketplaceListing) -> bool {
    listing.reviews.as_ref().is_none_or(|reviews| {
        reviews.iter().any(|review| {
            review.trade_id.as_ref().is_none_or(|id| *id == trade.id)
                && review.reviewer_agent_id.as_ref().is_none_or(|id| id == agent)
        })
    })
}

pub(super) fn describe(trade: &Trade, role: Option<&Role>, names: &Names) -> String {
    let who = |agent: Option<&AgentId>, party: &Role| -> Cell {
        let name = agent.map_or("unknown", |agent| names.agent(agent));
        if role == Some(party) { cell(&format!("{name} (you)")) } else { cell(name) }
    };
    let is_present = |value: &Document| !value.is_null() && value.as_json() != "{}";
    let mut rows = vec![
        ("id", cell(trade.id.as_str())),
        ("status", styled(trade.status.as_str(), trade_style(&trade.status))),
        ("price", styled(&price(trade.price), STRONG)),
        ("listing", cell(&names.title_and_id(&trade.listing_id))),
        ("buyer", who(trade.buyer_agent_id.as_ref(), &Role::Buyer)),
        ("seller", who(trade.seller_agent_id.as_ref(), &Role::Seller)),
    ];
    if let Some(terms) = &trade.terms {
        rows.push(("terms", cell(terms)));
    }
    if let Some(metadata) = trade.metadata.as_ref().and_then(shown_metadata) {
        rows.push(("metadata", json_cell(&metadata)));
    }
    for (name, at) in [
        ("proposed", trade.proposed_at.as_ref().or(trade.created_at.as_ref())),
        ("accepted", trade.accepted_at.as_ref()),
        ("delivered", trade.delivered_at.as_ref()),
        ("completed", trade.completed_at.as_ref()),
    ] {
        if at.is_some() {
            rows.push((name, time(at, "")));
        }
    }
    if let Some(delivery) = trade.delivery_payload.clone().map(Document::from) {
        rows.push(("delivery", json_cell(&delivery)));
    }
    match trade.delivery_verified {
        Some(true) => rows.push(("verified", styled("yes", GOOD))),
        Some(false) => rows.push(("verified", styled("no", WARN))),
        None => {}
    }
    if let Some(answer) = trade.delivery_verification.as_ref().filter(|answer| is_present(answer)) {
        rows.push(("answer", json_cell(answer)));
    }
    fields(&rows)
}
/// The metadata without the reference that the client itself sets. `None` if nothing is left.
fn shown_metadata(metadata: &Document) -> Option<Document> {
    let Ok(mut fields) = metadata.to::<Extra>() else {
        return (!metadata.is_null()).then(|| metadata.clone());
    };
    fields.remove("client_reference");
    (!fields.is_empty()).then(|| fields.into())
}
