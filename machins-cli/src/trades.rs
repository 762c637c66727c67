//! The commands about trades: buy, trades, trade, and what one does to them.

use std::time::Duration;

use machins_client::blocking::Client;
use machins_client::{
    AgentId, Delivery, ErrorKind, NewReview, Proposal, Rating, Role, Trade, TradeId, TradeQuery,
    TradeStatus,
};
use serde_json::{Map, Value, json};

use crate::args::market::{Action, Buy, Deliver, Review, Trades};
use crate::config::settings::{AGENT_ID, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, moment, stars, trade_style};
use crate::market::json_cell;
use crate::output::{FAINT, GOOD, STRONG, WARN};
use crate::pages::{self, List};
use crate::progress::Progress;
use crate::table::{Cell, Column, cell, fields, fitted, styled};
use crate::text::clean;
use crate::{json_flag, lookup, runtime};

/// How long to wait between two looks at a trade: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// `machins buy`.
pub(crate) fn buy(context: &Context, buy: Buy) -> Result<(), Failure> {
    let metadata = buy.metadata.map(|text| json_flag::object("--metadata", &text)).transpose()?;
    let client = context.machins()?;
    let progress = Progress::start(context.out, "Proposing the trade…");
    let mut proposal = Proposal::new(&lookup::listing(&client, &progress, &buy.listing)?);
    if let Some(terms) = buy.terms {
        proposal = proposal.terms(terms);
    }
    for (name, value) in metadata.into_iter().flatten() {
        proposal = proposal.metadata(name, value);
    }
    if let Some(url) = buy.verification_url {
        proposal = proposal.verification_url(url);
    }
    let proposed = client.propose_trade(&proposal);
    drop(progress);
    report(context, &proposed.map_err(doubtful)?)
}

/// Where to look when it is not known what became of a call.
fn doubtful(error: machins_client::Error) -> Failure {
    let is_unknown = error.kind() == ErrorKind::OutcomeUnknown;
    let failure = Failure::from(error);
    if is_unknown { failure.hint("machins trades shows whether it was done") } else { failure }
}

/// What became of a trade, and what can be done next.
fn report(context: &Context, trade: &Trade) -> Result<(), Failure> {
    context.out.result(trade, || {
        let style = trade_style(&trade.status);
        format!(
            "{style}{}{style:#}  {}  {}",
            clean(trade.status.as_str()),
            clean(trade.id.as_str()),
            credits(trade.price)
        )
    })?;
    say_next(context, trade)
}

fn say_next(context: &Context, trade: &Trade) -> Result<(), Failure> {
    if let Some(next) = next(trade, role(context, trade)?.as_ref()) {
        context.out.note(&format!("{FAINT}{next}{FAINT:#}"));
    }
    Ok(())
}

/// The role of the user's agent in a trade, when it is known which agent that is.
fn role(context: &Context, trade: &Trade) -> Result<Option<Role>, Failure> {
    let id = context.setting(&AGENT_ID)?.map(|Setting { value, .. }| value);
    Ok(id.and_then(|id| trade.role_of(&AgentId::new(&id).ok()?)))
}

/// What can be done next. On whose listing a trade is, it does not say.
fn next(trade: &Trade, role: Option<&Role>) -> Option<String> {
    let id = clean(trade.id.as_str());
    let (buyer, seller) = (role != Some(&Role::Seller), role != Some(&Role::Buyer));
    match trade.status {
        TradeStatus::Proposed => Some(format!(
            "The listing's owner decides:\n  machins accept {id}\n  machins reject {id}"
        )),
        TradeStatus::EscrowHeld if seller => {
            Some(format!("The seller delivers:\n  machins deliver {id} --result JSON"))
        }
        TradeStatus::EscrowHeld => {
            Some(format!("The seller delivers now:\n  machins trade {id} --wait delivered"))
        }
        TradeStatus::Delivered if buyer => Some(format!(
            "The buyer decides:\n  machins confirm {id}\n  machins dispute {id} --reason TEXT"
        )),
        TradeStatus::Delivered => {
            Some(format!("The buyer decides now:\n  machins trade {id} --wait completed"))
        }
        TradeStatus::Completed => Some(format!("Say how it was: machins review {id} --rating 5")),
        _ => None,
    }
}

