//! Trades, and one trade with everything that belongs to it.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::trade_diagram::diagram;
use super::trade_state::{reasons, waits_for};
use super::{ledger, webhooks};
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge, badge_as, button, empty, input, json as json_view, list, number,
    or_dash, pager, select, table, text, time, trade_link,
};
use crate::console::query::{Query, segment};
use crate::console::request::{Console, Name};

const PATH: &str = "/console/trades";

/// The times of a trade, in the order in which they usually come.
const TIMES: [(&str, &str); 8] = [
    ("proposed_at", "Proposed"),
    ("escrow_held_at", "Accepted; the credits are held"),
    ("rejected_at", "Rejected"),
    ("delivered_at", "Delivered"),
    ("completed_at", "Confirmed; the seller is paid"),
    ("cancelled_at", "Cancelled; the buyer has the credits back"),
    ("disputed_at", "Disputed"),
    ("resolved_at", "Resolved"),
];

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&["search", "status", "agent", "listing"]);
    let query = filters
        .clone()
        .and("sort", Some("newest"))
        .and("limit", Some(PAGE))
        .and("offset", console.params.number("offset"));
    let path = format!("/_mock/machins/trades{}", query.suffix());
    let trades: Value = console.api.get(&path).await?;
    let rows = list(&trades, "trades");
    let body = html! {
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("search", "Search", console.params.get("search"), "search"))
            (select("status", "State", console.params.get("status"), &[
                ("", "any"), ("proposed", "proposed"), ("escrow_held", "escrow held"),
                ("delivered", "delivered"), ("completed", "completed"), ("disputed", "disputed"),
                ("resolved", "resolved"), ("cancelled", "cancelled"), ("rejected", "rejected"),
            ]))
            (input("agent", "Agent", console.params.get("agent"), "text"))
            button.quiet { "Filter" }
        }
        div data-live="trades" {
            @if rows.is_empty() {
                (empty("No trade to show.", html! {
                    "An agent proposes one with " code { "machins buy LISTING" } " or POST /api/v1/trades. \
                     Change the filter, or load the example on the overview."
                }))
            } @else {
                (table_of(&console, rows))
                (pager(&console, PATH, &filters, number(&trades, "total")))
            }
        }
    };
    Ok(Page::new(&console, "Trades").show(body))
}

pub(super) fn table_of(console: &Console, trades: &[Value]) -> Markup {
    let head = html! {
        th { "Trade" } th { "Listing" } th { "Buyer" } th { "Seller" } th.end { "Price" }
        th { "State" } th { "Waits for" } th.less { "Updated" }
    };
    let rows = html! {
        @for trade in trades {
            tr {
                td { (trade_link(console, text(trade, "id"))) }
                td.wrap.grow { bdi { (or_dash(&trade["listing_title"])) } }
                td { (agent_link(console, &trade["buyer_agent_slug"])) }
                td { (agent_link(console, &trade["seller_agent_slug"])) }
                td.number { (text(trade, "price")) }
                td { (badge(text(trade, "status"))) }
                td.wrap.waits { @match waits_for(trade) {
                    Some(what) => (what.trim_start_matches("waits for ")),
                    None => span.none { "–" },
                } }
                td.less { (time(&trade["updated_at"])) }
            }
        }
    };
    table("Trades", head, rows)
}

/// What of a trade is kept as it was sent.
#[derive(Default, Deserialize)]
struct Parts {
    metadata: Option<Box<RawValue>>,
    delivery_payload: Option<Box<RawValue>>,
    delivery_verification: Option<Box<RawValue>>,
}

pub(in crate::console) async fn one(Name(id): Name, console: Console) -> Answer {
    let raw: Box<RawValue> =
        console.api.get(&format!("/_mock/machins/trades/{}", segment(&id))).await?;
    let trade: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let parts: Parts = serde_json::from_str(raw.get()).unwrap_or_default();
    let get = async |path: &str, query: Query| -> Value {
        console.api.get(&format!("{path}{}", query.suffix())).await.unwrap_or_default()
    };
    let buyer = segment(text(&trade, "buyer_agent_slug"));
    let buyer = get(&format!("/_mock/machins/agents/{buyer}"), Query::default()).await;
    let about = |name| Query::default().and(name, Some(&id)).and("limit", Some(PAGE));
    let entries = get("/_mock/machins/ledger/transactions", about("reference")).await;
    let events = get("/_mock/machins/inbox", about("trade")).await;
    let posts = get("/_mock/webhooks", about("search")).await;
    let body = html! {
        div data-live="trade" {
            (state(&trade, buyer["credits"].as_str()))
            @if text(&trade, "status") == "disputed" { (resolution(&console, &id)) }
            div.columns {
                section { h2 { "The way so far" } (diagram(&trade)) (timeline(&trade)) }
                section { h2 { "Terms" } (terms(&console, &trade)) }
            }
            @for (title, part) in [
                ("Delivery", &parts.delivery_payload), ("Verification", &parts.delivery_verification),
                ("Metadata", &parts.metadata),
            ] {
                @if let Some(part) = part.as_ref().filter(|part| part.get() != "null") {
                    section { h2 { (title) } (json_view(title, part.get())) }
                }
            }
            section {
                h2 { "Ledger entries" }
                @let entries = list(&entries, "transactions");
                @if entries.is_empty() { p.fine { "No credits were moved for this trade." } }
                @else { (ledger::transactions(&console, entries)) }
            }
            section {
                h2 { "Events" }
                @let events = list(&events, "notifications");
                @if events.is_empty() { p.fine { "The trade has caused no event in an inbox." } }
                @else { (event_table(&console, events)) }
            }
            section {
                h2 { "Webhooks" }
                @let posts = list(&posts, "webhooks");
                @if posts.is_empty() { p.fine { "Nothing was posted about this trade." } }
                @else { (webhooks::attempts(&console, posts)) }
            }
        }
    };
    Ok(Page::new(&console, format!("Trade {}", crate::console::parts::short(&id)))
        .under(PATH, "Trades")
        .show(body))
}

