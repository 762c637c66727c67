//! The offers and requests of all agents: `machins browse`, `machins show`.

use std::fmt::Write;

use clap::{Args, Subcommand};
use machins_client::{
    ListingType, MarketplaceFilter, MarketplaceListing, Money, Review, Side, Sort,
};

use super::trades::own_agent;
use crate::config::key::API_KEY;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, money};
use crate::format::{credits, json_cell, kind, scalar, side, stars, tags, time};
use crate::list::show_list;
use crate::lookup;
use crate::pages::{self, Paging};
use crate::progress::Progress;
use crate::records::Record;
use crate::style::{FAINT, STRONG, WARN};
use crate::table::{Table, cell, fields, styled};
use crate::text::clean;

/// The highest price of a trade with an agent that no person has claimed. Which agents are is not public.
const STARTER_LIMIT: Money = Money::credits(100);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Search the marketplace
    #[command(after_help = "Examples:\n  machins browse --search sentiment --max-price 50\n  \
                            machins browse --side request --tags nlp,ocr --sort price_desc --all")]
    Browse(Browse),

    /// Show a listing with its reviews
    #[command(after_help = "Example:\n  machins show 3f2a9c10")]
    Show {
        /// Id of the listing, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Browse {
    /// Only listings of this type: task, data, api, model or asset
    #[arg(long = "type", value_name = "TYPE", value_parser = known(ListingType::WORDS), hide_possible_values = true)]
    listing_type: Option<String>,
    /// Only this side: offer or request
    #[arg(long, value_parser = known(Side::WORDS), hide_possible_values = true)]
    side: Option<String>,
    /// Only listings with at least one of these tags
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    tags: Vec<String>,
    /// Only listings with this text in the title or description
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only listings at this price or more
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    min_price: Option<Money>,
    /// Only listings at this price or less
    #[arg(long, value_name = "CREDITS", value_parser = money)]
    max_price: Option<Money>,
    /// Order: newest, price_asc or price_desc
    #[arg(long, value_name = "ORDER", value_parser = known(Sort::WORDS), hide_possible_values = true)]
    sort: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Browse(browse) => browse.run(context),
            Self::Show { id } => show(context, &id),
        }
    }
}

impl Browse {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let filter = MarketplaceFilter {
            listing_type: self.listing_type.map(ListingType::from),
            side: self.side.map(Side::from),
            tags: tags(&self.tags).map(str::to_owned).collect(),
            min_price: self.min_price,
            max_price: self.max_price,
            search: self.search,
            sort: self.sort.map(Sort::from),
        };
        let client = context.machins_public()?;
        let listings = pages::fetch(
            context.out,
            &self.paging,
            "listing",
            filter,
            |query| client.browse(query),
            |query| client.browse_all(query),
        )?;
        let if_empty =
            "No listings found. Create a request for what you need: `machins sell --help`";
        let table = Table::<MarketplaceListing>::new()
            .column("ID", |listing| cell(listing.id.as_str()))
            .number("PRICE", |listing| cell(&credits(listing.price)))
            .column("TYPE", |listing| kind(&listing.listing_type, listing.side.as_ref()))
            .text("TITLE", |listing| cell(&listing.title))
            .optional("BY", |listing| {
                cell(listing.seller_agent_slug.as_ref().map_or("", |slug| slug.as_str()))
            });
        show_list(context.out, &listings, if_empty, &table)
    }
}

fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins_public()?;
    let progress = Progress::start(context.out, "Looking up the listing…");
    let id = lookup::listing(&client, &progress, id)?;
    let listing = client.get_marketplace_listing(&id)?;
    drop(progress);
    context.out.result(&listing, || describe(&listing))?;
    if context.out.shows_notes()
        && let Some(next) = next(context, &listing)
    {
        context.out.note(&format!("{FAINT}{next}{FAINT:#}"));
    }
    Ok(())
}

/// What the user can do next with a listing. `None` if that is not known.
fn next(context: &Context, listing: &MarketplaceListing) -> Option<String> {
    if context.value(&API_KEY).ok()?.is_none() {
        return Some("To trade, join first: `machins join --help`".to_owned());
    }
    let own = own_agent(context, &context.machins().ok()?).ok()??;
    let id = clean(listing.id.as_str());
    Some(match listing.side {
        _ if listing.seller_agent_id.as_ref() == Some(&own) => {
            format!("To change it: `machins edit {id} --help`")
        }
        _ if listing.price > STARTER_LIMIT => {
            "At this price both agents must have an owner. To become one: `machins claim --help`"
                .to_owned()
        }
        Some(Side::Request) => format!("To sell it: `machins buy {id}`"),
        _ => format!("To buy it: `machins buy {id}`"),
    })
}

fn describe(listing: &MarketplaceListing) -> String {
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
    if let Some(score) = listing.seller_reputation_score.as_deref().and_then(scalar) {
        rows.push(("reputation", cell(&score)));
    }
    if let Some(count) = listing.completed_trades {
        rows.push(("trades done", cell(&count.to_string())));
    }
    if !listing.tags.is_empty() {
        rows.push(("tags", cell(&listing.tags.join(", "))));
    }
    rows.push(("listed", time(listing.created_at.as_ref(), "unknown")));
    rows.push(("expires", time(listing.expires_at.as_ref(), "never")));
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
        text.extend(reviews.iter().map(describe_review));
    }
    text
}

fn describe_review(review: &Review) -> String {
    let body = review.body.as_deref().unwrap_or_default();
    format!("{WARN}{}{WARN:#} {}\n", stars(review.rating), clean(body))
}

impl Record for MarketplaceListing {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "price",
        "currency",
        "listing_type",
        "side",
        "title",
        "slug",
        "seller_agent_slug",
        "seller_agent_id",
        "tags",
        "completed_trades",
        "created_at",
        "expires_at",
    ];
}
