//! The user's own listings: `machins sell`, `listings`, `listing`, `edit`, `unlist`.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueHint};
use machins_client::{
    Document, ErrorKind, Listing, ListingStatus, ListingType, ListingUpdate, Money, NewListing,
    Side, TradeStatus,
};

use super::intents;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, price, slug, url};
use crate::format::{credits, json_cell, kind, listing_style, side, tags, time};
use crate::list::{Limit, List, show_list};
use crate::naming::slug_from;
use crate::records::Record;
use crate::style::{BAD, FAINT, GOOD, STRONG};
use crate::table::{Cell, Table, cell, fields, styled};
use crate::text::clean;
use crate::{json_flag, lookup};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a listing: an offer to sell, or a request to buy
    ///
    /// With --once KEY the command can be given again: it is one listing, and each of them shows it.
    #[command(
        after_help = "Examples:\n  machins sell --title 'Sentiment of a text' --price 12.50\n  \
                            machins sell --side request --bounty --title 'Street names' --price 40"
    )]
    Sell(Sell),

    /// List your own listings
    #[command(after_help = "Examples:\n  machins listings\n  \
                            machins listings --status active --type task --limit 5")]
    Listings(Listed),

    /// Show one of your own listings
    #[command(after_help = "Example:\n  machins listing 8d41e7b2")]
    Listing {
        /// Id of the listing, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
    },

    /// Change one of your listings; only what you give is changed
    #[command(override_usage = "machins edit [OPTIONS] <ID>")]
    #[command(after_help = "Example:\n  machins edit 8d41e7b2 --price 9.99 --tags nlp,text")]
    Edit(Edit),

    /// Take down one of your listings; open trades continue
    #[command(after_help = "Example:\n  machins unlist 8d41e7b2")]
    Unlist {
        /// Id of the listing, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
    },
}

// The flags of `machins listings`.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Only listings with this status: active, inactive or expired
    #[arg(long, value_name = "STATUS", value_parser = known(ListingStatus::WORDS), hide_possible_values = true)]
    status: Option<String>,
    /// Only listings of this type: task, data, api, model or asset
    #[arg(long = "type", value_name = "TYPE", value_parser = known(ListingType::WORDS), hide_possible_values = true)]
    listing_type: Option<String>,
    /// Only this side: offer or request
    #[arg(long, value_parser = known(Side::WORDS), hide_possible_values = true)]
    side: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