/// `machins trades`.
pub(crate) fn list(context: &Context, wanted: &Trades) -> Result<(), Failure> {
    let mut query = TradeQuery::new().limit(pages::limit(&wanted.paging));
    if let Some(role) = &wanted.role {
        query = query.role(Role::from(role.as_str()));
    }
    if let Some(status) = &wanted.status {
        query = query.status(TradeStatus::from(status.as_str()));
    }
    if let Some(offset) = wanted.paging.offset {
        query = query.offset(offset);
    }
    let client = context.machins()?;
    let list = List::fetch(
        context,
        &wanted.paging,
        "trade",
        || client.list_trades(&query),
        || client.trades_all(&query),
    )?;
    if list.items().is_empty() {
        context.out.note("No trades like that. Find something to buy: machins browse");
        return context.out.result(&list, String::new);
    }
    let mut rows = Vec::new();
    for trade in list.items() {
        let role = role(context, trade)?;
        rows.push(vec![
            cell(trade.id.as_str()),
            styled(trade.status.as_str(), trade_style(&trade.status)),
            cell(&credits(trade.price)),
            cell(role.as_ref().map_or("", Role::as_str)),
            moment(trade.proposed_at.as_ref().or(trade.created_at.as_ref()), ""),
            cell(trade.listing_id.as_str()),
        ]);
    }
    let columns = [
        Column::whole("ID"),
        Column::whole("STATUS"),
        Column::number("PRICE"),
        Column::extra("YOU"),
        Column::extra("PROPOSED"),
        Column::extra("LISTING"),
    ];
    context.out.result(&list, || fitted(&columns, &rows))?;
    list.say_rest(context, "trade");
    Ok(())
}

/// The ids of all trades of the user.
pub(crate) fn ids(client: &Client, progress: &Progress) -> Result<Vec<String>, Failure> {
    let all = client.trades_all(&TradeQuery::new().limit(pages::FULL));
    let trades = pages::collect(progress, "trade", all)?;
    Ok(trades.into_iter().map(|trade| trade.id.to_string()).collect())
}

/// A client, and the trade that the user means.
fn find(context: &Context, given: &str) -> Result<(Client, TradeId), Failure> {
    let client = context.machins()?;
    let progress = Progress::start(context.out, "Looking the trade up…");
    let id = lookup::trade(&client, &progress, given)?;
    Ok((client, id))
}

/// `machins trade`.
pub(crate) fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    shown(context, &client.get_trade(&id)?)
}

fn shown(context: &Context, trade: &Trade) -> Result<(), Failure> {
    let role = role(context, trade)?;
    context.out.result(trade, || described(trade, role.as_ref()))?;
    say_next(context, trade)
}

fn described(trade: &Trade, role: Option<&Role>) -> String {
    let who = |agent: &AgentId, of: &Role| -> Cell {
        if role == Some(of) { cell(&format!("{agent} (you)")) } else { cell(agent.as_str()) }
    };
    let mut rows = vec![
        ("id", cell(trade.id.as_str())),
        ("status", styled(trade.status.as_str(), trade_style(&trade.status))),
        ("price", styled(&credits(trade.price), STRONG)),
        ("listing", cell(trade.listing_id.as_str())),
        ("buyer", who(&trade.buyer_agent_id, &Role::Buyer)),
        ("seller", who(&trade.seller_agent_id, &Role::Seller)),
    ];
    if let Some(terms) = &trade.terms {
        rows.push(("terms", cell(terms)));
    }
    let is_there = |value: &&Value| !value.is_null() && **value != json!({});
    let mut metadata = Value::from(trade.metadata.clone().unwrap_or_default());
    if let Value::Object(metadata) = &mut metadata {
        // The client's own mark says nothing to a person.
        metadata.shift_remove("client_reference");
    }
    if is_there(&&metadata) {
        rows.push(("metadata", json_cell(&metadata)));
    }
    for (name, moment_of) in [
        ("proposed", trade.proposed_at.as_ref().or(trade.created_at.as_ref())),
        ("accepted", trade.accepted_at.as_ref()),
        ("delivered", trade.delivered_at.as_ref()),
        ("completed", trade.completed_at.as_ref()),
    ] {
        if moment_of.is_some() {
            rows.push((name, moment(moment_of, "")));
        }
    }
    if let Some(delivery) = trade.delivery_payload.as_ref().map(|delivery| json!(delivery)) {
        rows.push(("delivery", json_cell(&delivery)));
    }
    match trade.delivery_verified {
        Some(true) => rows.push(("verified", styled("yes", GOOD))),
        Some(false) => rows.push(("verified", styled("no", WARN))),
        None => {}
    }
    if let Some(answer) = trade.delivery_verification.as_deref().filter(is_there) {
        rows.push(("answer", json_cell(answer)));
    }
    fields(&rows)
}

