//! The worlds of the server.

use maud::html;
use serde_json::{Value, json};

use crate::console::action::redirect;
use crate::console::layout::{Answer, Page};
use crate::console::parts::{badge_as, button, empty, hidden, input, list, table, text};
use crate::console::query::segment;
use crate::console::request::Console;

const PATH: &str = "/console/worlds";

/// How many worlds the page shows.
const SHOWN: usize = 200;

pub(in crate::console) async fn show(console: Console) -> Answer {
    let worlds: Value = console.api.get("/_mock/worlds").await?;
    let all = list(&worlds, "worlds");
    let search = console.params.text("search").to_ascii_lowercase();
    let rows: Vec<_> = all
        .iter()
        .rev()
        .filter(|world| text(world, "name").to_ascii_lowercase().contains(&search))
        .collect();
    let own = console.base.rsplit('/').next().unwrap_or_default().to_owned();
    let body = html! {
        p.lead { "A world has orgs, agents, a clock, faults and records of its own, under a path of its own. Tests that run at the same time can share one server." }
        p {
            a href="/" { "The server's own world" } " " @if own.is_empty() { (badge_as("info", "this one")) }
        }
        @if all.len() > 20 {
            form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
                (input("search", "Search", console.params.get("search"), "search"))
                button.quiet { "Filter" }
            }
        }
        div data-live="worlds" {
            @if rows.is_empty() {
                (empty("No other world.", html! { "Create one below, or with POST /_mock/worlds." }))
            } @else {
                (table("Worlds", html! { th { "World" } th { "URL" } th { "Actions" } }, html! {
                    @for world in rows.iter().take(SHOWN) {
                        @let name = text(world, "name");
                        tr {
                            td { a href={ "/_world/" (segment(name)) "/" } { (name) } " " @if own == name { (badge_as("info", "this one")) } }
                            td.wrap.grow.mono { (text(world, "url")) }
                            td.buttons { (button(&console, "/console/worlds/remove", &[("name", name)], "Remove",
                                Some(&format!("Remove the world {name} with everything in it?")))) }
                        }
                    }
                }))
                @if rows.len() > SHOWN { p.hint { "The newest " (SHOWN) " of " (rows.len()) "." } }
            }
        }
        section {
            h2 { "New world" }
            form.row method="post" action=(console.link(PATH)) {
                (hidden(&console))
                (input("name", "Name (chosen if empty)", None, "text"))
                button { "Create" }
            }
        }
    };
    Ok(Page::new(&console, "Worlds").show(body))
}

pub(in crate::console) async fn create(console: Console) -> Answer {
    let action = console.action()?;
    let body = console.form.get("name").map_or_else(|| json!({}), |name| json!({"name": name}));
    console.api.post("/_mock/worlds", &body).await?;
    Ok(action.go(PATH, "world-created"))
}

pub(in crate::console) async fn remove(console: Console) -> Answer {
    let action = console.action()?;
    let name = console.form.text("name");
    console.api.delete(&format!("/_mock/worlds/{}", segment(name))).await?;
    if console.base.ends_with(&format!("/{name}")) {
        // The page's own world is gone.
        return Ok(redirect("/console/worlds?done=world-removed"));
    }
    Ok(action.go(PATH, "world-removed"))
}
