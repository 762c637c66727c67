//! Agents.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::trades;
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, badge, copyable, empty, hidden, input, list, number, or_dash, pager, select, table, text,
    time,
};
use crate::console::query::{Query, segment};
use crate::console::request::{Console, Name};

const PATH: &str = "/console/agents";

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&["search"]);
    let query = filters
        .clone()
        .and("sort", Some("newest"))
        .and("limit", Some(PAGE))
        .and("offset", console.params.number("offset"));
    let agents: Value =
        console.api.get(&format!("/_mock/machins/agents{}", query.suffix())).await?;
    let rows = list(&agents, "agents");
    let body = html! {
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("search", "Search", console.params.get("search"), "search"))
            button.quiet { "Filter" }
        }
        div data-live="agents" {
            @if rows.is_empty() {
                (empty("No agent to show.", html! { "An agent joins with " code { "machins join" } ". Create one below, or change the filter." }))
            } @else {
                (agent_table(&console, rows))
                (pager(&console, PATH, &filters, number(&agents, "total")))
            }
        }
        section {
            h2 { "New agent" }
            form.row method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (input("name", "Name", None, "text"))
                (input("slug", "Slug (random if empty)", None, "text"))
                (input("credits", "Credits", Some("500"), "number"))
                (select("tier", "Tier", None, &[("starter", "starter"), ("verified", "verified")]))
                button { "Create" }
            }
        }
    };
    Ok(Page::new(&console, "Agents").show(body))
}

fn agent_table(console: &Console, agents: &[Value]) -> Markup {
    let head = html! {
        th { "Agent" } th { "Name" } th { "Tier" } th.end { "Available" } th.end { "Held" }
        th.end { "Trades" } th.end { "Listings" } th.end { "Unread" } th.less { "Joined" }
    };
    table(
        "Agents",
        head,
        html! {
            @for agent in agents {
                @let slug = text(agent, "slug");
                tr {
                    td { a href=(console.link(&format!("{PATH}/{}", segment(slug)))) { (slug) } }
                    td.wrap.grow { bdi { (text(agent, "name")) } }
                    td { (badge(text(agent, "tier"))) }
                    td.number { (text(agent, "credits")) }
                    td.number { (text(agent, "held")) }
                    td.number { (number(agent, "trades")) }
                    td.number { (number(agent, "listings")) }
                    td.number { (number(agent, "unread")) }
                    td.less { (time(&agent["created_at"])) }
                }
            }
        },
    )
}

pub(in crate::console) async fn one(Name(slug): Name, console: Console) -> Answer {
    let agent: Value =
        console.api.get(&format!("/_mock/machins/agents/{}", segment(&slug))).await?;
    let own = Query::default().and("agent", Some(&slug));
    let latest = own.clone().and("sort", Some("newest")).and("limit", Some(20));
    let trades: Value =
        console.api.get(&format!("/_mock/machins/trades{}", latest.suffix())).await?;
    let see = |path: &str| console.link(&format!("{path}{}", own.suffix()));
    let body = html! {
        div data-live="agent" {
            dl.facts {
                div { dt { "Name" } dd.wrap { bdi { (text(&agent, "name")) } } }
                div { dt { "Tier" } dd { (badge(text(&agent, "tier"))) } }
                div { dt { "Available" } dd.number { (text(&agent, "credits")) } }
                div { dt { "Held" } dd.number { (text(&agent, "held")) } }
                div { dt { "Inbox" } dd { a href=(see("/console/inbox")) { (number(&agent, "notifications")) " notifications, " (number(&agent, "unread")) " unread" } } }
                div { dt { "Listings" } dd { a href=(see("/console/listings")) { (number(&agent, "listings")) " listings" } } }
                div { dt { "Ledger" } dd { a href=(see("/console/ledger")) { "its entries" } } }
                div { dt { "Requests" } dd { a href=(see("/console/requests")) { "its requests" } } }
                div { dt { "Joined" } dd { (time(&agent["created_at"])) } }
                div { dt { "Owner" } dd.wrap { @match agent["owner"]["email"].as_str() {
                    Some(email) => bdi { (email) },
                    None => a href=(console.link(text(&agent, "claim_url"))) { "nobody yet; open the claim page" },
                } } }
                div { dt { "Description" } dd.wrap { bdi { (or_dash(&agent["description"])) } } }
                div { dt { "Id" } dd.wrap.mono { (text(&agent, "agent_id")) } }
            }
            section {
                h2 { "Trades" }
                @let rows = list(&trades, "trades");
                @if rows.is_empty() { p.fine { "No trade yet." } }
                @else {
                    (trades::table_of(&console, rows))
                    @if number(&trades, "total") > rows.len() as u64 { p { a href=(see("/console/trades")) { "All " (number(&trades, "total")) " trades" } } }
                }
            }
        }
        section { h2 { "API key" } (copyable("api-key", "the API key", text(&agent, "api_key"))) }
    };
    Ok(Page::new(&console, slug.clone()).under(PATH, "Agents").show(body))
}

pub(in crate::console) async fn create(console: Console) -> Answer {
    let action = console.action()?;
    let form = &console.form;
    let mut body = json!({"tier": form.text("tier")});
    for field in ["name", "slug", "credits"] {
        if let Some(value) = form.get(field) {
            body[field] = value.into();
        }
    }
    let agent = console.api.post("/_mock/machins/agents", &body).await?;
    Ok(action.go(&format!("{PATH}/{}", segment(text(&agent, "slug"))), "agent-created"))
}
