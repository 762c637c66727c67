//! Lists as commands show them: a table for people, rows for programs, and in JSON the same envelope
//! for every list.

use clap::Args;
use machins_client::{Extra, Page};
use serde::Serialize;

use crate::error::Failure;
use crate::format::counted;
use crate::output::Output;
use crate::records::{self, Record};
use crate::style::FAINT;
use crate::table::Table;

// The flag of lists that the service returns whole.
#[derive(Debug, Default, Args)]
pub(crate) struct Limit {
    /// Number of items to show at most [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

impl Limit {
    /// The number of items that it allows.
    pub(crate) fn most(&self) -> usize {
        most(self.limit)
    }
}

/// A list, or a part of it. Its JSON form is that of the service's own pages.
#[derive(Serialize)]
pub(crate) struct List<I> {
    pub(crate) items: Vec<I>,
    /// The number of items in the whole list. `None` if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// The number of items before these.
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// Whether there are more items after these. `None` if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_more: Option<bool>,
    /// The fields of the service's reply that belong to the list, not to an item.
    #[serde(flatten)]
    extra: Extra,
    /// The singular of what the list holds, for example "trade".
    #[serde(skip)]
    noun: &'static str,
    /// Whether the command has the flags of `Paging`.
    #[serde(skip)]
    is_paged: bool,
    /// The line below the table, if it is not how many items there are.
    #[serde(skip)]
    summary: Option<String>,
}

impl<I> List<I> {
    /// A list of which all items are known, cut off after the limit.
    pub(crate) fn whole(noun: &'static str, mut items: Vec<I>, limit: &Limit) -> Self {
        let total = items.len();
        items.truncate(limit.most());
        Self {
            total: Some(total as u64),
            offset: 0,
            limit: limit.limit.map(Into::into),
            has_more: Some(items.len() < total),
            extra: Extra::default(),
            noun,
            is_paged: false,
            summary: None,
            items,
        }
    }

    /// The last items of a list of this length.
    pub(crate) fn end(noun: &'static str, items: Vec<I>, total: u64) -> Self {
        let offset = total.saturating_sub(items.len() as u64);
        Self::all(noun, items, offset, Some(total), true)
    }

    /// A page that was requested at this offset with this limit, and is no longer than that.
    pub(crate) fn page(noun: &'static str, page: Page<I>, offset: u64, limit: Option<u32>) -> Self {
        let Page { mut items, total, unread_count, mut extra, .. } = page;
        let wanted = most(limit);
        let is_cut_off = items.len() > wanted;
        items.truncate(wanted);
        if let Some(count) = unread_count {
            extra.insert("unread_count".to_owned(), count.into());
        }
        let offset = page.offset.unwrap_or(offset);
        let end = offset.saturating_add(items.len() as u64);
        let has_more = match (page.has_more, total) {
            _ if is_cut_off => Some(true),
            // Neither is believed against the other.
            (Some(false), Some(total)) => Some(total > end),
            (None, total) => total.map(|total| total > end),
            (has_more, _) => has_more,
        };
        let limit = page.limit.or(limit.map(Into::into));
        Self { items, total, offset, limit, has_more, extra, noun, is_paged: true, summary: None }
    }

    /// All items from an offset on, or those that the service gave of them. `total` is what it says
    /// that there are.
    pub(crate) fn all(
        noun: &'static str,
        items: Vec<I>,
        offset: u64,
        total: Option<u64>,
        is_complete: bool,
    ) -> Self {
        // An offset beyond the end does not tell how many there are.
        let seen = (offset == 0 || !items.is_empty()).then(|| offset + items.len() as u64);
        Self {
            total: if is_complete { seen } else { total },
            offset,
            limit: None,
            has_more: if is_complete {
                Some(false)
            } else {
                total.zip(seen).map(|(total, seen)| total > seen).filter(|has_more| *has_more)
            },
            extra: Extra::default(),
            noun,
            is_paged: true,
            summary: None,
            items,
        }
    }

    /// For commands that have no `--offset`.
    pub(crate) fn without_offset(self) -> Self {
        Self { is_paged: false, ..self }
    }

    /// Adds the fields of the reply that belong to the list. A `limit` among them is the service's.
    pub(crate) fn with_extra(mut self, extra: Extra) -> Self {
        self.limit = self.limit.filter(|_| !extra.contains_key("limit"));
        self.extra = extra;
        self
    }