/// What a trade's state means to one who waits for another.
#[derive(Debug, PartialEq, Eq)]
enum Wait {
    Over,
    Vain,
    On,
}

fn wait_for(wanted: &TradeStatus, now: &TradeStatus) -> Wait {
    match (now.has_passed(wanted), wanted.has_passed(now)) {
        (Some(true), _) => Wait::Over,
        // A state that is new to us may lead anywhere.
        (None, _) | (_, Some(true)) => Wait::On,
        _ => Wait::Vain,
    }
}

/// `machins trade --wait`.
pub(crate) fn wait(context: &Context, id: &str, wanted: &TradeStatus) -> Result<(), Failure> {
    let (_, id) = find(context, id)?;
    let client = context.machins_with_key()?.build()?;
    let progress = Progress::start(context.out, &format!("Waiting for {wanted}…"));
    let mut last = None;
    let look = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match client.get_trade(&id).await {
                Ok(trade) => match wait_for(wanted, &trade.status) {
                    Wait::On => {
                        progress.say(format!(
                            "The trade is {}; waiting for {wanted}…",
                            clean(trade.status.as_str())
                        ));
                        last = Some(trade.status);
                    }
                    Wait::Over => return Ok((trade, true)),
                    Wait::Vain => return Ok((trade, false)),
                },
                // What passes is waited out.
                Err(error) if error.is_retryable() => {
                    progress.say(clean(&error.to_string()).into());
                }

                Err(error) => return Err(Failure::from(error)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    };
    let found = runtime::block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => None,
            found = look => Some(found),
        }
    })?;
    drop(progress);
    let Some(found) = found else {
        let stand = last.map_or_else(String::new, |status| format!("; the trade is {status}"));
        return Err(Failure::interrupted(format!("no longer waiting for {wanted}{stand}")));
    };
    let (trade, is_reached) = found?;
    if is_reached {
        return shown(context, &trade);
    }
    context.out.result(&trade, || described(&trade, None))?;
    Err(Failure::refused(format!("the trade is {}: it can't be {wanted} any more", trade.status))
        .code(trade.status.as_str()))
}

/// `machins accept`.
pub(crate) fn accept(context: &Context, id: &str, has_reason: bool) -> Result<(), Failure> {
    if has_reason {
        context.out.warn("accepting takes no reason: the other party will not read it");
    }
    act(context, id, Client::accept_trade)
}

/// `machins confirm`.
pub(crate) fn confirm(context: &Context, id: &str) -> Result<(), Failure> {
    act(context, id, Client::confirm_trade)
}

/// `machins reject`.
pub(crate) fn reject(context: &Context, action: &Action) -> Result<(), Failure> {
    act(context, &action.id, |client, id| client.reject_trade(id, action.reason.as_deref()))
}

/// `machins cancel`.
pub(crate) fn cancel(context: &Context, action: &Action) -> Result<(), Failure> {
    act(context, &action.id, |client, id| client.cancel_trade(id, action.reason.as_deref()))
}

/// `machins dispute`.
pub(crate) fn dispute(context: &Context, action: &Action) -> Result<(), Failure> {
    act(context, &action.id, |client, id| client.dispute_trade(id, action.reason.as_deref()))
}

/// `machins deliver`.
pub(crate) fn deliver(context: &Context, deliver: &Deliver) -> Result<(), Failure> {
    let delivery = delivery(deliver)?;
    act(context, &deliver.id, |client, id| client.deliver_trade(id, &delivery))
}

fn act(
    context: &Context,
    id: &str,
    action: impl FnOnce(&Client, &TradeId) -> Result<Trade, machins_client::Error>,
) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    report(context, &action(&client, &id).map_err(doubtful)?)
}

