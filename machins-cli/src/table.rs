//! Tables, and lists of names and values, that fit the terminal.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::style::{FAINT, STRONG, Style};
use crate::text::clean;

const GAP: usize = 2;
/// The width of a line where stdout is no terminal.
const UNBOUNDED: usize = usize::MAX;
/// Columns are not shortened to less than this.
const SHORTEST: usize = 12;

/// A table's cell: text that is safe to show, and its colour.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// Creates a cell without a colour.
pub(crate) fn cell(text: &str) -> Cell {
    styled(text, Style::new())
}

/// Creates a cell with a colour.
pub(crate) fn styled(text: &str, style: Style) -> Cell {
    Cell { text: clean(text).into_owned(), style }
}

/// What becomes of a column where there is not enough room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is never shortened, since its text may have to be copied.
    Whole,
    /// It is never shortened, and aligned to the right.
    Number,
    /// It is shortened.
    Shortened,
    /// It is left out.
    Optional,
}

struct Column<'a, T> {
    heading: &'static str,
    fit: Fit,
    cell: Box<dyn Fn(&T) -> Cell + 'a>,
}

/// A table of items: its columns, each with a heading and the cell for an item.
pub(crate) struct Table<'a, T> {
    columns: Vec<Column<'a, T>>,
}

impl<'a, T> Table<'a, T> {
    pub(crate) fn new() -> Self {
        Self { columns: Vec::new() }
    }

    /// Adds a column that is never shortened.
    pub(crate) fn column(self, heading: &'static str, cell: impl Fn(&T) -> Cell + 'a) -> Self {
        self.add(heading, Fit::Whole, cell)
    }

    /// Adds a column that is never shortened, and aligned to the right.
    pub(crate) fn number(self, heading: &'static str, cell: impl Fn(&T) -> Cell + 'a) -> Self {
        self.add(heading, Fit::Number, cell)
    }

    /// Adds a column that is shortened where there is not enough room.
    pub(crate) fn text(self, heading: &'static str, cell: impl Fn(&T) -> Cell + 'a) -> Self {
        self.add(heading, Fit::Shortened, cell)
    }

    /// Adds a column that is left out where there is not enough room.
    pub(crate) fn optional(self, heading: &'static str, cell: impl Fn(&T) -> Cell + 'a) -> Self {
        self.add(heading, Fit::Optional, cell)
    }

    /// Adds a column.
    pub(crate) fn add(
        mut self,
        heading: &'static str,
        fit: Fit,
        cell: impl Fn(&T) -> Cell + 'a,
    ) -> Self {
        self.columns.push(Column { heading, fit, cell: Box::new(cell) });
        self
    }

    /// Whether the table has no columns.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Formats items as rows under the headings. Where there is not enough room, optional columns
    /// are left out, the last one first, then others are shortened; if that is not enough, each
    /// item becomes a block of lines, so that an id always stays whole and can be copied.
    pub(crate) fn render(&self, items: &[T]) -> String {
        render(&self.columns, items, terminal_width())
    }
}

fn render<T>(columns: &[Column<T>], items: &[T], available: usize) -> String {
    let rows: Vec<Vec<Cell>> = items
        .iter()
        .map(|item| columns.iter().map(|column| (column.cell)(item)).collect())
        .collect();
    let mut shown: Vec<(usize, usize)> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            (at, cells.map(|cell| cell.text.width()).fold(column.heading.width(), usize::max))
        })
        .collect();
    let lacking = |shown: &[(usize, usize)]| {
        let gaps = GAP * shown.len().saturating_sub(1);
        let total = shown.iter().map(|(_, width)| width).sum::<usize>() + gaps;
        total.saturating_sub(available)
    };
    while lacking(&shown) > 0
        && let Some(place) = shown.iter().rposition(|(at, _)| columns[*at].fit == Fit::Optional)
    {
        shown.remove(place);
    }
    for place in (0..shown.len()).rev() {
        let lack = lacking(&shown);
        let (at, width) = &mut shown[place];
        if columns[*at].fit == Fit::Shortened && lack > 0 {
            *width -= lack.min(width.saturating_sub(SHORTEST));
        }
    }
    if lacking(&shown) > 0 {
        return rows
            .iter()
            .map(|row| {
                let named = columns.iter().map(|column| column.heading).zip(row);
                pairs(named.filter(|(_, cell)| !cell.text.is_empty()))
            })
            .collect::<Vec<_>>()
            .join("\n");
    }
    let headings: Vec<Cell> = columns.iter().map(|column| styled(column.heading, STRONG)).collect();
    std::iter::once(&headings).chain(&rows).map(|row| line(row, columns, &shown)).collect()
}

