//! JSON that is safe to show on a terminal: characters that could control it are escaped.

use std::fmt::Write;

use serde::Serialize;

use crate::error::Failure;
use crate::text::is_printable;

/// Formats a document on one line.
pub(crate) fn line<T: Serialize>(document: &T) -> Result<String, Failure> {
    escaped(serde_json::to_string(document))
}

/// Formats a document over several lines, indented.
pub(crate) fn indented<T: Serialize>(document: &T) -> Result<String, Failure> {
    escaped(serde_json::to_string_pretty(document))
}

fn escaped(json: serde_json::Result<String>) -> Result<String, Failure> {
    json.map(|json| escape(&json)).map_err(|error| Failure::local("could not write JSON", error))
}

/// Escapes what `serde_json` leaves as it is. Outside of strings JSON text has no such character
/// but the line breaks of its layout, so every other one can be written as `\u…`.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) || c == '\n' {
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
    fn text_survives_and_steers_nothing() {
        let document = json!({"title": "a\u{9b}31m\u{202e}b\u{e0041}\u{1b}\n\"c\" 東京"});
        for text in [line(&document).unwrap(), indented(&document).unwrap()] {
            assert!(text.chars().all(|c| is_printable(c) || c == '\n'), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
        }
    }
}
