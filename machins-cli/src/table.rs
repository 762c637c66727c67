//! Rows and columns that fit the terminal.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::{FAINT, STRONG};
use crate::text::clean;

const GAP: usize = 2;
/// As wide as a line may be where there is no terminal to ask.
const UNBOUNDED: usize = usize::MAX;
/// Text that is shortened to less than this says nothing any more.
const SHORTEST: usize = 12;

/// A cell: cleaned text and its colour.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// Text in no colour.
pub(crate) fn cell(text: &str) -> Cell {
    styled(text, Style::new())
}

/// Text in a colour.
pub(crate) fn styled(text: &str, style: Style) -> Cell {
    Cell { text: clean(text).into_owned(), style }
}

/// A column, and what becomes of it where there is not enough room.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    fit: Fit,
    right: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    Shortened,
    Dropped,
}

impl Column {
    /// It always stays whole: what is to be copied.
    pub(crate) const fn whole(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Whole, right: false }
    }

    /// As [`whole`](Self::whole), aligned as numbers are.
    pub(crate) const fn number(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Whole, right: true }
    }

    /// It may be shortened.
    pub(crate) const fn text(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Shortened, right: false }
    }

    /// It is left out where there is no room for it.
    pub(crate) const fn extra(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Dropped, right: false }
    }
}

/// Rows under headings; where the columns don't fit, one block of lines for each row, so that an
/// id always stays whole and can be copied.
pub(crate) fn table(headings: &[&'static str], rows: &[Vec<Cell>]) -> String {
    let columns: Vec<Column> = headings.iter().copied().map(Column::whole).collect();
    render(&columns, rows, terminal_width())
}

/// The same with columns that make room: first some are left out, the last one first, then others
/// shortened.
pub(crate) fn fitted(columns: &[Column], rows: &[Vec<Cell>]) -> String {
    render(columns, rows, terminal_width())
}

fn render(columns: &[Column], rows: &[Vec<Cell>], available: usize) -> String {
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
        && let Some(place) = shown.iter().rposition(|(at, _)| columns[*at].fit == Fit::Dropped)
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
    std::iter::once(&headings).chain(rows).map(|row| line(row, columns, &shown)).collect()
}

fn line(row: &[Cell], columns: &[Column], shown: &[(usize, usize)]) -> String {
    let mut text = String::new();
    let mut owed = 0;
    for &(at, width) in shown {
        let Some(Cell { text: content, style }) = row.get(at) else { continue };
        let content = shortened(content, width);
        let spare = width - content.width();
        let (before, after) = if columns[at].right { (spare, 0) } else { (0, spare) };
        // Nothing is padded at a line's end.
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

/// Lines of names and values that belong together.
pub(crate) fn fields(fields: &[(&str, Cell)]) -> String {
    pairs(fields.iter().map(|(name, cell)| (*name, cell)))
}

/// Lines of names and values, values aligned.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a Cell)>) -> String {
    // A name may be as foreign as its value.
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

    fn rows() -> Vec<Vec<Cell>> {
        vec![vec![cell("agent-01"), cell("active")], vec![cell("東京"), cell("revoked\u{1b}[2J")]]
    }

    fn whole(headings: &[&'static str]) -> Vec<Column> {
        headings.iter().copied().map(Column::whole).collect()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_align_by_what_is_seen() {
        let text = render(&whole(&["DEVICE", "STATE"]), &rows(), 80);
        assert_eq!(plain(&text), "DEVICE    STATE\nagent-01  active\n東京      revoked[2J\n");
    }

    #[test]
    fn what_does_not_fit_stays_whole() {
        let text = render(&whole(&["DEVICE", "STATE"]), &rows(), 10);
        assert_eq!(
            plain(&text),
            "DEVICE  agent-01\nSTATE   active\n\nDEVICE  東京\nSTATE   revoked[2J\n"
        );
    }

    #[test]
    fn no_rows_no_lines_but_headings() {
        assert_eq!(plain(&render(&whole(&["A"]), &[], 80)), "A\n");
    }

    #[test]
    fn columns_make_room_in_turn() {
        let columns = [
            Column::whole("ID"),
            Column::number("PRICE"),
            Column::text("TITLE"),
            Column::extra("WHEN"),
        ];
        let rows = vec![
            vec![cell("a1"), cell("5.00"), cell("Sentiment of a text"), cell("2026-03-01")],
            vec![cell("b2"), cell("15.00"), cell(""), cell("")],
        ];
        let at = |width| plain(&render(&columns, &rows, width));
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
