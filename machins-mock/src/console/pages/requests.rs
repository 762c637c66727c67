//! The requests that the server received.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::request_copies::Copied;
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge_as, button, copyable, empty, input, json, list, number, or_dash,
    select, status, table, text, time,
};
use crate::console::query::{Query, segment};
use crate::console::request::{Console, Name};

const PATH: &str = "/console/requests";

/// The filters of the list.
const FILTERS: [&str; 7] = ["search", "method", "failed", "status", "device", "agent", "org_key"];

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&FILTERS);
    let query = filters
        .clone()
        .and("brief", Some(true))
        .and("limit", Some(PAGE))
        .and("before", console.params.number("before"));
    let path = format!("/_mock/requests{}", query.suffix());
    let (requests, problem) = match console.api.get::<Value>(&path).await {
        Ok(requests) => (requests, None),
        // A filter that is being typed may be no valid one yet.
        Err(refused) => (Value::Null, Some(refused.message)),
    };
    let rows = list(&requests, "requests");
    let body = html! {
        p.lead { "What arrived, newest first. Keys and passwords are masked." }
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("search", "Search", console.params.get("search"), "search"))
            (select("method", "Method", console.params.get("method"), &[
                ("", "any"), ("GET", "GET"), ("POST", "POST"), ("PATCH", "PATCH"),
                ("PUT", "PUT"), ("DELETE", "DELETE"),
            ]))
            (select("failed", "Outcome", console.params.get("failed"),
                &[("", "any"), ("true", "failed"), ("false", "succeeded")]))
            (input("device", "Device", console.params.get("device"), "text"))
            (input("agent", "Agent", console.params.get("agent"), "text"))
            button.quiet { "Filter" }
        }
        div data-live="requests" {
            @if let Some(problem) = problem { p.error role="status" { (problem) } }
            @if rows.is_empty() {
                (empty("No request to show.", html! {
                    "Send one to the server, or change the filter. "
                    @if number(&requests, "dropped") > 0 {
                        (number(&requests, "dropped")) " older ones were forgotten."
                    }
                }))
            } @else {
                (rows_of(&console, rows))
                (older(&console, &filters, rows, number(&requests, "total")))
            }
        }
        div.actions {
            (button(&console, "/console/requests/clear", &[], "Clear the records",
                Some("Clear the records of all requests?")))
        }
    };
    Ok(Page::new(&console, "Requests").show(body))
}

fn rows_of(console: &Console, requests: &[Value]) -> Markup {
    let head = html! {
        th.end.less { "#" } th { "Time" } th { "Method" } th { "Path" } th { "Device" } th { "Agent" }
        th { "Status" } th.end { "ms" }
    };
    let rows = html! {
        @for request in requests.iter().rev() {
            @let link = console.link(&format!("{PATH}/{}", number(request, "seq")));
            tr {
                td.number.less { (number(request, "seq")) }
                td { (time(&request["received_at"])) }
                td.mono { (text(request, "method")) }
                td.wrap.grow { a.mono href=(link) { bdi { (text(request, "path")) } } }
                td.wrap { bdi { (or_dash(&request["device"])) } }
                td { (agent_link(console, &request["agent"])) }
                td { (answer(request)) }
                td.number { (millis(request)) }
            }
        }
    };
    table("Requests", head, rows)
}

fn answer(request: &Value) -> Markup {
    html! {
        @if request["latency_ms"].is_null() { (badge_as("info", "under way")) }
        @else { (status(&request["status"])) }
        @if let Some(fault) = request["fault"].as_str() {
            " " (badge_as("warn", &format!("fault: {fault}")))
        }
    }
}

fn millis(request: &Value) -> String {
    request["latency_ms"].as_f64().map_or_else(|| "–".to_owned(), |millis| format!("{millis:.1}"))
}

fn older(console: &Console, filters: &Query, rows: &[Value], total: u64) -> Markup {
    let oldest = rows.first().map_or(0, |request| number(request, "seq"));
    let has_more = total > rows.len() as u64;
    let query = filters.clone().and("before", Some(oldest));
    let is_latest = console.params.get("before").is_none();
    html! {
        nav.pager aria-label="Parts of the list" {
            span { (rows.len()) " of " (total) }
            @if !is_latest {
                a href=(console.link(&format!("{PATH}{}", filters.suffix()))) { "Latest" }
            }
            @if has_more {
                a href=(console.link(&format!("{PATH}{}", query.suffix()))) rel="next" { "Older" }
            }
        }
    }
}

/// A request, whose bodies are kept as they were sent.
#[derive(Deserialize)]
struct Bodies {
    body: Option<Box<RawValue>>,
    reply: Option<Box<RawValue>>,
}

pub(in crate::console) async fn one(Name(seq): Name, console: Console) -> Answer {
    let path = format!("/_mock/requests/{}", segment(&seq));
    let raw: Box<RawValue> = console.api.get(&path).await?;
    let request: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let bodies = serde_json::from_str(raw.get()).unwrap_or(Bodies { body: None, reply: None });
    let parameters = request["query"].as_object();
    let query = parameters
        .into_iter()
        .flatten()
        .fold(Query::default(), |query, (name, value)| query.and(name, value.as_str()));
    let address = format!("{}{}", text(&request, "path"), query.suffix());
    let title = format!("{} {}", text(&request, "method"), text(&request, "path"));
    let copied = Copied {
        url: &console.url(),
        method: text(&request, "method"),
        path: &address,
        body: bodies.body.as_deref().map(RawValue::get),
    };
    let headers = request["headers"].as_object();
    let body = html! {
        div data-live="request" {
            dl.facts {
                div { dt { "Status" } dd { (answer(&request)) } }
                div { dt { "Received" } dd { (time(&request["received_at"])) } }
                div { dt { "Took" } dd { (millis(&request)) " ms" } }
                div { dt { "Agent" } dd { (agent_link(&console, &request["agent"])) } }
                div { dt { "Device" } dd { bdi { (or_dash(&request["device"])) } } }
                div { dt { "Address" } dd.wrap.mono { bdi { (address) } } }
            }
            div.columns {
                section {
                    h2 { "Body" }
                    @match &bodies.body {
                        Some(body) => (json("Body", body.get())),
                        None => p.fine { "No body." },
                    }
                }
                section {
                    h2 { "Reply" }
                    @match &bodies.reply {
                        Some(reply) => (json("Reply", reply.get())),
                        None => p.fine { "No reply." },
                    }
                }
            }
        }
        section {
            h2 { "Headers" }
            (table("Headers", html! { th { "Name" } th { "Value" } }, html! {
                @for (name, value) in headers.into_iter().flatten() {
                    tr { td.mono { (name) } td.wrap.mono { bdi { (or_dash(value)) } } }
                }
            }))
        }
        section {
            h2 { "Send it again" }
            h3 { "curl" } (copyable("as-curl", "as curl", &copied.as_curl()))
            h3 { "machins" } (copyable("as-machins", "as machins", &copied.as_machins()))
            h3 { "Rust" } (copyable("as-rust", "as Rust", &copied.as_rust()))
        }
    };
    Ok(Page::new(&console, title).under(PATH, "Requests").show(body))
}

pub(in crate::console) async fn clear(console: Console) -> Answer {
    let action = console.action()?;
    console.api.delete("/_mock/requests").await?;
    Ok(action.go(PATH, "requests-cleared"))
}
