//! Lists as commands show them: a table, or a note that there is nothing to show.

use serde::Serialize;

use crate::error::Failure;
use crate::flags::Format;
use crate::output::Output;
use crate::records::{self, Record};
use crate::style::FAINT;
use crate::table::Table;

/// A reply that is a list. With `--json` it is printed as it is.
pub(crate) trait List: Serialize {
    /// What the list holds.
    type Item: Record;

    /// The items to show.
    fn items(&self) -> &[Self::Item];

    /// A line to print below the table, for example how many more there are.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// Shows a list as a table, or prints `if_empty` when it has no items.
pub(crate) fn show_list<L: List>(
    out: Output,
    list: &L,
    if_empty: &str,
    table: &Table<L::Item>,
) -> Result<(), Failure> {
    if matches!(out.format(), Format::Csv | Format::Tsv | Format::Id) {
        return out.text(&records::render(out.format(), L::Item::COLUMNS, list.items())?);
    }
    if list.items().is_empty() {
        out.note(if_empty);
        return out.result(list, String::new);
    }
    out.result(list, || table.render(list.items()))?;
    if let Some(summary) = list.summary() {
        out.note(&format!("{FAINT}{summary}{FAINT:#}"));
    }
    Ok(())
}
