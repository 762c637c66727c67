//! The commands about what everybody offers and wants: browse, show.

use std::fmt::Write;

use machins_client::blocking::Client;
use machins_client::{ListingType, MarketplaceListing, MarketplaceQuery, Review, Side, Sort};
use serde_json::Value;

use crate::args::market::Browse;
use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, moment, stars};
use crate::lookup;
use crate::output::{FAINT, STRONG, WARN};
use crate::pages::{self, List};
use crate::progress::Progress;
use crate::table::{Cell, Column, cell, fields, fitted, styled};
use crate::text::clean;

/// `machins browse`.
pub(crate) fn browse(context: &Context, browse: &Browse) -> Result<(), Failure> {
    let query = query(browse);
    let client = context.machins_without_key()?.build_blocking()?;
    let list = List::fetch(
        context,
        &browse.paging,
        "listing",
        || client.browse(&query),
        || client.browse_all(&query),
    )?;
    if list.items().is_empty() {
        context.out.note(
            "Nothing like that is on the marketplace. Say that you want it:\n  \
             machins sell --side request --title TITLE --price CREDITS",
        );
        return context.out.result(&list, String::new);
    }
    let rows: Vec<Vec<Cell>> = list.items().iter().map(row).collect();
    let columns = [
        Column::whole("ID"),
        Column::number("PRICE"),
        Column::whole("TYPE"),
        Column::text("TITLE"),
        Column::extra("BY"),
    ];
    context.out.result(&list, || fitted(&columns, &rows))?;
    list.say_rest(context, "listing");
    Ok(())
}

fn row(listing: &MarketplaceListing) -> Vec<Cell> {
    vec![
        cell(listing.id.as_str()),
        cell(&credits(listing.price)),
        kind(&listing.listing_type, listing.side.as_ref()),
        cell(&listing.title),
        cell(listing.seller_agent_slug.as_ref().map_or("", |slug| slug.as_str())),
    ]
}

fn query(browse: &Browse) -> MarketplaceQuery {
    let mut query = MarketplaceQuery::new().limit(pages::limit(&browse.paging));
    if let Some(listing_type) = &browse.listing_type {
        query = query.listing_type(ListingType::from(listing_type.as_str()));
    }
    if let Some(side) = &browse.side {
        query = query.side(Side::from(side.as_str()));
    }
    for tag in tags(&browse.tags) {
        query = query.tag(tag);
    }
    if let Some(text) = &browse.search {
        query = query.search(text);
    }
    if let Some(price) = browse.min_price {
        query = query.min_price(price);
    }
    if let Some(price) = browse.max_price {
        query = query.max_price(price);
    }
    if let Some(sort) = &browse.sort {
        query = query.sort(Sort::from(sort.as_str()));
    }
    match browse.paging.offset {
        Some(offset) => query.offset(offset),
        None => query,
    }
}

/// Tags as they were meant: no blanks around them, none that is empty.
pub(crate) fn tags(given: &[String]) -> impl Iterator<Item = &str> {
    given.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty())
}

/// What is traded, and in the same breath whether it is wanted rather than offered.
pub(crate) fn kind(listing_type: &ListingType, side: Option<&Side>) -> Cell {
    match side {
        Some(Side::Request) => styled(&format!("{listing_type} wanted"), WARN),
        _ => cell(listing_type.as_str()),
    }
}

/// Which way a listing goes; what is wanted stands out.
pub(crate) fn side(side: Option<&Side>) -> Cell {
    match side {
        Some(side @ Side::Request) => styled(side.as_str(), WARN),
        side => cell(side.map_or("", Side::as_str)),
    }
}

/// The ids of all listings that can be traded on.
pub(crate) fn ids(client: &Client, progress: &Progress) -> Result<Vec<String>, Failure> {
    let all = client.browse_all(&MarketplaceQuery::new().limit(pages::FULL));
    let listings = pages::collect(progress, "listing", all)?;
    Ok(listings.into_iter().map(|listing| listing.id.to_string()).collect())
}

/// `machins show`.
pub(crate) fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins_without_key()?.build_blocking()?;
    let progress = Progress::start(context.out, "Looking the listing up…");
    let id = lookup::listing(&client, &progress, id)?;
    let listing = client.get_marketplace_listing(&id)?;
    drop(progress);
    context.out.result(&listing, || described(&listing))?;
    let what = match listing.side {
        Some(Side::Request) => "Sell it",
        _ => "Buy it",
    };
    context.out.note(&format!("{FAINT}{what}: machins buy {}{FAINT:#}", clean(id.as_str())));
    Ok(())
}

fn described(listing: &MarketplaceListing) -> String {
    let mut rows = vec![
        ("title", styled(&listing.title, STRONG)),
        ("id", cell(listing.id.as_str())),
        ("slug", cell(&listing.slug)),
        ("type", cell(listing.listing_type.as_str())),
        ("side", side(listing.side.as_ref())),
        ("price", styled(&credits(listing.price), STRONG)),
    ];
    if listing.bounty_held == Some(true) {
        rows.push(("bounty", cell("held")));
    }
    if let Some(slug) = &listing.seller_agent_slug {
        let name = listing.seller_agent_name.as_deref().unwrap_or_default();
        let text = if name.is_empty() { slug.to_string() } else { format!("{slug} ({name})") };
        rows.push(("by", cell(&text)));
    }
    if let Some(score) = listing.seller_reputation_score.as_ref().and_then(word) {
        rows.push(("reputation", cell(&score)));
    }
    if let Some(count) = listing.completed_trades {
        rows.push(("trades done", cell(&count.to_string())));
    }
    if !listing.tags.is_empty() {
        rows.push(("tags", cell(&listing.tags.join(", "))));
    }
    rows.push(("listed", moment(listing.created_at.as_ref(), "unknown")));
    rows.push(("expires", moment(listing.expires_at.as_ref(), "never")));
    if let Some(text) = listing.description.as_deref().filter(|text| !text.is_empty()) {
        rows.push(("about", cell(text)));
    }
    for name in ["input_schema", "output_schema"] {
        if let Some(schema) = listing.extra.get(name).filter(|schema| !schema.is_null()) {
            rows.push((if name == "input_schema" { "input" } else { "output" }, json_cell(schema)));
        }
    }
    let mut text = fields(&rows);
    let reviews = listing.reviews.as_deref().unwrap_or_default();
    if !reviews.is_empty() {
        let _ = writeln!(text, "\n{STRONG}Reviews{STRONG:#}");
        text.extend(reviews.iter().map(reviewed));
    }
    text
}

fn reviewed(review: &Review) -> String {
    let body = review.body.as_deref().unwrap_or_default();
    format!("{WARN}{}{WARN:#} {}\n", stars(review.rating), clean(body))
}

/// A scalar as text.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// A JSON value on one line.
pub(crate) fn json_cell(value: &Value) -> Cell {
    cell(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_was_meant() {
        let given: Vec<String> = ["nlp", " ocr ", "", " "].map(Into::into).into();
        assert_eq!(tags(&given).collect::<Vec<_>>(), ["nlp", "ocr"]);
    }
}
