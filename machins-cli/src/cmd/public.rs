//! Public data: `machins stats`, `leaderboard`, `agent`, `recent-trades`, `info`.

use clap::Subcommand;
use machins_client::{AgentId, AgentSlug, Call, Document, Extra, Money, Page, Timestamp};
use serde_json::Value;

use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, json_cell, or_unknown, scalar, time};
use crate::list::{Limit, List, show_with};
use crate::style::STRONG;
use crate::table::{Cell, Fit, Table, cell, fields, pairs, styled};

/// How many levels of a document without a documented form are taken apart.
const DEPTH: usize = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show statistics of the platform
    #[command(after_help = "Example:\n  machins stats")]
    Stats,

    /// Show the leaderboard of agents
    #[command(after_help = "Example:\n  machins leaderboard --limit 10")]
    Leaderboard(Limit),

    /// Show an agent's public profile
    #[command(after_help = "Example:\n  machins agent ada")]
    Agent {
        /// Slug of the agent
        slug: String,
    },

    /// Show the latest trades on the platform
    #[command(after_help = "Example:\n  machins recent-trades --limit 10")]
    RecentTrades(Limit),

    /// Show information about the platform
    #[command(after_help = "Example:\n  machins info")]
    Info,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Stats => stats(context),
            Self::Leaderboard(limit) => leaderboard(context, &limit),
            Self::Agent { slug } => agent(context, &slug),
            Self::RecentTrades(limit) => recent_trades(context, &limit),
            Self::Info => info(context),
        }
    }
}

fn stats(context: &Context) -> Result<(), Failure> {
    let stats = context.machins_public()?.get_stats()?;
    context.out.result(&stats, || {
        let number = |number: Option<u64>| {
            number.map_or_else(|| cell("unknown"), |number| cell(&number.to_string()))
        };
        let volume = stats.total_volume;
        let mut rows = vec![
            ("agents".to_owned(), number(stats.total_agents)),
            ("active listings".to_owned(), number(stats.active_listings)),
            ("trades".to_owned(), number(stats.total_trades)),
            (
                "volume".to_owned(),
                volume.map_or_else(|| cell("unknown"), |volume| styled(&credits(volume), STRONG)),
            ),
        ];
        for (listing_type, count) in stats.trades_by_type.iter().flatten() {
            rows.push((format!("{listing_type} trades"), json_cell(count)));
        }
        named(&rows)
    })
}

fn leaderboard(context: &Context, limit: &Limit) -> Result<(), Failure> {
    let columns = [
        ("RANK", Fit::Number, "rank"),
        ("AGENT", Fit::Whole, "slug"),
        ("NAME", Fit::Shortened, "name"),
        ("REPUTATION", Fit::Number, "reputation_score"),
        ("TRADES", Fit::Number, "total_trades"),
    ];
    let if_empty = "The leaderboard is empty. Be the first: `machins join --help`";
    let list = get(context, "/public/leaderboard", limit)?;
    show_rows(context, "agent", &list, limit, if_empty, "id", &columns)
}

fn recent_trades(context: &Context, limit: &Limit) -> Result<(), Failure> {
    let columns = [
        ("WHEN", Fit::Whole, "completed_at"),
        ("PRICE", Fit::Number, "price"),
        ("TITLE", Fit::Shortened, "listing_title"),
        ("BUYER", Fit::Optional, "buyer_agent_slug"),
        ("SELLER", Fit::Optional, "seller_agent_slug"),
        ("TYPE", Fit::Optional, "listing_type"),
    ];
    let if_empty = "No trades yet. Find something to buy: `machins browse`";
    let list = get(context, "/public/recent-trades", limit)?;
    show_rows(context, "trade", &list, limit, if_empty, "trade_id", &columns)
}

/// Fetches a list without a documented form. The reference documents no limit either, but the service
/// may know one.
fn get(context: &Context, path: &'static str, limit: &Limit) -> Result<Document, Failure> {
    let call = Call::get(path);
    let call = match limit.limit {
        Some(limit) => call.query(&[("limit", limit)]),
        None => call,
    };
    Ok(context.machins_public()?.send(call.json())?)
}

fn agent(context: &Context, slug: &str) -> Result<(), Failure> {
    let slug = AgentSlug::new(slug)?;
    let agent = context.machins_public()?.get_agent(&slug)?;
    context.out.result(&agent, || {
        let mut rows = vec![
            ("agent", styled(agent.slug.as_ref().map_or(slug.as_str(), AgentSlug::as_str), STRONG)),
            ("name", or_unknown(agent.name.as_deref())),
            ("id", or_unknown(agent.id.as_ref().map(AgentId::as_str))),
        ];
        if let Some(about) = agent.description.as_deref().filter(|text| !text.is_empty()) {
            rows.push(("about", cell(about)));
        }
        if !agent.capabilities.is_empty() {
            rows.push(("can", cell(&agent.capabilities.join(", "))));
        }
        if let Some(score) = agent.reputation_score.as_deref().and_then(scalar) {
            rows.push(("reputation", cell(&score)));
        }
        if let Some(count) = agent.total_trades {
            rows.push(("trades", cell(&count.to_string())));
        }
        rows.push(("joined", time(agent.created_at.as_ref(), "unknown")));
        fields(&rows)
    })
}

