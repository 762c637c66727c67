//! Lists that the service returns in pages.

use clap::Args;
use machins_client::blocking::Blocking;
use machins_client::{Error, Items, Page, Query};

use crate::error::Failure;
use crate::list::List;
use crate::output::Output;
use crate::progress::Progress;

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

/// Fetches one page, or with `--all` everything from the offset on. Warns where the service does not
/// do what it was asked for.
pub(crate) fn fetch<F, I: Send + 'static>(
    out: Output,
    paging: &Paging,
    noun: &'static str,
    filter: F,
    page: impl FnOnce(&Query<F>) -> Result<Page<I>, Error>,
    all: impl FnOnce(&Query<F>) -> Items<Blocking, I>,
) -> Result<List<I>, Failure> {
    let query = paging.query(filter);
    let offset = paging.offset.unwrap_or(0);
    if !paging.all {
        let page = page(&query)?;
        if is_elsewhere(&page, offset) {
            out.warn_always(&format!(
                "the service ignored --offset {offset}: these may not be the {noun}s that follow it"
            ));
        }
        return Ok(List::page(noun, page, offset, query.limit));
    }
    let progress = Progress::start(out, &format!("Fetching {noun}s…"));
    let mut walk = all(&query);
    let items = collect(&progress, noun, walk.by_ref())?;
    drop(progress);
    let (total, is_complete) = (walk.total(), walk.is_complete());
    if !is_complete {
        let count = items.len() as u64;
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        out.warn_always(&format!(
            "the list may not be complete: {count}{of} {noun}s were seen; it changed meanwhile, or the \
             service repeats its pages"
        ));
    }
    Ok(List::all(noun, items, offset, total, is_complete))
}

/// Whether a page shows by itself that it does not begin at the offset that was asked for.
fn is_elsewhere<I>(page: &Page<I>, offset: u64) -> bool {
    let says_otherwise = page.offset.is_some_and(|own| own != offset);
    let is_behind_the_end = page.total.is_some_and(|total| total <= offset);
    says_otherwise || (offset > 0 && is_behind_the_end && !page.items.is_empty())
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
