//! Listings, active or not.

use maud::html;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::trades;
use crate::console::layout::{Answer, Page};
use crate::console::parts::{
    PAGE, agent_link, badge, empty, input, json, list, number, or_dash, pager, select, table, text,
    time,
};
use crate::console::query::{Query, segment};
use crate::console::request::{Console, Name};

const PATH: &str = "/console/listings";

/// The filters, which are those of the marketplace and some more.
const FILTERS: [&str; 9] =
    ["search", "listing_type", "side", "status", "tags", "min_price", "max_price", "sort", "agent"];

pub(in crate::console) async fn show(console: Console) -> Answer {
    let filters = console.params.pick(&FILTERS);
    let get = |name| console.params.get(name);
    let query = filters
        .clone()
        .and("sort", Some(get("sort").unwrap_or("newest")))
        .and("limit", Some(PAGE))
        .and("offset", console.params.number("offset"));
    let found =
        console.api.get::<Value>(&format!("/_mock/machins/listings{}", query.suffix())).await;
    let (listings, problem) = match found {
        Ok(listings) => (listings, None),
        Err(refused) => (Value::Null, Some(refused.message)),
    };
    let rows = list(&listings, "listings");
    let head = html! {
        th { "Listing" } th { "Agent" } th { "Type" } th { "Side" } th.end { "Price" } th { "State" }
        th.less { "Tags" } th.end.less { "Sold" } th.less { "Expires" }
    };
    let body = html! {
        form.filter method="get" action=(console.link(PATH)) data-filter role="search" {
            (input("search", "Search", get("search"), "search"))
            (select("listing_type", "Type", get("listing_type"), &[
                ("", "any"), ("task", "task"), ("data", "data"), ("api", "api"), ("model", "model"), ("asset", "asset"),
            ]))
            (select("side", "Side", get("side"), &[("", "any"), ("offer", "offer"), ("request", "request")]))
            (select("status", "State", get("status"), &[
                ("", "any"), ("active", "active"), ("inactive", "inactive"), ("expired", "expired"),
            ]))
            (input("tags", "Tags", get("tags"), "text"))
            (input("min_price", "From", get("min_price"), "text"))
            (input("max_price", "To", get("max_price"), "text"))
            (select("sort", "Order", get("sort"), &[
                ("newest", "newest"), ("oldest", "oldest"), ("price_asc", "cheapest"), ("price_desc", "dearest"),
            ]))
            button.quiet { "Filter" }
        }
        div data-live="listings" {
            @if let Some(problem) = problem { p.error role="status" { (problem) } }
            @if rows.is_empty() {
                (empty("No listing to show.", html! { "An agent lists something with " code { "machins sell --title TITLE --price PRICE" } ". Change the filter, or load the example on the overview." }))
            } @else {
                (table("Listings", head, html! {
                    @for listing in rows {
                        tr {
                            td.wrap.grow { a href=(console.link(&format!("{PATH}/{}", segment(text(listing, "id"))))) { bdi { (text(listing, "title")) } } }
                            td { (agent_link(&console, &listing["agent_slug"])) }
                            td { (text(listing, "listing_type")) }
                            td { (text(listing, "side")) }
                            td.number { (text(listing, "price")) }
                            td { (badge(text(listing, "status"))) }
                            td.wrap.less { bdi { (tags(listing)) } }
                            td.number.less { (number(listing, "completed_trades")) }
                            td.less { (time(&listing["expires_at"])) }
                        }
                    }
                }))
                (pager(&console, PATH, &filters, number(&listings, "total")))
            }
        }
    };
    Ok(Page::new(&console, "Listings").show(body))
}

fn tags(listing: &Value) -> String {
    let tags: Vec<_> = list(listing, "tags").iter().filter_map(Value::as_str).collect();
    tags.join(", ")
}

/// What of a listing is kept as it was sent.
#[derive(Default, Deserialize)]
struct Schemas {
    input_schema: Option<Box<RawValue>>,
    output_schema: Option<Box<RawValue>>,
}

pub(in crate::console) async fn one(Name(id): Name, console: Console) -> Answer {
    let raw: Box<RawValue> =
        console.api.get(&format!("/_mock/machins/listings/{}", segment(&id))).await?;
    let listing: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let schemas: Schemas = serde_json::from_str(raw.get()).unwrap_or_default();
    let of_listing = Query::default().and("listing", Some(&id));
    let latest = of_listing.clone().and("sort", Some("newest")).and("limit", Some(20));
    let trades: Value =
        console.api.get(&format!("/_mock/machins/trades{}", latest.suffix())).await?;
    let body = html! {
        div data-live="listing" {
            dl.facts {
                div { dt { "State" } dd { (badge(text(&listing, "status"))) } }
                div { dt { "Agent" } dd { (agent_link(&console, &listing["agent_slug"])) } }
                div { dt { "Price" } dd.number { (text(&listing, "price")) } }
                div { dt { "Type" } dd { (text(&listing, "listing_type")) ", " (text(&listing, "side")) } }
                div { dt { "Bounty held" } dd.number { (or_dash(&listing["bounty_amount"])) } }
                div { dt { "Accepts by itself" } dd { @if listing["auto_accept"] == true { "yes" } @else { "no" } } }
                div { dt { "Sold" } dd.number { (number(&listing, "completed_trades")) } }
                div { dt { "Reviews" } dd.number { (number(&listing, "review_count")) } }
                div { dt { "Tags" } dd.wrap { bdi { (tags(&listing)) } } }
                div { dt { "Created" } dd { (time(&listing["created_at"])) } }
                div { dt { "Expires" } dd { (time(&listing["expires_at"])) } }
                div { dt { "Verification" } dd.wrap.mono { bdi { (or_dash(&listing["delivery_callback_url"])) } } }
                div { dt { "Slug" } dd.wrap.mono { (text(&listing, "slug")) } }
                div { dt { "Id" } dd.wrap.mono { (text(&listing, "id")) } }
            }
            section { h2 { "Description" } p.wrap.text { bdi { (or_dash(&listing["description"])) } } }
            @for (title, schema) in [("Input schema", &schemas.input_schema), ("Output schema", &schemas.output_schema)] {
                @if let Some(schema) = schema { section { h2 { (title) } (json(title, schema.get())) } }
            }
            section {
                h2 { "Trades" }
                @let rows = list(&trades, "trades");
                @if rows.is_empty() { p.fine { "No trade yet." } } @else { (trades::table_of(&console, rows)) }
                @if number(&trades, "total") > rows.len() as u64 {
                    p { a href=(console.link(&format!("/console/trades{}", of_listing.suffix()))) { "All " (number(&trades, "total")) " trades" } }
                }
            }
        }
    };
    Ok(Page::new(&console, text(&listing, "title")).under(PATH, "Listings").show(body))
}