impl Listed {
    fn matches(&self, listing: &Listing) -> bool {
        let is = |wanted: &Option<String>, own: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| own == Some(wanted))
        };
        is(&self.status, listing.status.as_ref().map(ListingStatus::as_str))
            && is(&self.listing_type, Some(listing.listing_type.as_str()))
            && is(&self.side, listing.side.as_ref().map(Side::as_str))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Sell {
    /// Title of the listing
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    title: String,
    /// Price in credits, for example 12.50
    #[arg(long, value_name = "CREDITS", value_parser = price)]
    price: Money,
    /// Slug: lowercase letters, digits and hyphens [default: made from the title]
    #[arg(long, value_parser = slug)]
    slug: Option<String>,
    /// Type of the listing: task, data, api, model or asset
    #[arg(long = "type", value_name = "TYPE", default_value = "task", value_parser = known(ListingType::WORDS))]
    #[arg(hide_possible_values = true)]
    listing_type: String,
    /// Side of the listing: offer to sell, request to buy
    #[arg(long, default_value = "offer", value_parser = known(Side::WORDS), hide_possible_values = true)]
    side: String,
    /// Description of what is offered or wanted
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Tags that searches find the listing by
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    tags: Vec<String>,
    /// File with a JSON Schema of the input that the seller needs
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    input_schema: Option<PathBuf>,
    /// File with a JSON Schema of the output that the seller delivers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output_schema: Option<PathBuf>,
    /// Hold the price in escrow at once (requests only)
    #[arg(long)]
    bounty: bool,
    /// Expire after this many hours, 1 to 720
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=720))]
    expires_in_hours: Option<u32>,
    /// Accept every proposal immediately
    #[arg(long)]
    auto_accept: bool,
    /// URL that is notified of deliveries
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = url)]
    callback_url: Option<String>,
    /// Key of this listing: given again, it shows the listing that it led to
    #[arg(long, value_name = "KEY")]
    once: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Edit {
    /// Id of the listing, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    /// New title
    #[arg(long, value_parser = NonEmptyStringValueParser::new(), group = "change")]
    title: Option<String>,
    /// New price in credits
    #[arg(long, value_name = "CREDITS", value_parser = price, group = "change")]
    price: Option<Money>,
    /// New slug
    #[arg(long, value_parser = slug, group = "change")]
    slug: Option<String>,
    /// New description
    #[arg(long, value_name = "TEXT", group = "change")]
    description: Option<String>,
    /// New tags, which replace the old ones; an empty text removes all
    #[arg(long, value_name = "A,B", group = "change")]
    tags: Option<String>,
    /// File with a JSON Schema of the input that the seller needs
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "change")]
    input_schema: Option<PathBuf>,
    /// File with a JSON Schema of the output that the seller delivers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "change")]
    output_schema: Option<PathBuf>,
    /// Expire this many hours from now, 1 to 720
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=720))]
    #[arg(group = "change")]
    expires_in_hours: Option<u32>,
    /// Whether to accept every proposal immediately: true or false
    #[arg(long, value_name = "BOOL", group = "change", hide_possible_values = true)]
    auto_accept: Option<bool>,
    /// URL that is notified of deliveries
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = url, group = "change")]
    callback_url: Option<String>,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Sell(offer) => offer.run(context),
            Self::Listings(listed) => list(context, &listed),
            Self::Listing { id } => show(context, &id),
            Self::Edit(edit) => edit.run(context),
            Self::Unlist { id } => unlist(context, &id),
        }
    }
}

impl Sell {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let slug_is_given = self.slug.is_some();
        let key = self.once.clone();
        let listing = self.listing()?;
        let client = context.spending()?;
        let created = match &key {
            Some(key) => client.create_listing_once(key, &listing),
            None => client.create_listing(&listing),
        };
        let listing = created.map_err(|error| {
            if let Some(key) = &key
                && matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::StaleIntent)
            {
                return intents::failure(key, error);
            }
            if slug_is_given {
                return Failure::from(error);
            }
            let hint = "the slug was made from the title; choose another one with --slug";
            Failure::with_hint_for(error, ErrorKind::Conflict, hint)
        })?;
        context.out.result(&listing, || summarize("listed", &listing))?;
        let next = match listing.side {
            Some(Side::Request) => "To see who offers it",
            _ => "To see who wants it",
        };
        let status = match listing.auto_accept {
            Some(true) => TradeStatus::EscrowHeld,
            _ => TradeStatus::Proposed,
        };
        context.out.note(&format!("{FAINT}{next}: `machins trades --status {status}`{FAINT:#}"));
        Ok(())
    }

    fn listing(self) -> Result<NewListing, Failure> {
        let side = Side::from(self.side);
        if self.bounty && side == Side::Offer {
            return Err(Failure::usage("--bounty is only for requests, and this is an offer")
                .hint("add --side request"));
        }
        let slug = self.slug.unwrap_or_else(|| slug_from(&self.title, "listing"));
        let listing_type = ListingType::from(self.listing_type);
        let mut listing = NewListing::new(self.title, slug, listing_type, self.price).side(side);
        if let Some(text) = self.description {
            listing = listing.description(text);
        }
        for tag in tags(&self.tags) {
            listing = listing.tag(tag);
        }
        if let Some(schema) = schema("--input-schema", self.input_schema.as_deref())? {
            listing = listing.input_schema(schema);
        }
        if let Some(schema) = schema("--output-schema", self.output_schema.as_deref())? {
            listing = listing.output_schema(schema);
        }
        if self.bounty {
            listing = listing.bounty();
        }
        if let Some(hours) = self.expires_in_hours {
            listing = listing.expires_in_hours(hours);
        }
        if self.auto_accept {
            listing = listing.auto_accept();
        }
        Ok(match self.callback_url {
            Some(url) => listing.delivery_callback_url(url),
            None => listing,
        })
    }
}

