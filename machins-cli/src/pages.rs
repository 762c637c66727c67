//! Lists that come in pages.

use machins_client::{Error, Page};
use serde::Serialize;

use crate::args::market::Paging;
use crate::context::Context;
use crate::error::Failure;
use crate::format::counted;
use crate::output::FAINT;
use crate::progress::Progress;

/// How many a list shows unless more are asked for: a screen full.
const SCREEN: u32 = 20;
/// How many are fetched at a time when all are: the most that the service gives.
pub(crate) const FULL: u32 = 200;

/// How many to ask for at a time.
pub(crate) fn limit(paging: &Paging) -> u32 {
    paging.limit.unwrap_or(if paging.all { FULL } else { SCREEN })
}

/// A page, or all pages put together in its form.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum List<I> {
    Page(Page<I>),
    Whole {
        items: Vec<I>,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        offset: u64,
        has_more: bool,
    },
}

impl<I: Serialize> List<I> {
    /// One page, or all from there on.
    pub(crate) fn fetch<P>(
        context: &Context,
        paging: &Paging,
        thing: &str,
        page: impl FnOnce() -> Result<Page<I>, Error>,
        all: impl FnOnce() -> P,
    ) -> Result<Self, Failure>
    where
        P: Iterator<Item = Result<I, Error>>,
    {
        if !paging.all {
            return Ok(Self::Page(page()?));
        }
        let progress = Progress::start(context.out, &format!("Fetching {thing}s…"));
        let items = collect(&progress, thing, all())?;
        let offset = paging.offset.unwrap_or(0);
        // Beyond the end there is no telling how many there are.
        let total = (offset == 0 || !items.is_empty()).then(|| offset + items.len() as u64);
        Ok(Self::Whole { items, total, offset, has_more: false })
    }

    pub(crate) fn items(&self) -> &[I] {
        match self {
            Self::Page(page) => &page.items,
            Self::Whole { items, .. } => items,
        }
    }

    /// Says what there is beside what was shown.
    pub(crate) fn say_rest(&self, context: &Context, thing: &str) {
        let text = match self {
            Self::Page(page) => {
                let shown = page.items.len() as u64;
                let offset = page.offset.unwrap_or(0);
                let more =
                    page.has_more.unwrap_or(page.total.is_some_and(|all| all > shown + offset));
                rest(thing, offset, shown, page.total, more)
            }
            Self::Whole { items, .. } => counted(items.len() as u64, thing),
        };
        context.out.note(&format!("{FAINT}{text}{FAINT:#}"));
    }
}

/// Everything that a pager gives.
pub(crate) fn collect<I>(
    progress: &Progress,
    thing: &str,
    all: impl Iterator<Item = Result<I, Error>>,
) -> Result<Vec<I>, Failure> {
    let mut items = Vec::new();
    for item in all {
        items.push(item?);
        progress.say(format!("Fetching {thing}s: {}", items.len()));
    }
    Ok(items)
}

fn rest(thing: &str, offset: u64, shown: u64, total: Option<u64>, more: bool) -> String {
    let end = offset + shown;
    match (more, total) {
        (false, None) => counted(shown, thing),
        (false, Some(total)) if offset == 0 => counted(total, thing),
        (false, Some(total)) => format!("{} to {end} of {}", offset + 1, counted(total, thing)),
        (true, total) => {
            let of =
                total.map_or_else(String::new, |total| format!(" of {}", counted(total, thing)));
            format!("{} to {end}{of}; go on with --offset {end}, or see them --all", offset + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said() {
        assert_eq!(rest("trade", 0, 1, Some(1), false), "1 trade");
        assert_eq!(rest("trade", 0, 3, None, false), "3 trades");
        assert_eq!(rest("trade", 20, 5, Some(25), false), "21 to 25 of 25 trades");
        assert_eq!(
            rest("trade", 20, 20, Some(134), true),
            "21 to 40 of 134 trades; go on with --offset 40, or see them --all"
        );
        assert_eq!(
            rest("trade", 0, 2, None, true),
            "1 to 2; go on with --offset 2, or see them --all"
        );
    }
}
