//! Lists that the service returns in pages.

use clap::Args;
use machins_client::{Error, Page, Query};
use serde::Serialize;

use crate::error::Failure;
use crate::format::counted;
use crate::list::List;
use crate::output::Output;
use crate::progress::Progress;
use crate::records::Record;

/// How many items a list shows by default.
const SCREEN: u32 = 20;
/// The largest page that the service returns.
pub(crate) const FULL: u32 = 200;

// The flags of every list that comes in pages.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct Paging {
    /// Number of items to show, 1 to 200 [default: 20]; with --all, the number to fetch at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: Option<u32>,
    /// Number of items to skip
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,
    /// Show all items
    #[arg(long)]
    pub(crate) all: bool,
}

impl Paging {
    /// The query for the first page of a list.
    fn query<F>(&self, filter: F) -> Query<F> {
        let limit = self.limit.unwrap_or(if self.all { FULL } else { SCREEN });
        Query { filter, offset: self.offset, limit: Some(limit) }
    }
}

/// One page of a list, or all its pages in the form of one.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Pages<I> {
    /// The singular of what the list holds, for example "trade".
    #[serde(skip)]
    noun: &'static str,
    pages: OneOrAll<I>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOrAll<I> {
    One(Page<I>),
    All {
        items: Vec<I>,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        offset: u64,
        has_more: bool,
    },
}

/// Fetches one page, or with `--all` everything from the offset on.
pub(crate) fn fetch<F, I, A>(
    out: Output,
    paging: &Paging,
    noun: &'static str,
    filter: F,
    page: impl FnOnce(&Query<F>) -> Result<Page<I>, Error>,
    all: impl FnOnce(&Query<F>) -> A,
) -> Result<Pages<I>, Failure>
where
    A: Iterator<Item = Result<I, Error>>,
{
    let query = paging.query(filter);
    if !paging.all {
        return Ok(Pages { noun, pages: OneOrAll::One(page(&query)?) });
    }
    let progress = Progress::start(out, &format!("Fetching {noun}s…"));
    let items = collect(&progress, noun, all(&query))?;
    let offset = paging.offset.unwrap_or(0);
    // An offset beyond the end does not tell how many there are.
    let total = (offset == 0 || !items.is_empty()).then(|| offset + items.len() as u64);
    Ok(Pages { noun, pages: OneOrAll::All { items, total, offset, has_more: false } })
}

impl<I: Record> List for Pages<I> {
    type Item = I;

    fn items(&self) -> &[I] {
        match &self.pages {
            OneOrAll::One(page) => &page.items,
            OneOrAll::All { items, .. } => items,
        }
    }

    fn summary(&self) -> Option<String> {
        Some(match &self.pages {
            OneOrAll::One(page) => {
                let shown = page.items.len() as u64;
                let offset = page.offset.unwrap_or(0);
                let more =
                    page.has_more.unwrap_or(page.total.is_some_and(|all| all > shown + offset));
                rest(self.noun, offset, shown, page.total, more)
            }
            OneOrAll::All { items, .. } => counted(items.len() as u64, self.noun),
        })
    }
}

/// Collects all items of a pager, and shows how many there are so far.
pub(crate) fn collect<I>(
    progress: &Progress,
    noun: &str,
    all: impl Iterator<Item = Result<I, Error>>,
) -> Result<Vec<I>, Failure> {
    let mut items = Vec::new();
    for item in all {
        items.push(item?);
        progress.say(format!("Fetching {noun}s: {}", items.len()));
    }
    Ok(items)
}

/// Says which part of the list was shown, and how to see more.
fn rest(noun: &str, offset: u64, shown: u64, total: Option<u64>, more: bool) -> String {
    let end = offset + shown;
    match (more, total) {
        (false, None) => counted(shown, noun),
        (false, Some(total)) if offset == 0 => counted(total, noun),
        (false, Some(total)) => format!("{} to {end} of {}", offset + 1, counted(total, noun)),
        (true, total) => {
            let of =
                total.map_or_else(String::new, |total| format!(" of {}", counted(total, noun)));
            format!("{} to {end}{of}; see more with --offset {end} or --all", offset + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_how_to_see_more() {
        assert_eq!(rest("trade", 0, 1, Some(1), false), "1 trade");
        assert_eq!(rest("trade", 0, 3, None, false), "3 trades");
        assert_eq!(rest("trade", 20, 5, Some(25), false), "21 to 25 of 25 trades");
        assert_eq!(
            rest("trade", 20, 20, Some(134), true),
            "21 to 40 of 134 trades; see more with --offset 40 or --all"
        );
        assert_eq!(rest("trade", 0, 2, None, true), "1 to 2; see more with --offset 2 or --all");
    }
}