/// What the flags deliver. The command tree lets exactly one kind through.
fn delivery(deliver: &Deliver) -> Result<Delivery, Failure> {
    let flags =
        (&deliver.result, &deliver.data, &deliver.endpoint_url, &deliver.tx_id, &deliver.payload);
    Ok(match flags {
        (Some(text), ..) => Delivery::task(json_flag::value("--result", text)?),
        (_, Some(text), ..) => match json_flag::value("--data", text)? {
            Value::Array(rows) => Delivery::data(rows),
            other => {
                return Err(Failure::usage(format!(
                    "--data must be an array of rows, not {}",
                    json_flag::kind(&other)
                )));
            }
        },
        (_, _, Some(url), ..) => {
            let credentials = match deliver.credentials.as_deref() {
                Some(text) => json_flag::secret_object("--credentials", text)?,
                // The reference asks for the object, also where it has nothing to hold.
                None => Map::new(),
            };
            // An api and a model are delivered alike.
            Delivery::api(url, credentials.into())
        }
        (_, _, _, Some(id), _) => Delivery::asset(id),
        (_, _, _, _, Some(text)) => Delivery::payload(json_flag::object("--payload", text)?.into()),
        _ => return Err(Failure::usage("nothing to deliver")),
    })
}

/// `machins review`.
pub(crate) fn review(context: &Context, review: Review) -> Result<(), Failure> {
    let mut written = NewReview::new(Rating::new(review.rating)?);
    if let Some(body) = review.body {
        written = written.body(body);
    }
    let (client, id) = find(context, &review.id)?;
    let review = client.create_review(&id, &written).map_err(doubtful)?;
    context.out.result(&review, || {
        let body = review.body.as_deref().unwrap_or_default();
        let text = format!("{WARN}{}{WARN:#} {}", stars(review.rating), clean(body));
        format!("{GOOD}reviewed{GOOD:#}  {}  {}", clean(id.as_str()), text.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_it_is_over_or_in_vain() {
        use TradeStatus::{
            Cancelled, Completed, Delivered, Disputed, EscrowHeld, Proposed, Rejected, Resolved,
        };
        for (wanted, now, verdict) in [
            (Delivered, Proposed, Wait::On),
            (Delivered, EscrowHeld, Wait::On),
            (Delivered, Delivered, Wait::Over),
            (Delivered, Completed, Wait::Over),
            (Delivered, Disputed, Wait::Over),
            (Delivered, Rejected, Wait::Vain),
            (Delivered, Cancelled, Wait::Vain),
            (Completed, Disputed, Wait::Vain),
            (Resolved, Disputed, Wait::On),
            (Rejected, EscrowHeld, Wait::Vain),
            (Completed, TradeStatus::from("paused"), Wait::On),
        ] {
            assert_eq!(wait_for(&wanted, &now), verdict, "{wanted} from {now}");
        }
    }

    #[test]
    fn each_flag_delivers_its_kind() {
        let none = || Deliver {
            id: String::new(),
            result: None,
            data: None,
            endpoint_url: None,
            credentials: None,
            tx_id: None,
            payload: None,
        };
        let body = |deliver: Deliver| json!(delivery(&deliver).unwrap());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            body(Deliver { result: some("\"x\""), ..none() }),
            json!({"payload": {"result": "x"}})
        );
        assert_eq!(
            body(Deliver { data: some("[1]"), ..none() }),
            json!({"payload": {"data": [1]}})
        );
        assert_eq!(
            body(Deliver {
                endpoint_url: some("https://a.example"),
                credentials: some("{\"t\": 1}"),
                ..none()
            }),
            json!({"endpoint_url": "https://a.example", "credentials": {"t": 1}})
        );
        assert_eq!(
            body(Deliver { tx_id: some("0xabc"), ..none() }),
            json!({"transaction_proof": {"tx_id": "0xabc"}})
        );
        assert_eq!(
            body(Deliver { payload: some("{\"any\": []}"), ..none() }),
            json!({"payload": {"any": []}})
        );
        assert!(delivery(&Deliver { data: some("{}"), ..none() }).is_err());
        assert!(delivery(&Deliver { payload: some("1"), ..none() }).is_err());
        assert!(delivery(&none()).is_err());
    }
}
