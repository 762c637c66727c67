//! Webhooks and verifications that were posted, and the subscriptions behind them.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge_as, button, copyable, empty, input, json, list, number, or_dash,
    select, status, table, text, time,
};
use crate::console::query::segment;
use crate::console::request::{Console, Name};

const PATH: &str = "/console/webhooks";

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&["search", "event", "failed", "subscription"]);
    let get = |name| console.params.get(name);
    let query =
        filters.clone().and("limit", Some(PAGE)).and("before", console.params.number("before"));
    let posts: Value = console.api.get(&format!("/_mock/webhooks{}", query.suffix())).await?;
    let subscriptions: Value = console.api.get("/_mock/machins/subscriptions?limit=50").await?;
    let rows = list(&posts, "webhooks");
    let body = html! {
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("search", "Search", get("search"), "search"))
            (select("failed", "Outcome", get("failed"), &[("", "any"), ("true", "failed"), ("false", "succeeded")]))
            (select("event", "Event", get("event"), &[
                ("", "any"), ("trade_proposed", "trade proposed"), ("trade_accepted", "trade accepted"),
                ("trade_delivered", "trade delivered"), ("trade_completed", "trade completed"),
                ("trade_cancelled", "trade cancelled"), ("trade_disputed", "trade disputed"),
                ("new_listing", "new listing"), ("new_request", "new request"), ("new_agent", "new agent"),
                ("match_found", "match found"), ("verification", "verification"),
            ]))
            button.quiet { "Filter" }
        }
        div data-live="webhooks" {
            @if rows.is_empty() {
                (empty("No webhook to show.", html! { "An agent subscribes with " code { "machins subscribe EVENT URL" } "; what is posted appears here. Change the filter, or cause an event." }))
            } @else {
                (attempts(&console, rows))
                nav.pager aria-label="Parts of the list" {
                    span { (rows.len()) " shown" }
                    @if get("before").is_some() { a href=(console.link(&format!("{PATH}{}", filters.suffix()))) { "Latest" } }
                    @if rows.len() as u64 == PAGE {
                        @let older = filters.clone().and("before", rows.first().map(|post| number(post, "n")));
                        a href=(console.link(&format!("{PATH}{}", older.suffix()))) rel="next" { "Older" }
                    }
                }
            }
            section {
                h2 { "Subscriptions" }
                (subscription_table(&console, &subscriptions))
            }
        }
        div.actions { (button(&console, "/console/webhooks/clear", &[], "Clear the records", Some("Clear the records of all attempts?"))) }
    };
    Ok(Page::new(&console, "Webhooks").show(body))
}

/// Shows attempts, the newest first.
pub(super) fn attempts(console: &Console, posts: &[Value]) -> Markup {
    let head = html! {
        th.end { "#" } th { "Time" } th { "Event" } th { "Agent" } th { "To" } th { "Answer" }
        th.end { "Attempt" } th { "Actions" }
    };
    table(
        "Webhook attempts",
        head,
        html! {
            @for post in posts.iter().rev() {
                @let n = number(post, "n").to_string();
                tr {
                    td.number { a href=(console.link(&format!("{PATH}/{n}"))) aria-label={ "Attempt " (n) } { (n) } }
                    td { (time(&post["sent_at"])) }
                    td.mono { (text(post, "event")) }
                    td { (agent_link(console, &post["agent"])) }
                    td.wrap.grow.mono { bdi { (text(post, "url")) } }
                    td.wrap.answer { (answer(post)) }
                    td.number { (number(post, "attempt")) @if let Some(first) = post["resend_of"].as_u64() { " (again " (first) ")" } }
                    td.buttons { (resend_button(console, &n)) }
                }
            }
        },
    )
}

fn resend_button(console: &Console, n: &str) -> Markup {
    button(console, &format!("{PATH}/{n}/resend"), &[], "Resend", None)
}