fn schema(flag: &str, path: Option<&Path>) -> Result<Option<Document>, Failure> {
    path.map(|path| json_flag::file(flag, path)).transpose()
}

/// A change to a listing, on one line.
fn summarize(word: &str, listing: &Listing) -> String {
    let style = if word == "unlisted" { BAD } else { GOOD };
    format!(
        "{style}{word}{style:#}  {}  {}  {}",
        clean(listing.id.as_str()),
        credits(listing.price),
        clean(&listing.title)
    )
}

fn list(context: &Context, listed: &Listed) -> Result<(), Failure> {
    let mut listings = context.machins()?.list_listings()?;
    listings.retain(|listing| listed.matches(listing));
    let listings = List::whole("listing", listings, &listed.limit);
    let if_empty = "No listings found. Create one: `machins sell --help`";
    let table = Table::<Listing>::new()
        .column("ID", |listing| cell(listing.id.as_str()))
        .column("STATE", |listing| state(listing.status.as_ref()))
        .number("PRICE", |listing| cell(&credits(listing.price)))
        .text("TITLE", |listing| cell(&listing.title))
        .optional("TYPE", |listing| kind(&listing.listing_type, listing.side.as_ref()));
    show_list(context.out, &listings, if_empty, &table)
}

fn state(status: Option<&ListingStatus>) -> Cell {
    status.map_or_else(|| cell("unknown"), |status| styled(status.as_str(), listing_style(status)))
}

fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let listing = client.get_listing(&lookup::own_listing(&client, id)?)?;
    context.out.result(&listing, || describe(&listing))
}

fn describe(listing: &Listing) -> String {
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
        rows.push(("accepts", cell("every proposal immediately")));
    }
    if !listing.tags.is_empty() {
        rows.push(("tags", cell(&listing.tags.join(", "))));
    }
    rows.push(("listed", time(listing.created_at.as_ref(), "unknown")));
    rows.push(("expires", time(listing.expires_at.as_ref(), "never")));
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

impl Edit {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.machins()?;
        let id = self.id.clone();
        let update = self.update()?;
        let id = lookup::own_listing(&client, &id)?;
        let listing = context.spending_by(&client)?.update_listing(&id, &update)?;
        context.out.outcome(&listing, || summarize("changed", &listing))
    }

    fn update(self) -> Result<ListingUpdate, Failure> {
        let mut update = ListingUpdate::new();
        if let Some(title) = self.title {
            update = update.title(title);
        }
        if let Some(price) = self.price {
            update = update.price(price);
        }
        if let Some(text) = self.description {
            update = update.description(text);
        }
        if let Some(list) = self.tags {
            let given: Vec<String> = list.split(',').map(Into::into).collect();
            update = update.tags(tags(&given));
        }
        let other: [(&str, Option<Document>); 6] = [
            ("slug", self.slug.map(Into::into)),
            ("input_schema", schema("--input-schema", self.input_schema.as_deref())?),
            ("output_schema", schema("--output-schema", self.output_schema.as_deref())?),
            ("expires_in_hours", self.expires_in_hours.map(Into::into)),
            ("auto_accept", self.auto_accept.map(Into::into)),
            ("delivery_callback_url", self.callback_url.map(Into::into)),
        ];
        for (name, value) in other {
            if let Some(value) = value {
                update = update.field(name, value);
            }
        }
        Ok(update)
    }
}

fn unlist(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let id = lookup::own_listing(&client, id)?;
    let reply = client.deactivate_listing(&id)?;
    context.out.outcome(&reply, || match reply.reply.to::<Listing>() {
        Ok(listing) => summarize("unlisted", &listing),
        Err(_) => format!("{BAD}unlisted{BAD:#}  {id}"),
    })
}

impl Record for Listing {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "status",
        "price",
        "currency",
        "listing_type",
        "side",
        "title",
        "slug",
        "tags",
        "created_at",
        "expires_at",
    ];
}
