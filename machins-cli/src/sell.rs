//! The commands about what one has put up oneself: sell, listings, listing, edit, unlist.

use std::path::Path;

use machins_client::{
    ErrorKind, Listing, ListingStatus, ListingType, ListingUpdate, NewListing, Side,
};
use serde_json::Value;

use crate::args::market::{Edit, Sell};
use crate::context::Context;
use crate::error::Failure;
use crate::format::{counted, credits, listing_style, moment};
use crate::join::slug_of;
use crate::market::{json_cell, kind, side, tags};
use crate::output::{BAD, FAINT, GOOD, STRONG};
use crate::table::{Cell, Column, cell, fields, fitted, styled};
use crate::text::clean;
use crate::{json_flag, lookup};

/// `machins sell`.
pub(crate) fn run(context: &Context, sell: Sell) -> Result<(), Failure> {
    let is_made = sell.slug.is_none();
    let listing = new_listing(sell)?;
    let listing = context.machins()?.create_listing(&listing).map_err(|error| {
        let is_taken = is_made && error.kind() == ErrorKind::Conflict;
        let failure = Failure::from(error);
        if is_taken {
            failure.hint("the slug was made from the title; name another: --slug")
        } else {
            failure
        }
    })?;
    context.out.result(&listing, || line("listed", &listing))?;
    let next = match listing.side {
        Some(Side::Request) => "Who offers it shows up in",
        _ => "Who wants it shows up in",
    };
    context.out.note(&format!("{FAINT}{next}: machins trades --status proposed{FAINT:#}"));
    Ok(())
}

fn new_listing(sell: Sell) -> Result<NewListing, Failure> {
    let side = Side::from(sell.side);
    if sell.bounty && side == Side::Offer {
        return Err(Failure::usage("a bounty is what you pay for a request, and this is an offer")
            .hint("add --side request"));
    }
    let slug = match sell.slug {
        Some(slug) => slug,
        None => slug_of("title", &sell.title)?,
    };
    let listing_type = ListingType::from(sell.listing_type);
    let mut listing = NewListing::new(sell.title, slug, listing_type, sell.price).side(side);
    if let Some(text) = sell.description {
        listing = listing.description(text);
    }
    for tag in tags(&sell.tags) {
        listing = listing.tag(tag);
    }
    if let Some(schema) = schema("--input-schema", sell.input_schema.as_deref())? {
        listing = listing.input_schema(schema);
    }
    if let Some(schema) = schema("--output-schema", sell.output_schema.as_deref())? {
        listing = listing.output_schema(schema);
    }
    if sell.bounty {
        listing = listing.bounty();
    }
    if let Some(hours) = sell.expires_in_hours {
        listing = listing.expires_in_hours(hours);
    }
    if sell.auto_accept {
        listing = listing.auto_accept();
    }
    Ok(match sell.callback_url {
        Some(url) => listing.delivery_callback_url(url),
        None => listing,
    })
}

fn schema(flag: &str, path: Option<&Path>) -> Result<Option<Value>, Failure> {
    path.map(|path| json_flag::file(flag, path)).transpose()
}

/// What became of a listing, on a line.
fn line(word: &str, listing: &Listing) -> String {
    let style = if word == "unlisted" { BAD } else { GOOD };
    format!(
        "{style}{word}{style:#}  {}  {}  {}",
        clean(listing.id.as_str()),
        credits(listing.price),
        clean(&listing.title)
    )
}

