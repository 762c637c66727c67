//! Values of flags that take JSON, with errors that show the place.

use std::path::Path;

use machins_client::{Document, Extra};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::error::Failure;
use crate::input;
use crate::text::clean;

/// How many characters of a wrong line are shown around the place.
const SHOWN: usize = 60;

/// Parses the value of a flag that takes JSON; `-` reads it from stdin, `@FILE` from a file.
pub(crate) fn value(flag: &str, text: &str) -> Result<Document, Failure> {
    parse(flag, &given(flag, text)?, true)
}

/// Parses the value of a flag that takes a JSON object.
pub(crate) fn object(flag: &str, text: &str) -> Result<Extra, Failure> {
    as_object(flag, &value(flag, text)?)
}

/// As [`object`], but an error does not show the text.
pub(crate) fn secret_object(flag: &str, text: &str) -> Result<Extra, Failure> {
    as_object(flag, &parse(flag, &given(flag, text)?, false)?)
}

/// Reads the JSON object in a file that a flag names.
pub(crate) fn file(flag: &str, path: &Path) -> Result<Document, Failure> {
    let text = read(flag, path)?;
    let place = format!("{flag} ({})", path.display());
    as_object(&place, &parse(&place, &text, true)?).map(Document::from)
}

/// The text that a flag gives: itself, or what is in the file or on stdin. No JSON begins with `@`.
pub(crate) fn given(flag: &str, text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        Some(path) => read(flag, Path::new(path)),
        None if text == "-" => Ok(input::without_mark(&input::stdin_text()?).to_owned()),
        None => Ok(text.to_owned()),
    }
}

fn read(flag: &str, path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("{flag}: cannot read {}: {error}", path.display()))
    })?;
    Ok(input::without_mark(&text).to_owned())
}

fn as_object(flag: &str, value: &Document) -> Result<Extra, Failure> {
    value.to().map_err(|_| {
        Failure::usage(format!(
            "{flag} must be a JSON object, like {{\"name\": \"value\"}}, not {}",
            kind(value)
        ))
    })
}

/// Names the type of a JSON value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn parse(flag: &str, text: &str, shown: bool) -> Result<Document, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let failure = Failure::usage(format!("{flag} is not JSON: {error}"));
        if shown { failure.excerpt(pointer(text, error.line(), error.column())) } else { failure }
    })
}

/// Formats the line that is wrong, with a mark under the place.
fn pointer(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes from 1, and reports the last one at the end of the text.
    let mut at = column.saturating_sub(1).min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    let (before, after) = line.split_at(at);
    let (before, after) = (clean(before), clean(after));
    let start = before.char_indices().rev().nth(SHOWN / 2).map_or(0, |(at, _)| at);
    let end = after.char_indices().nth(SHOWN / 2).map_or(after.len(), |(at, _)| at);
    let head = if start > 0 { "…" } else { "" };
    let tail = if end < after.len() { "…" } else { "" };
    let before = format!("{head}{}", &before[start..]);
    format!("{before}{}{tail}\n{:pad$}^", &after[..end], "", pad = before.width())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    fn wrong(text: &str) -> (String, String) {
        let failure = parse("--metadata", text, true).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        (failure.message().to_owned(), failure.lines().unwrap().to_owned())
    }

    #[test]
    fn the_mark_stands_under_the_place() {
        let (message, lines) = wrong(r#"{"a": 1 "b": 2}"#);
        assert_eq!(message, "--metadata is not JSON: expected `,` or `}` at line 1 column 9");
        assert_eq!(lines, "{\"a\": 1 \"b\": 2}\n        ^");
        let (_, lines) = wrong("{\n  \"a\": 1,\n  b\n}");
        assert_eq!(lines, "  b\n  ^");
        let (_, lines) = wrong(r#"{"名前": x}"#);
        assert_eq!(lines, "{\"名前\": x}\n         ^");
        assert_eq!(wrong("").1, "\n^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let long = format!("[{}x{}]", "1, ".repeat(100), ", 2".repeat(100));
        let (_, lines) = wrong(&long);
        let (line, mark) = lines.split_once('\n').unwrap();
        assert!(line.width() < 70 && line.starts_with('…') && line.ends_with('…'), "{lines}");
        assert_eq!(line.chars().nth(mark.chars().count() - 1), Some('x'));
    }

    #[test]
    fn a_secret_is_not_shown_and_nothing_steers_a_terminal() {
        let failure = parse("--credentials", r#"{"token": "hush" x}"#, false).unwrap_err();
        assert!(failure.lines().is_none() && !failure.message().contains("hush"));
        assert!(!wrong("[\"\u{1b}[31m\u{202e}\" x]").1.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn only_objects_are_objects() {
        let failure = object("--metadata", "[1]").unwrap_err();
        assert!(failure.message().contains("not an array"), "{}", failure.message());
        assert!(object("--metadata", r#"{"a": 1}"#).is_ok());
    }
}