fn state(trade: &Value, buyer_credits: Option<&str>) -> Markup {
    html! {
        div.state-line {
            p { (badge(text(trade, "status"))) " "
                @match waits_for(trade) {
                    Some(what) => b { "It " (what) "." },
                    None => span { "It is over." },
                }
            }
            @for reason in reasons(trade, buyer_credits) { p { bdi { (reason) } } }
        }
    }
}

fn resolution(console: &Console, id: &str) -> Markup {
    let path = format!("{PATH}/{}/resolve", segment(id));
    html! {
        div.actions {
            (button(console, &path, &[("outcome", "refund")], "Resolve for the buyer",
                Some("Resolve the dispute for the buyer? The credits go back; this cannot be undone.")))
            (button(console, &path, &[("outcome", "release")], "Resolve for the seller",
                Some("Resolve the dispute for the seller? The seller is paid; this cannot be undone.")))
        }
    }
}

fn timeline(trade: &Value) -> Markup {
    let mut passed: Vec<_> =
        TIMES.iter().filter_map(|(field, words)| Some((trade[*field].as_str()?, *words))).collect();
    passed.sort_by_key(|(at, _)| *at);
    html! {
        ol.timeline {
            @for (at, words) in passed { li { (time(&at.into())) " " (words) } }
            @if let Some(at) = trade["dispute_resolves_at"].as_str().filter(|_| trade["resolved_at"].is_null()) {
                li.future { (time(&at.into())) " Resolved by itself, if nobody does" }
            }
        }
    }
}

fn terms(console: &Console, trade: &Value) -> Markup {
    let listing = format!("/console/listings/{}", segment(text(trade, "listing_id")));
    html! {
        dl.facts {
            div { dt { "Listing" } dd { a href=(console.link(&listing)) { bdi { (or_dash(&trade["listing_title"])) } } } }
            div { dt { "Buyer" } dd { (agent_link(console, &trade["buyer_agent_slug"])) } }
            div { dt { "Seller" } dd { (agent_link(console, &trade["seller_agent_slug"])) } }
            div { dt { "Price" } dd.number { (text(trade, "price")) } }
            div { dt { "Fee" } dd.number { (or_dash(&trade["fee"])) } }
            div { dt { "Type" } dd { (text(trade, "listing_type")) } }
            div { dt { "Terms" } dd.wrap { bdi { (or_dash(&trade["terms"])) } } }
            div { dt { "Verified" } dd { @match trade["delivery_verified"].as_bool() {
                Some(true) => (badge("verified")),
                Some(false) => (badge_as("bad", "not accepted")),
                None => span.none { "–" },
            } } }
            div { dt { "Verification" } dd.wrap.mono { bdi { (or_dash(&trade["verification_url"])) } } }
            div { dt { "Content hash" } dd.wrap.mono { (or_dash(&trade["delivery_content_hash"])) } }
            div { dt { "Id" } dd.wrap.mono { (text(trade, "id")) } }
        }
    }
}

fn event_table(console: &Console, events: &[Value]) -> Markup {
    let head = html! { th { "Time" } th { "Event" } th { "Inbox of" } th { "Read" } };
    table(
        "Events",
        head,
        html! {
            @for event in events {
                tr {
                    td { (time(&event["created_at"])) }
                    td.mono { (text(event, "event_type")) }
                    td { (agent_link(console, &event["agent"])) }
                    td { @if event["is_read"] == true { "read" } @else { (badge_as("info", "unread")) } }
                }
            }
        },
    )
}

pub(in crate::console) async fn resolve(Name(id): Name, console: Console) -> Answer {
    let action = console.action()?;
    let outcome = console.form.text("outcome");
    let path = format!("/_mock/machins/trades/{}/resolve", segment(&id));
    console.api.post(&path, &json!({"outcome": outcome})).await?;
    Ok(action.done(if outcome == "refund" { "refunded" } else { "released" }))
}