    /// Sets the line below the table.
    pub(crate) fn with_summary(mut self, summary: String) -> Self {
        self.summary = Some(summary);
        self
    }

    /// Says which part of the list was shown, and how to see more.
    fn summarize(&self) -> String {
        let (shown, noun) = (self.items.len() as u64, self.noun);
        let (first, end) = (self.offset + 1, self.offset + shown);
        match (self.has_more, self.total) {
            (Some(false), None) => counted(shown, noun),
            (Some(false), Some(total)) if self.offset == 0 => counted(total, noun),
            (Some(false), Some(total)) => format!("{first} to {end} of {}", counted(total, noun)),
            (Some(true), total) => {
                let of =
                    total.map_or_else(String::new, |total| format!(" of {}", counted(total, noun)));
                let more = if self.is_paged {
                    format!("--offset {end} or --all")
                } else {
                    "a larger --limit".to_owned()
                };
                format!("{first} to {end}{of}; see more with {more}")
            }
            (None, _) => format!(
                "{} shown; the service does not say whether there are more",
                counted(shown, noun)
            ),
        }
    }
}

/// The number of items that a limit allows.
fn most(limit: Option<u32>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Shows a list of records: in the form that is asked for, or as a note when it is empty.
pub(crate) fn show_list<I: Record>(
    out: Output,
    list: &List<I>,
    if_empty: &str,
    table: &Table<I>,
) -> Result<(), Failure> {
    show_with(out, list, I::COLUMNS, if_empty, |items| table.render(items))
}

/// As [`show_list`], for items of any kind. `columns` are the fields for programs.
pub(crate) fn show_with<I: Serialize>(
    out: Output,
    list: &List<I>,
    columns: &[&str],
    if_empty: &str,
    render: impl FnOnce(&[I]) -> String,
) -> Result<(), Failure> {
    let is_for_programs = out.format().is_for_programs();
    if is_for_programs {
        let heading = records::heading(out.format(), columns)?;
        out.text(&(heading + &records::rows(out.format(), columns, &list.items)?))?;
    } else if list.items.is_empty() {
        out.result(list, String::new)?;
    } else {
        out.result(list, || render(&list.items))?;
    }
    let notes = match list.items.as_slice() {
        [] if list.offset > 0 => {
            vec![format!("No {}s after the first {}.", list.noun, list.offset)]
        }
        [] if is_for_programs => Vec::new(),
        [] => vec![if_empty.to_owned()],
        _ => {
            let own = list.summary.as_ref().filter(|_| !is_for_programs);
            let is_cut_off = list.has_more != Some(false);
            let part = is_cut_off || (own.is_none() && !is_for_programs);
            let part = part.then(|| list.summarize());
            let notes = part.as_ref().into_iter().chain(own);
            notes.map(|note| format!("{FAINT}{note}{FAINT:#}")).collect()
        }
    };
    for note in &notes {
        out.note(note);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn part(offset: u64, shown: usize, total: Option<u64>, has_more: Option<bool>) -> List<u8> {
        List {
            items: vec![0; shown],
            total,
            offset,
            limit: None,
            has_more,
            extra: Extra::default(),
            noun: "trade",
            is_paged: true,
            summary: None,
        }
    }

    #[rstest]
    #[case::one(part(0, 1, Some(1), Some(false)), "1 trade")]
    #[case::no_total(part(0, 3, None, Some(false)), "3 trades")]
    #[case::the_end(part(20, 5, Some(25), Some(false)), "21 to 25 of 25 trades")]
    #[case::more(
        part(20, 20, Some(134), Some(true)),
        "21 to 40 of 134 trades; see more with --offset 40 or --all"
    )]
    #[case::more_without_total(
        part(0, 2, None, Some(true)),
        "1 to 2; see more with --offset 2 or --all"
    )]
    #[case::unknown(
        part(0, 2, None, None),
        "2 trades shown; the service does not say whether there are more"
    )]
    fn the_summary_claims_what_is_known(#[case] list: List<u8>, #[case] summary: &str) {
        assert_eq!(list.summarize(), summary);
    }

    #[test]
    fn a_whole_list_is_cut_off_after_its_limit() {
        let limit = Limit { limit: Some(2) };
        let list = List::whole("device", vec![1, 2, 3], &limit);
        assert_eq!(list.items, [1, 2]);
        assert_eq!(list.summarize(), "1 to 2 of 3 devices; see more with a larger --limit");
        assert_eq!(List::whole("device", vec![1], &limit).summarize(), "1 device");
    }
}
