//! Both services at a glance, and how to begin.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::console::icon::{bars, shares};
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    agent_link, badge, button, copyable, empty, list, number, status, table, text, time, trade_link,
};
use crate::console::request::Console;
use crate::console::words::readable;
use crate::fixtures::DEMO_DATA;

/// The states of a trade, and how they are drawn.
const STATES: [(&str, &str); 8] = [
    ("proposed", "s1"),
    ("escrow_held", "s2"),
    ("delivered", "s3"),
    ("disputed", "s4"),
    ("completed", "s5"),
    ("resolved", "s6"),
    ("cancelled", "s7"),
    ("rejected", "s8"),
];

pub(in crate::console) async fn show(console: Console) -> Answer {
    let overview: Value = console.api.get("/_mock/overview").await?;
    let recent: Value = console.api.get("/_mock/requests?brief=true&limit=8").await?;
    let open: Value = console.api.get("/_mock/machins/trades?sort=newest&limit=8").await?;
    let body = html! {
        div data-live="overview" {
            @if is_empty(&overview) { (begin()) }
            div.cards {
                (devices(&console, &overview["machineid"]))
                (trades(&console, &overview["machins"]["trades"]))
                (credits(&console, &overview["machins"]["credits"]))
                (requests(&console, &overview["requests"]))
                (attention(&console, &overview))
            }
            div.columns {
                section {
                    h2 { "Latest requests" }
                    (latest_requests(&console, list(&recent, "requests")))
                }
                section {
                    h2 { "Latest trades" }
                    (latest_trades(&console, list(&open, "trades")))
                }
            }
        }
        section { h2 { "Addresses" } (addresses(&console)) }
        section {
            h2 { "This world" }
            div.actions {
                (button(&console, "/console/example", &[], "Load the example", None))
                (button(&console, "/console/reset", &[], "Empty this world",
                    Some("Empty this world? Orgs, agents, trades, faults and records are deleted.")))
            }
        }
    };
    Ok(Page::new(&console, "Overview").tick(1000).show(body))
}

fn is_empty(overview: &Value) -> bool {
    number(&overview["machineid"], "orgs") == 0 && number(&overview["machins"], "agents") == 0
}

fn begin() -> Markup {
    empty(
        "Nothing here yet.",
        html! {
            "Point a program at the addresses below, create an org or an agent, or load the \
             example to see how everything fits together."
        },
    )
}

fn addresses(console: &Console) -> Markup {
    let url = console.url();
    let lines = format!("export MACHINEID_BASE_URL={url}\nexport MACHINS_BASE_URL={url}/api/v1");
    copyable("addresses", "the addresses", &lines)
}

fn card(title: &str, path: &str, value: u64, unit: &str, rest: &Markup) -> Markup {
    html! {
        section.card {
            h2 { a href=(path) { (title) } }
            p.figure { (value) " " small { (unit) } }
            (rest)
        }
    }
}

fn devices(console: &Console, figures: &Value) -> Markup {
    let (allowed, denied) = (number(figures, "allowed"), number(figures, "denied"));
    let label = format!("{allowed} may run, {denied} may not");
    let rest = html! {
        (shares(&[("s5", allowed), ("s7", denied)], &label))
        p.legend { span.key.s5 {} (allowed) " allowed" span.key.s7 {} (denied) " denied" }
    };
    let path = console.link("/console/devices");
    card("Devices", &path, number(figures, "devices"), "registered", &rest)
}

fn trades(console: &Console, figures: &Value) -> Markup {
    let counts = STATES.map(|(state, class)| (class, number(figures, state)));
    let total = counts.iter().map(|(_, count)| count).sum();
    let rest = html! {
        (shares(&counts, "Trades by state"))
        p.legend {
            @for ((state, class), (_, count)) in STATES.iter().zip(counts) {
                @if count > 0 {
                    a href=(console.link(&format!("/console/trades?status={state}"))) {
                        span class={ "key " (class) } {} (count) " " (readable(state))
                    }
                }
            }
        }
    };
    card("Trades", &console.link("/console/trades"), total, "in all", &rest)
}