/// `machins listings`.
pub(crate) fn list(context: &Context) -> Result<(), Failure> {
    let listings = context.machins()?.list_listings()?;
    if listings.is_empty() {
        context
            .out
            .note("You have put nothing up yet. Begin: machins sell --title TITLE --price CREDITS");
        return context.out.result(&listings, String::new);
    }
    let rows: Vec<Vec<Cell>> = listings
        .iter()
        .map(|listing| {
            vec![
                cell(listing.id.as_str()),
                state(listing.status.as_ref()),
                cell(&credits(listing.price)),
                cell(&listing.title),
                kind(&listing.listing_type, listing.side.as_ref()),
            ]
        })
        .collect();
    let columns = [
        Column::whole("ID"),
        Column::whole("STATE"),
        Column::number("PRICE"),
        Column::text("TITLE"),
        Column::extra("TYPE"),
    ];
    context.out.result(&listings, || fitted(&columns, &rows))?;
    let count = counted(listings.len() as u64, "listing");
    context.out.note(&format!("{FAINT}{count}{FAINT:#}"));
    Ok(())
}

fn state(status: Option<&ListingStatus>) -> Cell {
    status.map_or_else(|| cell("unknown"), |status| styled(status.as_str(), listing_style(status)))
}

/// `machins listing`.
pub(crate) fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let listing = client.get_listing(&lookup::own_listing(&client, id)?)?;
    context.out.result(&listing, || described(&listing))
}

fn described(listing: &Listing) -> String {
    let mut rows = vec![
        ("title", styled(&listing.title, STRONG)),
        ("id", cell(listing.id.as_str())),
        ("state", state(listing.status.as_ref())),
        ("slug", cell(&listing.slug)),
        ("type", cell(listing.listing_type.as_str())),
        ("side", side(listing.side.as_ref())),
        ("price", styled(&credits(listing.price), STRONG)),
    ];
    if listing.bounty_held == Some(true) {
        rows.push(("bounty", cell("held")));
    }
    if listing.auto_accept == Some(true) {
        rows.push(("accepts", cell("every proposal at once")));
    }
    if !listing.tags.is_empty() {
        rows.push(("tags", cell(&listing.tags.join(", "))));
    }
    rows.push(("listed", moment(listing.created_at.as_ref(), "unknown")));
    rows.push(("expires", moment(listing.expires_at.as_ref(), "never")));
    if let Some(text) = listing.description.as_deref().filter(|text| !text.is_empty()) {
        rows.push(("about", cell(text)));
    }
    for (name, schema) in [("input", &listing.input_schema), ("output", &listing.output_schema)] {
        if let Some(schema) = schema {
            rows.push((name, json_cell(schema)));
        }
    }
    fields(&rows)
}

/// `machins edit`.
pub(crate) fn edit(context: &Context, edit: Edit) -> Result<(), Failure> {
    let client = context.machins()?;
    let given = edit.id.clone();
    let update = update(edit)?;
    let listing = client.update_listing(&lookup::own_listing(&client, &given)?, &update)?;
    context.out.result(&listing, || line("changed", &listing))
}

fn update(edit: Edit) -> Result<ListingUpdate, Failure> {
    let mut update = ListingUpdate::new();
    if let Some(title) = edit.title {
        update = update.title(title);
    }
    if let Some(price) = edit.price {
        update = update.price(price);
    }
    if let Some(text) = edit.description {
        update = update.description(text);
    }
    if let Some(list) = edit.tags {
        let given: Vec<String> = list.split(',').map(Into::into).collect();
        update = update.tags(tags(&given));
    }
    let other: [(&str, Option<Value>); 6] = [
        ("slug", edit.slug.map(Into::into)),
        ("input_schema", schema("--input-schema", edit.input_schema.as_deref())?),
        ("output_schema", schema("--output-schema", edit.output_schema.as_deref())?),
        ("expires_in_hours", edit.expires_in_hours.map(Into::into)),
        ("auto_accept", edit.auto_accept.map(Into::into)),
        ("delivery_callback_url", edit.callback_url.map(Into::into)),
    ];
    for (name, value) in other {
        if let Some(value) = value {
            update = update.field(name, value);
        }
    }
    Ok(update)
}

/// `machins unlist`.
pub(crate) fn unlist(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let listing = client.deactivate_listing(&lookup::own_listing(&client, id)?)?;
    context.out.result(&listing, || line("unlisted", &listing))
}
