//! The virtual time, and what falls due.

use http::Method;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    badge_as, button, empty, hidden, input, list, number, short, table, text, time,
};
use crate::console::query::segment;
use crate::console::request::Console;

const PATH: &str = "/console/clock";

/// How far the buttons move the clock, in seconds.
const STEPS: [(&str, &str); 5] = [
    ("60", "1 minute"),
    ("3600", "1 hour"),
    ("86400", "1 day"),
    ("604800", "7 days"),
    ("2592000", "30 days"),
];

pub(in crate::console) async fn show(console: Console) -> Answer {
    let clock: Value = console.api.get("/_mock/clock").await?;
    let timers: Value = console.api.get("/_mock/clock/timers?limit=50").await?;
    let is_frozen = clock["frozen"] == true;
    let freeze = if is_frozen { ("false", "Let it go on") } else { ("true", "Freeze") };
    let body = html! {
        div data-live="clock" {
            p.now { (time(&clock["now"])) " " @if is_frozen { (badge_as("warn", "stands still")) } @else { (badge_as("ok", "running")) } }
            @if let Some(seconds) = clock["offset_seconds"].as_f64() { p.fine { (ahead(seconds)) } }
            div.actions { (button(&console, PATH, &[("frozen", freeze.0)], freeze.1, None)) }
        }
        section {
            h2 { "Advance" }
            div.actions {
                @for (seconds, words) in STEPS {
                    (button(&console, PATH, &[("seconds", seconds)], &format!("+ {words}"), None))
                }
            }
            form.row method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (input("seconds", "Seconds", None, "number"))
                button { "Advance" }
            }
            form.row method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (input("now", "Set to, such as 2030-01-31T12:00:00Z", None, "text"))
                button { "Set" }
            }
        }
        section {
            h2 { "What falls due next" }
            div data-live="timers" { (due(&console, &timers)) }
        }
    };
    Ok(Page::new(&console, "Clock").tick(1000).show(body))
}

fn ahead(seconds: f64) -> String {
    if seconds.abs() < 1.0 {
        return "The real time.".to_owned();
    }
    let (days, rest) = ((seconds.abs() / 86400.0).floor(), seconds.abs() % 86400.0);
    let (hours, minutes) = ((rest / 3600.0).floor(), (rest % 3600.0 / 60.0).floor());
    let direction = if seconds > 0.0 { "ahead of" } else { "behind" };
    format!("{days} days, {hours} hours and {minutes} minutes {direction} the real time.")
}

fn due(console: &Console, timers: &Value) -> Markup {
    let rows = list(timers, "timers");
    if rows.is_empty() {
        return empty(
            "Nothing falls due.",
            html! { "Listings with a lifetime, disputes and read notifications appear here." },
        );
    }
    html! {
        (table("What falls due", html! { th { "Time" } th { "What" } th { "About" } }, html! {
            @for timer in rows {
                tr {
                    td { (time(&timer["at"])) }
                    td { (what(text(timer, "kind"))) }
                    td.wrap.grow { a href=(console.link(&about(timer))) { bdi { @match timer["name"].as_str() { Some(name) => (name), None => (short(text(timer, "id"))) } } } }
                }
            }
        }))
        @if number(timers, "total") > 50 { p.hint { "The next 50 of " (number(timers, "total")) "." } }
    }
}

fn what(kind: &str) -> &'static str {
    match kind {
        "listing_expires" => "a listing expires",
        "dispute_resolves" => "a dispute is resolved",
        _ => "read notifications are deleted",
    }
}

fn about(timer: &Value) -> String {
    let id = segment(text(timer, "id"));
    match text(timer, "kind") {
        "listing_expires" => format!("/console/listings/{id}"),
        "dispute_resolves" => format!("/console/trades/{id}"),
        _ => format!("/console/agents/{}", segment(text(timer, "name"))),
    }
}

pub(in crate::console) async fn act(console: Console) -> Answer {
    let action = console.action()?;
    let form = &console.form;
    if let Some(seconds) = form.get("seconds") {
        let seconds: f64 = seconds.parse().unwrap_or(-1.0);
        console.api.post("/_mock/clock/advance", &json!({"seconds": seconds})).await?;
        return Ok(action.go(PATH, "advanced"));
    }
    let (change, done) = match (form.get("now"), form.get("frozen")) {
        (Some(now), _) => (json!({"now": now}), "clock-set"),
        (None, Some("true")) => (json!({"frozen": true}), "clock-frozen"),
        (None, _) => (json!({"frozen": false}), "clock-running"),
    };
    console.api.send::<Value>(Method::PUT, "/_mock/clock", &change, None).await?;
    Ok(action.go(PATH, done))
}