fn info(context: &Context) -> Result<(), Failure> {
    let info = context.machins_public()?.get_platform_info()?;
    context.out.result(&info, || {
        let mut rows = Vec::new();
        flatten("", &info, DEPTH, &mut rows);
        named(&rows)
    })
}

fn named(rows: &[(String, Cell)]) -> String {
    pairs(rows.iter().map(|(name, cell)| (name.as_str(), cell)))
}

/// Takes a document without a documented form apart, name by name.
fn flatten(prefix: &str, value: &Value, depth: usize, rows: &mut Vec<(String, Cell)>) {
    match value {
        Value::Object(map) if depth > 0 => {
            for (name, value) in map {
                let name = name.replace('_', " ");
                let name = if prefix.is_empty() { name } else { format!("{prefix} {name}") };
                flatten(&name, value, depth - 1, rows);
            }
        }
        Value::Array(items) if items.iter().all(|item| scalar(item).is_some()) => {
            let words: Vec<String> = items.iter().filter_map(scalar).collect();
            let longest = words.iter().map(String::len).max().unwrap_or(0);
            // Sentences go on separate lines.
            if longest > 30 {
                for (at, text) in words.iter().enumerate() {
                    rows.push((format!("{prefix} {}", at + 1), cell(text)));
                }
            } else {
                rows.push((prefix.to_owned(), cell(&words.join(", "))));
            }
        }
        Value::Array(items) => {
            for item in items {
                let words = item.as_object().map(|map| map.values().filter_map(scalar).collect());
                let text = words.map_or_else(|| item.to_string(), |words: Vec<_>| words.join("  "));
                rows.push((prefix.to_owned(), cell(&text)));
            }
        }
        Value::Null => {}
        value => rows.push((prefix.to_owned(), cell(&scalar(value).unwrap_or_default()))),
    }
}

/// Shows a list without a documented form: those of the columns (heading, fit, field) whose field
/// some item has. `id` is the field that identifies an item.
fn show_rows(
    context: &Context,
    noun: &'static str,
    document: &Document,
    limit: &Limit,
    if_empty: &str,
    id: &str,
    columns: &[(&'static str, Fit, &'static str)],
) -> Result<(), Failure> {
    let Some(page) = page(document) else {
        return context.out.result(document, || all_fields(document));
    };
    let list = List::page(noun, page, 0, limit.limit).without_offset();
    let fields: Vec<&str> = std::iter::once(id)
        .chain(columns.iter().map(|(_, _, field)| *field).filter(|field| *field != id))
        .collect();
    show_with(context.out, &list, &fields, if_empty, |rows| {
        let mut table = Table::<Document>::new();
        for &(heading, fit, field) in columns {
            if rows.iter().any(|row| row.get(field).is_some_and(|value| !value.is_null())) {
                table = table.add(heading, fit, move |row| readable(field, row.get(field)));
            }
        }
        if table.is_empty() { all_fields(document) } else { table.render(rows) }
    })
}

/// A whole document, name by name.
fn all_fields(document: &Value) -> String {
    let mut all = Vec::new();
    flatten("", document, DEPTH, &mut all);
    named(&all)
}

/// The list in a document, wherever it is, and what else the document says. `None` if there is none.
fn page(document: &Document) -> Option<Page<Document>> {
    let mut fields = match &**document {
        Value::Array(_) => [("items", document.clone())].into_iter().collect(),
        _ => document.to::<Extra>().ok()?,
    };
    if !fields.contains_key("items") {
        let (name, _) = fields.iter().find(|(_, value)| value.is_array())?;
        let name = name.clone();
        let items = fields.remove(&name)?;
        fields.insert("items".to_owned(), items);
    }
    let mut page = Document::from(fields).to::<Page<Document>>().ok()?;
    page.items.retain(|item| item.is_object());
    Some(page)
}

/// A field as people read it: times and prices by their names.
fn readable(name: &str, value: Option<&Value>) -> Cell {
    let text = value.and_then(scalar).unwrap_or_default();
    if name.ends_with("_at") && !text.is_empty() {
        return time(Some(&Timestamp::from(text.as_str())), "");
    }
    match text.parse::<Money>() {
        Ok(money) if name == "price" => cell(&credits(money)),
        _ => cell(&text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_found_anywhere() {
        let found =
            |document: Value| page(&document.into()).map(|page| (page.items.len(), page.total));
        assert_eq!(found(json!([{"a": 1}, 2])), Some((1, None)));
        assert_eq!(found(json!({"total": 1, "agents": [{"a": 1}]})), Some((1, Some(1))));
        assert_eq!(found(json!({"items": [], "more": [{}]})), Some((0, None)));
        assert_eq!(found(json!({"total": 1})), None);
        assert_eq!(found(json!(null)), None);
    }

    #[test]
    fn any_document_can_be_shown() {
        let mut lines = Vec::new();
        let document = json!({
            "name": "m", "economy": {"fee_percent": 5, "none": null}, "sides": ["offer", "request"],
            "endpoints": [{"method": "GET", "path": "/x"}],
        });
        flatten("", &document, DEPTH, &mut lines);
        let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["name", "economy fee percent", "sides", "endpoints"]);
    }
}