fn line<T>(row: &[Cell], columns: &[Column<T>], shown: &[(usize, usize)]) -> String {
    let mut text = String::new();
    let mut owed = 0;
    for &(at, width) in shown {
        let Some(Cell { text: content, style }) = row.get(at) else { continue };
        let content = shortened(content, width);
        let spare = width - content.width();
        let (before, after) = if columns[at].fit == Fit::Number { (spare, 0) } else { (0, spare) };
        // No padding at the end of a line.
        if content.is_empty() {
            owed += width + GAP;
            continue;
        }
        owed += before;
        let _ = write!(text, "{:owed$}{style}{content}{style:#}", "");
        owed = after + GAP;
    }
    text.push('\n');
    text
}

fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.width().unwrap_or(0)) else { break };
        room = left;
        kept.push(c);
    }
    Cow::Owned(format!("{}…", kept.trim_end()))
}

/// Formats names and values, one pair a line, values aligned.
pub(crate) fn fields(fields: &[(&str, Cell)]) -> String {
    pairs(fields.iter().map(|(name, cell)| (*name, cell)))
}

/// As [`fields`], for borrowed cells.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a Cell)>) -> String {
    // A name may come from the network as its value does.
    let pairs: Vec<_> = pairs.into_iter().map(|(name, cell)| (clean(name), cell)).collect();
    let widest = pairs.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, Cell { text: value, style }) in pairs {
        let pad = widest - name.width() + GAP;
        let _ = writeln!(text, "{FAINT}{name}{FAINT:#}{:pad$}{style}{value}{style:#}", "");
    }
    text
}

fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout())
        .map_or(UNBOUNDED, |(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = [&'static str; 2];

    const DEVICES: [Row; 2] = [["agent-01", "active"], ["東京", "revoked\u{1b}[2J"]];

    fn devices() -> Table<'static, Row> {
        Table::new().column("DEVICE", |row: &Row| cell(row[0])).column("STATE", |row| cell(row[1]))
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_align_by_what_is_seen() {
        let text = render(&devices().columns, &DEVICES, 80);
        assert_eq!(plain(&text), "DEVICE    STATE\nagent-01  active\n東京      revoked[2J\n");
    }

    #[test]
    fn what_does_not_fit_stays_whole() {
        let text = render(&devices().columns, &DEVICES, 10);
        assert_eq!(
            plain(&text),
            "DEVICE  agent-01\nSTATE   active\n\nDEVICE  東京\nSTATE   revoked[2J\n"
        );
    }

    #[test]
    fn no_rows_no_lines_but_headings() {
        assert_eq!(plain(&render(&devices().columns, &[], 80)), "DEVICE  STATE\n");
    }

    #[test]
    fn columns_make_room_in_turn() {
        let table = Table::<[&str; 4]>::new()
            .column("ID", |row| cell(row[0]))
            .number("PRICE", |row| cell(row[1]))
            .text("TITLE", |row| cell(row[2]))
            .optional("WHEN", |row| cell(row[3]));
        let rows = [["a1", "5.00", "Sentiment of a text", "2026-03-01"], ["b2", "15.00", "", ""]];
        let at = |width| plain(&render(&table.columns, &rows, width));
        assert_eq!(
            at(42),
            "ID  PRICE  TITLE                WHEN\n\
             a1   5.00  Sentiment of a text  2026-03-01\n\
             b2  15.00\n"
        );
        assert_eq!(at(41).lines().nth(1), Some("a1   5.00  Sentiment of a text"));
        assert_eq!(at(24).lines().nth(1), Some("a1   5.00  Sentiment of…"));
        assert_eq!(at(22).lines().next(), Some("ID     a1"));
        assert!(!at(22).contains("WHEN   \n"), "what is not there is not named");
    }

    #[test]
    fn wide_text_is_shortened_by_what_is_seen() {
        assert_eq!(shortened("東京都庁", 8), "東京都庁");
        assert_eq!(shortened("東京都庁", 6), "東京…");
    }
}
