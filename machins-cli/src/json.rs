//! JSON that is safe to show on a terminal: characters that could control it are escaped.

use std::fmt::Write;

use serde::Serialize;

use crate::error::Failure;
use crate::text::is_printable;

/// Formats a document on one line.
pub(crate) fn line<T: Serialize>(document: &T) -> Result<String, Failure> {
    let json = serde_json::to_string(document);
    json.map(|json| escape(&json)).map_err(|error| Failure::local("could not write JSON", error))
}

/// Formats a document over several lines, indented.
pub(crate) fn indented<T: Serialize>(document: &T) -> Result<String, Failure> {
    line(document).map(|json| indent(&json))
}

/// Breaks and indents compact JSON. Works on the text, because numbers in it may be longer than any
/// type keeps.
fn indent(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut previous = ' ';
    for c in json.chars() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if matches!(c, ']' | '}') {
            depth = depth.saturating_sub(1);
            if !matches!(previous, '[' | '{') {
                break_line(&mut text, depth);
            }
        } else {
            if matches!(previous, '[' | '{' | ',') {
                break_line(&mut text, depth);
            } else if previous == ':' {
                text.push(' ');
            }
            in_string = c == '"';
            depth += usize::from(matches!(c, '[' | '{'));
        }
        text.push(c);
        // A quotation mark that ends a string is not followed by a break.
        previous = if in_string { '"' } else { c };
    }
    text
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Escapes what `serde_json` leaves as it is. Outside of strings compact JSON has no such character,
/// so every one can be written as `\u…`.
pub(crate) fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string never fails.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn indented_json_is_laid_out_as_serde_json_does() {
        for document in [
            json!([]),
            json!({"a": {}, "b": [[], 1, "x, [y]: \"{z}\" \\"], "": null, "c": {"d": [{"e": 1}]}}),
            json!("a"),
            json!(1),
        ] {
            let expected = serde_json::to_string_pretty(&document).unwrap();
            assert_eq!(indented(&document).unwrap(), expected);
        }
    }

    #[test]
    fn text_survives_and_steers_nothing() {
        let document = json!({"title": "a\u{9b}31m\u{202e}b\u{e0041}\u{1b}\n\"c\" 東京"});
        for text in [line(&document).unwrap(), indented(&document).unwrap()] {
            assert!(text.chars().all(|c| is_printable(c) || c == '\n'), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
        }
    }
}