fn answer(post: &Value) -> Markup {
    html! {
        @match post["error"].as_str() {
            Some(error) => { (badge_as("bad", "failed")) " " bdi { (error) } },
            None => (status(&post["status"])),
        }
        @if let Some(fault) = post["fault"].as_str() { " " (badge_as("warn", &format!("fault: {fault}"))) }
    }
}

fn subscription_table(console: &Console, subscriptions: &Value) -> Markup {
    let rows = list(subscriptions, "subscriptions");
    let head = html! { th { "Agent" } th { "Event" } th { "URL" } th { "State" } th.end { "Failures in a row" } th { "Signed" } th { "Attempts" } };
    html! {
        @if rows.is_empty() { p.fine { "No subscription." } }
        @else {
            (table("Subscriptions", head, html! {
                @for one in rows {
                    tr {
                        td { (agent_link(console, &one["agent"])) }
                        td.mono { (text(one, "event_type")) }
                        td.wrap.grow.mono { bdi { (text(one, "webhook_url")) } }
                        td { @match (one["is_active"] == true, number(one, "failure_count")) {
                            (false, _) => (badge_as("bad", "ended after 10 failures")),
                            (true, 0) => (badge_as("ok", "active")),
                            (true, _) => (badge_as("warn", "failing")),
                        } }
                        td.number { (number(one, "failure_count")) }
                        td { @if one["has_secret"] == true { "yes" } @else { "no" } }
                        td { a href=(console.link(&format!("{PATH}?subscription={}", segment(text(one, "id"))))) { "show" span.hidden { " attempts for " (text(one, "webhook_url")) } } }
                    }
                }
            }))
            @if number(subscriptions, "total") > 50 { p.hint { "The first 50 of " (number(subscriptions, "total")) "." } }
        }
    }
}

/// The body of an attempt, kept as it was posted.
#[derive(Default, Deserialize)]
struct Posted {
    body: Option<Box<RawValue>>,
}

pub(in crate::console) async fn one(Name(n): Name, console: Console) -> Answer {
    let raw: Box<RawValue> = console.api.get(&format!("/_mock/webhooks/{}", segment(&n))).await?;
    let post: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let posted: Posted = serde_json::from_str(raw.get()).unwrap_or_default();
    let body = html! {
        div data-live="webhook" {
            dl.facts {
                div { dt { "Event" } dd.mono { (text(&post, "event")) } }
                div { dt { "Answer" } dd.wrap { (answer(&post)) } }
                div { dt { "Sent" } dd { (time(&post["sent_at"])) } }
                div { dt { "Attempt" } dd { (number(&post, "attempt")) } }
                div { dt { "Agent" } dd { (agent_link(&console, &post["agent"])) } }
                div { dt { "URL" } dd.wrap.mono { bdi { (text(&post, "url")) } } }
                div { dt { "Subscription" } dd.wrap.mono { (or_dash(&post["subscription_id"])) } }
            }
            section {
                h2 { "Payload" }
                @match &posted.body { Some(body) => (json("Payload", body.get())), None => p.fine { "No body." } }
            }
            section {
                h2 { "Signature" }
                @match post["signature"].as_str() {
                    Some(signature) => (copyable("signature", "the X-Machins-Signature header", signature)),
                    None => p.fine { "Not signed: the subscription has no secret." },
                }
            }
        }
        div.actions { (resend_button(&console, &n)) }
    };
    Ok(Page::new(&console, format!("Attempt {n}")).under(PATH, "Webhooks").show(body))
}

pub(in crate::console) async fn resend(Name(n): Name, console: Console) -> Answer {
    let action = console.action()?;
    console.api.post(&format!("/_mock/webhooks/{}/resend", segment(&n)), &Value::Null).await?;
    Ok(action.done("resent"))
}

pub(in crate::console) async fn clear(console: Console) -> Answer {
    let action = console.action()?;
    console.api.delete("/_mock/webhooks").await?;
    Ok(action.go(PATH, "webhooks-cleared"))
}