fn credits(console: &Console, figures: &Value) -> Markup {
    html! {
        section.card {
            h2 { a href=(console.link("/console/ledger")) { "Credits" } }
            dl.figures {
                @for (name, words) in [("available", "available"), ("held", "held"), ("fees", "in fees")] {
                    div { dt { (words) } dd.number { (text(figures, name)) } }
                }
            }
            p.fine { "The sum of all accounts is " b { (text(figures, "total")) } }
        }
    }
}

fn requests(console: &Console, figures: &Value) -> Markup {
    let counts: Vec<u64> = list(figures, "per_second").iter().filter_map(Value::as_u64).collect();
    // The last second is still under way.
    let last = counts.iter().rev().nth(1).copied().unwrap_or(0);
    let rest = html! {
        (bars(&counts, "Requests in each of the last 60 seconds"))
        p.legend {
            (number(figures, "received")) " received, "
            a href=(console.link("/console/requests?failed=true")) {
                (number(figures, "failed")) " failed"
            }
        }
    };
    card("Requests", &console.link("/console/requests"), last, "in the last second", &rest)
}

fn attention(console: &Console, overview: &Value) -> Markup {
    let machins = &overview["machins"];
    let lines = [
        (
            number(&machins["trades"], "disputed"),
            ["trade in dispute", "trades in dispute"],
            "/console/trades?status=disputed",
        ),
        (
            number(machins, "failing_subscriptions"),
            ["failing subscription", "failing subscriptions"],
            "/console/webhooks?failed=true",
        ),
        (
            number(&overview["webhooks"], "failed"),
            ["failed webhook", "failed webhooks"],
            "/console/webhooks?failed=true",
        ),
        (
            number(&overview["machineid"], "revoked"),
            ["revoked device", "revoked devices"],
            "/console/devices?status=revoked",
        ),
        (number(overview, "faults"), ["fault", "faults"], "/console/faults"),
    ];
    let some: Vec<_> = lines.iter().filter(|(count, ..)| *count > 0).collect();
    html! {
        section.card {
            h2 { "Needs attention" }
            @if some.is_empty() { p.fine { "Nothing." } }
            ul.plain {
                @for (count, words, path) in some {
                    li { a href=(console.link(path)) { b { (count) } " " (words[usize::from(*count > 1)]) } }
                }
                @if overview["frozen"] == true {
                    li { a href=(console.link("/console/clock")) { "The clock stands still" } }
                }
            }
        }
    }
}

fn latest_requests(console: &Console, requests: &[Value]) -> Markup {
    if requests.is_empty() {
        return empty("No request yet.", html! { "Requests appear here as they arrive." });
    }
    let head = html! { th { "Time" } th { "Request" } th { "Status" } };
    let rows = html! {
        @for request in requests.iter().rev() {
            tr {
                td { (time(&request["received_at"])) }
                td.wrap {
                    a.mono href=(console.link(&format!("/console/requests/{}", number(request, "seq")))) {
                        (text(request, "method")) " " (text(request, "path"))
                    }
                }
                td { (status(&request["status"])) }
            }
        }
    };
    table("Latest requests", head, rows)
}

fn latest_trades(console: &Console, trades: &[Value]) -> Markup {
    if trades.is_empty() {
        return empty("No trade yet.", html! { "Trades appear here as they are proposed." });
    }
    let head = html! { th { "Trade" } th { "Listing" } th { "Seller" } th { "State" } };
    let rows = html! {
        @for trade in trades {
            tr {
                td { (trade_link(console, text(trade, "id"))) }
                td.wrap { bdi { (text(trade, "listing_title")) } }
                td { (agent_link(console, &trade["seller_agent_slug"])) }
                td { (badge(text(trade, "status"))) }
            }
        }
    };
    table("Latest trades", head, rows)
}

pub(in crate::console) async fn load_example(console: Console) -> Answer {
    let action = console.action()?;
    let fixtures: Value = serde_json::from_str(DEMO_DATA).unwrap_or_else(|_| json!({}));
    console.api.post("/_mock/fixtures", &fixtures).await?;
    Ok(action.go("/", "example"))
}

pub(in crate::console) async fn reset(console: Console) -> Answer {
    let action = console.action()?;
    console.api.post("/_mock/reset", &Value::Null).await?;
    let response: Response = action.go("/", "reset");
    Ok(response)
}
