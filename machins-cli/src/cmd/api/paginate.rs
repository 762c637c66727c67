//! `machins api --paginate`: all pages of a list as one document.

use std::borrow::Cow;
use std::collections::HashSet;

use machineid_client::Reply;
use machins_client::{Document, Page};

use crate::context::Context;
use crate::error::Failure;
use crate::json;
use crate::list::List;
use crate::pages::FULL;
use crate::progress::Progress;

/// The parameters of a query.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Fetches all pages, and prints them as one. A reply that is no page is printed as it is.
pub(super) fn all(
    context: &Context,
    query: Pairs,
    send: impl Fn(&Pairs) -> Result<Reply, Failure>,
) -> Result<(), Failure> {
    let own = |name: &str| {
        let value = query.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value);
        value.and_then(|value| value.parse::<u64>().ok())
    };
    let (start, limit) = (own("offset").unwrap_or(0), own("limit").unwrap_or(FULL.into()));
    let filters: Pairs =
        query.into_iter().filter(|(name, _)| name != "offset" && name != "limit").collect();
    let progress = Progress::start(context.out, "Fetching pages…");
    let (mut items, mut seen, mut offset) = (Vec::new(), HashSet::new(), start);
    let (total, is_complete) = loop {
        let mut query = filters.clone();
        query.push(("limit".into(), limit.to_string().into()));
        query.push(("offset".into(), offset.to_string().into()));
        let reply = send(&query)?;
        if !reply.is_success() {
            return Err(reply.error().into());
        }
        let document = reply.json::<Document>()?;
        let Ok(page) = document.to::<Page<Document>>() else {
            drop(progress);
            return context.out.result(&document, || json::indented(&document).unwrap_or_default());
        };
        offset = offset.saturating_add(page.items.len() as u64);
        let before = items.len();
        // An item that was pushed to the next page comes twice, and is the same.
        let is_new = |item: &Document| {
            let id = item.get("id").and_then(|id| id.as_str());
            seen.insert(id.map_or_else(|| item.as_json().to_owned(), str::to_owned))
        };
        items.extend(page.items.into_iter().filter(is_new));
        progress.say(format!("Fetching pages: {} items", items.len()));
        let has_more = match (page.has_more, page.total) {
            (_, Some(total)) => total > offset,
            (Some(has_more), None) => has_more,
            (None, None) => items.len() > before,
        };
        if !has_more || items.len() == before {
            break (
                page.total,
                !has_more
                    && page
                        .total
                        .is_none_or(|total| total <= start.saturating_add(items.len() as u64)),
            );
        }
    };
    drop(progress);
    if !is_complete {
        context.out.warn_always(&format!(
            "the list may not be complete: {} items were seen; it changed meanwhile, or the service \
             repeats its pages",
            items.len()
        ));
    }
    let list = List::all("item", items, start, total, is_complete);
    context.out.result(&list, || json::indented(&list).unwrap_or_default())
}
