//! What everybody may know: stats, leaderboard, agent, recent-trades, info.

use machins_client::{AgentSlug, Money, Timestamp};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, moment};
use crate::market::{json_cell, word};
use crate::output::STRONG;
use crate::table::{Cell, Column, cell, fields, fitted, styled};

/// How far documents without a documented shape are taken apart.
const DEPTH: usize = 3;

/// `machins stats`.
pub(crate) fn stats(context: &Context) -> Result<(), Failure> {
    let stats = context.machins_without_key()?.build_blocking()?.get_stats()?;
    context.out.result(&stats, || {
        let mut rows = vec![
            ("agents".to_owned(), cell(&stats.total_agents.to_string())),
            ("active listings".to_owned(), cell(&stats.active_listings.to_string())),
            ("trades".to_owned(), cell(&stats.total_trades.to_string())),
            ("volume".to_owned(), styled(&credits(stats.total_volume), STRONG)),
        ];
        for (listing_type, count) in &stats.trades_by_type {
            rows.push((format!("{listing_type} trades"), json_cell(count)));
        }
        named(&rows)
    })
}

/// `machins leaderboard`.
pub(crate) fn leaderboard(context: &Context) -> Result<(), Failure> {
    let list = context.machins_without_key()?.build_blocking()?.get_leaderboard()?;
    listed(
        context,
        &list,
        "Nobody is on the leaderboard yet. Be the first: machins join --name NAME",
        &[
            ("rank", Column::number("RANK")),
            ("slug", Column::whole("AGENT")),
            ("name", Column::text("NAME")),
            ("reputation_score", Column::number("REPUTATION")),
            ("total_trades", Column::number("TRADES")),
        ],
    )
}

/// `machins recent-trades`.
pub(crate) fn recent_trades(context: &Context) -> Result<(), Failure> {
    let list = context.machins_without_key()?.build_blocking()?.get_recent_trades()?;
    listed(
        context,
        &list,
        "Nothing was traded yet. Begin: machins browse",
        &[
            ("completed_at", Column::whole("WHEN")),
            ("price", Column::number("PRICE")),
            ("listing_title", Column::text("TITLE")),
            ("buyer_agent_slug", Column::extra("BUYER")),
            ("seller_agent_slug", Column::extra("SELLER")),
            ("listing_type", Column::extra("TYPE")),
        ],
    )
}

/// `machins agent`.
pub(crate) fn agent(context: &Context, slug: &str) -> Result<(), Failure> {
    let slug = AgentSlug::new(slug)?;
    let agent = context.machins_without_key()?.build_blocking()?.get_agent(&slug)?;
    context.out.result(&agent, || {
        let text = |text: Option<&str>| cell(text.unwrap_or("unknown"));
        let mut rows = vec![
            ("agent", styled(agent.slug.as_ref().map_or(slug.as_str(), AgentSlug::as_str), STRONG)),
            ("name", text(agent.name.as_deref())),
            ("id", text(agent.id.as_ref().map(machins_client::AgentId::as_str))),
        ];
        if let Some(about) = agent.description.as_deref().filter(|text| !text.is_empty()) {
            rows.push(("about", cell(about)));
        }
        if !agent.capabilities.is_empty() {
            rows.push(("can", cell(&agent.capabilities.join(", "))));
        }
        if let Some(score) = agent.reputation_score.as_ref().and_then(word) {
            rows.push(("reputation", cell(&score)));
        }
        if let Some(count) = agent.total_trades {
            rows.push(("trades", cell(&count.to_string())));
        }
        rows.push(("joined", moment(agent.created_at.as_ref(), "unknown")));
        fields(&rows)
    })
}

/// `machins info`.
pub(crate) fn info(context: &Context) -> Result<(), Failure> {
    let info = context.machins_without_key()?.build_blocking()?.get_platform_info()?;
    context.out.result(&info, || {
        let mut rows = Vec::new();
        flatten("", &info, DEPTH, &mut rows);
        named(&rows)
    })
}

fn named(rows: &[(String, Cell)]) -> String {
    crate::table::pairs(rows.iter().map(|(name, cell)| (name.as_str(), cell)))
}

/// A document whose shape nobody has written down, name by name.
fn flatten(prefix: &str, value: &Value, depth: usize, rows: &mut Vec<(String, Cell)>) {
    match value {
        Value::Object(map) if depth > 0 => {
            for (name, value) in map {
                let name = name.replace('_', " ");
                let name = if prefix.is_empty() { name } else { format!("{prefix} {name}") };
                flatten(&name, value, depth - 1, rows);
            }
        }
        Value::Array(items) if items.iter().all(|item| word(item).is_some()) => {
            let words: Vec<String> = items.iter().filter_map(word).collect();
            let longest = words.iter().map(String::len).max().unwrap_or(0);
            // Sentences stand on lines of their own.
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
                let words = item.as_object().map(|map| map.values().filter_map(word).collect());
                let text = words.map_or_else(|| item.to_string(), |words: Vec<_>| words.join("  "));
                rows.push((prefix.to_owned(), cell(&text)));
            }
        }
        Value::Null => {}
        scalar => rows.push((prefix.to_owned(), cell(&word(scalar).unwrap_or_default()))),
    }
}

/// A list whose shape nobody has written down: its known columns, as far as they are there.
fn listed(
    context: &Context,
    document: &Value,
    nothing: &str,
    columns: &[(&str, Column)],
) -> Result<(), Failure> {
    let rows = rows(document);
    if rows.is_empty() {
        context.out.note(nothing);
        return context.out.result(document, String::new);
    }
    let there: Vec<&(&str, Column)> = columns
        .iter()
        .filter(|(name, _)| rows.iter().any(|row| row.get(*name).is_some_and(|v| !v.is_null())))
        .collect();
    context.out.result(document, || {
        if there.is_empty() {
            let mut all = Vec::new();
            flatten("", document, DEPTH, &mut all);
            return named(&all);
        }
        let shown: Vec<Column> = there.iter().map(|(_, column)| *column).collect();
        let cells: Vec<Vec<Cell>> = rows
            .iter()
            .map(|row| there.iter().map(|(name, _)| readable(name, row.get(*name))).collect())
            .collect();
        fitted(&shown, &cells)
    })
}

/// The objects of a list, wherever in the document it is.
fn rows(document: &Value) -> Vec<&Map<String, Value>> {
    let list = match document {
        Value::Array(items) => Some(items),
        Value::Object(map) => map.values().find_map(Value::as_array),
        _ => None,
    };
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// A value as people read one of that name.
fn readable(name: &str, value: Option<&Value>) -> Cell {
    let text = value.and_then(word).unwrap_or_default();
    if name.ends_with("_at") && !text.is_empty() {
        return moment(Some(&Timestamp::from(text.as_str())), "");
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
    fn a_list_is_found_in_any_shape() {
        assert_eq!(rows(&json!([{"a": 1}, 2])).len(), 1);
        assert_eq!(rows(&json!({"total": 1, "agents": [{"a": 1}]})).len(), 1);
        assert!(rows(&json!({"total": 1})).is_empty());
        assert!(rows(&json!(null)).is_empty());
    }

    #[test]
    fn any_document_has_lines() {
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
