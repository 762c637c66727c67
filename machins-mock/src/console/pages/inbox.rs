//! The inboxes of all agents.

use maud::html;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge_as, empty, input, json, list, number, pager, select, text, time,
    trade_link,
};
use crate::console::request::Console;

const PATH: &str = "/console/inbox";

/// The payloads of notifications, kept as they were sent.
#[derive(Default, Deserialize)]
struct Payloads {
    notifications: Vec<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    payload: Box<RawValue>,
}

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&["agent", "event_type", "unread", "trade"]);
    let get = |name| console.params.get(name);
    let query =
        filters.clone().and("limit", Some(PAGE)).and("offset", console.params.number("offset"));
    let raw: Box<RawValue> =
        console.api.get(&format!("/_mock/machins/inbox{}", query.suffix())).await?;
    let inbox: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let payloads: Payloads = serde_json::from_str(raw.get()).unwrap_or_default();
    let rows = list(&inbox, "notifications");
    let body = html! {
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("agent", "Agent", get("agent"), "search"))
            (select("event_type", "Event", get("event_type"), &[
                ("", "any"), ("trade_proposed", "trade proposed"), ("trade_accepted", "trade accepted"),
                ("trade_delivered", "trade delivered"), ("trade_completed", "trade completed"),
                ("trade_cancelled", "trade cancelled"), ("trade_disputed", "trade disputed"),
                ("match_found", "match found"),
            ]))
            (select("unread", "Read", get("unread"), &[("", "any"), ("true", "unread"), ("false", "read")]))
            button.quiet { "Filter" }
        }
        div data-live="inbox" {
            @if rows.is_empty() {
                (empty("No notification to show.", html! { "Trades put one into the inbox of whoever they concern. Change the filter, or load the example on the overview." }))
            } @else {
                ul.entries {
                    @for (event, payload) in rows.iter().zip(&payloads.notifications) {
                        li {
                            details data-key=(text(event, "id")) {
                                summary {
                                    (time(&event["created_at"])) " "
                                    span.mono { (text(event, "event_type")) } " "
                                    span { "to " (text(event, "agent")) } " "
                                    @if event["is_read"] == true { (badge_as("mute", "read")) } @else { (badge_as("info", "unread")) }
                                }
                                div.inside {
                                    p {
                                        "Inbox of " (agent_link(&console, &event["agent"]))
                                        @if let Some(trade) = event["payload"]["trade_id"].as_str() { ", about trade " (trade_link(&console, trade)) }
                                    }
                                    (json("Payload", payload.payload.get()))
                                }
                            }
                        }
                    }
                }
                (pager(&console, PATH, &filters, number(&inbox, "total")))
            }
        }
    };
    Ok(Page::new(&console, "Inbox").show(body))
}
