//! Faults: failures on demand.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    badge_as, button, empty, hidden, input, list, number, or_dash, select, table, text,
};
use crate::console::query::segment;
use crate::console::request::{Console, Name};

const PATH: &str = "/console/faults";

pub(in crate::console) async fn show(console: Console) -> Answer {
    let faults: Value = console.api.get("/_mock/faults").await?;
    let rows = list(&faults, "faults");
    let body = html! {
        p.lead { "A fault makes matching requests, or webhooks, fail. The first one that matches takes effect." }
        div data-live="faults" {
            @if rows.is_empty() {
                (empty("No fault.", html! { "Everything works. Add a fault below to see how a program takes it." }))
            } @else {
                (fault_table(&console, rows))
                div.actions { (button(&console, "/console/faults/clear", &[], "Remove all", Some("Remove all faults?"))) }
            }
        }
        section {
            h2 { "Add a fault" }
            form.grid method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (select("kind", "What happens", None, &[
                    ("status", "answer with a status"), ("delay", "delay"), ("drop_before", "close the connection, nothing done"),
                    ("drop_after", "do it, and lose the reply"), ("truncate", "cut the reply"), ("garbage", "reply with garbage"),
                    ("slow_body", "send the reply slowly"), ("duplicate", "webhook: post twice"), ("drop", "webhook: do not post"),
                    ("reorder", "webhook: post after the next"), ("bad_signature", "webhook: wrong signature"), ("webhook_delay", "webhook: delay"),
                ]))
                (input("status", "Status (for a status)", Some("503"), "number"))
                (input("retry_after", "Retry-After in seconds", None, "number"))
                (input("millis", "Milliseconds (for delays)", Some("1000"), "number"))
                (input("method", "Only this method", None, "text"))
                (input("path", "Only paths like /api/v1/devices/*", None, "text"))
                (input("agent", "Only this agent", None, "text"))
                (input("device", "Only this device", None, "text"))
                (input("after", "Let this many through first", None, "number"))
                (input("times", "How many times (no end if empty)", Some("1"), "number"))
                (input("probability", "Probability from 0 to 1", None, "text"))
                div { button { "Add the fault" } }
            }
        }
    };
    Ok(Page::new(&console, "Faults").show(body))
}

fn fault_table(console: &Console, faults: &[Value]) -> Markup {
    let head = html! { th.end { "#" } th { "What happens" } th { "To" } th { "For whom" } th.end { "Hits" } th { "Actions" } };
    table(
        "Faults",
        head,
        html! {
            @for fault in faults {
                @let id = number(fault, "id").to_string();
                tr {
                    td.number { (id) }
                    td { (what(fault)) }
                    td { (text(fault, "on")) "s" }
                    td.wrap.grow { (conditions(&fault["match"])) }
                    td.number {
                        (number(fault, "hits")) " of " @match fault["times"].as_u64() { Some(times) => (times), None => "no end" }
                        @if fault["times"].as_u64().is_some_and(|times| number(fault, "hits") >= times) { " " (badge_as("mute", "over")) }
                    }
                    td.buttons { (button(console, &format!("{PATH}/{}/remove", segment(&id)), &[], "Remove", None)) }
                }
            }
        },
    )
}

fn what(fault: &Value) -> Markup {
    html! {
        b { (text(fault, "kind").replace('_', " ")) } " "
        @if fault["status"].is_number() { (or_dash(&fault["status"])) }
        @if fault["millis"].is_number() { (or_dash(&fault["millis"])) " ms" }
        @if let Some(probability) = fault["probability"].as_f64().filter(|one| *one < 1.0) { ", probability " (probability) }
        @if number(fault, "after") > 0 { ", after " (number(fault, "after")) }
    }
}

fn conditions(conditions: &Value) -> Markup {
    let all = conditions.as_object().into_iter().flatten();
    let all: Vec<_> = all.filter(|(_, value)| !value.is_null() && **value != json!({})).collect();
    html! {
        @if all.is_empty() { span.fine { "everyone" } }
        @for (name, value) in all {
            span.condition { (name) " " code { bdi { @match value.as_str() { Some(text) => (text), None => (value.to_string()) } } } " " }
        }
    }
}

pub(in crate::console) async fn add(console: Console) -> Answer {
    let action = console.action()?;
    let form = &console.form;
    let kind = form.text("kind");
    let (kind, on) = match kind {
        "webhook_delay" => ("delay", "webhook"),
        "duplicate" | "drop" | "reorder" | "bad_signature" => (kind, "webhook"),
        kind => (kind, "request"),
    };
    let mut fault = json!({"kind": kind, "on": on});
    let mut conditions = Map::new();
    for name in ["method", "path", "agent", "device"] {
        if let Some(value) = form.get(name) {
            conditions.insert(name.to_owned(), value.into());
        }
    }
    fault["match"] = conditions.into();
    let takes = |name: &str| match name {
        "status" | "retry_after" => kind == "status",
        "millis" => matches!(kind, "delay" | "slow_body" | "reorder"),
        _ => true,
    };
    for name in ["status", "retry_after", "millis", "after", "times"] {
        if let Some(value) = form.number(name).filter(|_| takes(name)) {
            fault[name] = value.into();
        }
    }
    if let Some(probability) = form.get("probability") {
        fault["probability"] = json!(probability.parse::<f64>().unwrap_or(-1.0));
    }
    console.api.post("/_mock/faults", &fault).await?;
    Ok(action.go(PATH, "fault-added"))
}

pub(in crate::console) async fn remove(Name(id): Name, console: Console) -> Answer {
    let action = console.action()?;
    console.api.delete(&format!("/_mock/faults/{}", segment(&id))).await?;
    Ok(action.go(PATH, "fault-removed"))
}

pub(in crate::console) async fn clear(console: Console) -> Answer {
    let action = console.action()?;
    console.api.delete("/_mock/faults").await?;
    Ok(action.go(PATH, "faults-cleared"))
}
