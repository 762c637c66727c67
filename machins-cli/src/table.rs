//! Rows and columns that fit the terminal.

use std::fmt::Write;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use crate::output::{FAINT, STRONG};
use crate::text::clean;

const GAP: usize = 2;
/// As wide as a line may be where there is no terminal to ask.
const UNBOUNDED: usize = usize::MAX;

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

/// Rows under headings; where the columns don't fit, one block of lines for each row, so that an
/// id always stays whole and can be copied.
pub(crate) fn table(headings: &[&str], rows: &[Vec<Cell>]) -> String {
    render(headings, rows, terminal_width())
}

fn render(headings: &[&str], rows: &[Vec<Cell>], available: usize) -> String {
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.width())
                .fold(heading.width(), usize::max)
        })
        .collect();
    let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    if total > available {
        return rows
            .iter()
            .map(|row| pairs(headings.iter().copied().zip(row)))
            .collect::<Vec<_>>()
            .join("\n");
    }
    let heading_row: Vec<Cell> = headings.iter().map(|heading| styled(heading, STRONG)).collect();
    std::iter::once(&heading_row).chain(rows).map(|row| line(row, &widths)).collect()
}

fn line(row: &[Cell], widths: &[usize]) -> String {
    let mut text = String::new();
    let mut owed = 0;
    for (Cell { text: content, style }, width) in row.iter().zip(widths) {
        // Nothing is padded at a line's end.
        if !content.is_empty() {
            let _ = write!(text, "{:owed$}{style}{content}{style:#}", "");
            owed = 0;
        }
        owed += width - content.width() + GAP;
    }
    text.push('\n');
    text
}

/// Lines of names and values, values aligned.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a Cell)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
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

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_align_by_what_is_seen() {
        let text = render(&["DEVICE", "STATE"], &rows(), 80);
        assert_eq!(plain(&text), "DEVICE    STATE\nagent-01  active\n東京      revoked[2J\n");
    }

    #[test]
    fn what_does_not_fit_stays_whole() {
        let text = render(&["DEVICE", "STATE"], &rows(), 10);
        assert_eq!(
            plain(&text),
            "DEVICE  agent-01\nSTATE   active\n\nDEVICE  東京\nSTATE   revoked[2J\n"
        );
    }

    #[test]
    fn no_rows_no_lines_but_headings() {
        assert_eq!(plain(&render(&["A"], &[], 80)), "A\n");
    }
}
