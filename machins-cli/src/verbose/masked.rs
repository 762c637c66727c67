//! Secrets in what is shown of requests and replies, replaced whatever client sent them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is shown in place of a secret.
const REDACTED: &str = "[REDACTED]";
/// A part of the name of a header or field whose value is a secret.
const SECRET: [&str; 9] = [
    "authorization",
    "claim_url",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "password",
    "secret",
    "token",
];
/// The beginnings of keys and tokens, and what the path of a claim token follows.
const PREFIXES: [&str; 3] = ["org_", "at_", "eyJ"];
const CLAIM: &str = "/claim/";
/// The fewest characters of a key after its prefix.
const SHORTEST: usize = 12;
/// How deep JSON may be nested to be shown.
const MAX_DEPTH: usize = 64;

/// Returns the value of a header that may be shown.
pub(super) fn header(name: &str, value: &str) -> String {
    if is_secret(name) { REDACTED.to_owned() } else { text(value) }
}

/// Replaces what looks like a key or a token in a text.
pub(super) fn text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        masked.push_str(&rest[..start]);
        rest = &rest[start..];
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let prefix = PREFIXES.into_iter().find(|prefix| word.starts_with(prefix));
        let is_key = prefix.is_some_and(|prefix| {
            let rest = &word[prefix.len()..];
            rest.len() >= SHORTEST && rest.contains(|c: char| c.is_ascii_digit())
        });
        if is_key || masked.ends_with(CLAIM) {
            masked.push_str(REDACTED);
        } else {
            masked.push_str(word);
        }
        rest = &rest[word.len()..];
    }
    masked + rest
}

/// Replaces the secrets in a JSON text, which becomes compact. `None` if it is not JSON.
pub(super) fn json(text: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let mut masked = String::with_capacity(text.len());
    write(value, MAX_DEPTH, &mut masked);
    Some(masked)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// Writes a value, numbers as they are: no type keeps them all.
fn write(value: &RawValue, depth: usize, masked: &mut String) {
    let json = value.get();
    if json.starts_with(['{', '[']) && depth == 0 {
        masked.push_str("\"…\"");
    } else if json.starts_with('{') {
        let Fields(fields) = serde_json::from_str(json).unwrap_or_default();
        masked.push('{');
        for (at, (name, value)) in fields.into_iter().enumerate() {
            if at > 0 {
                masked.push(',');
            }
            masked.push_str(&serde_json::Value::from(&*name).to_string());
            masked.push(':');
            // A number, `null` or a boolean is no secret.
            if is_secret(&name) && value.get().starts_with(['"', '{', '[']) {
                masked.extend(["\"", REDACTED, "\""]);
            } else {
                write(value, depth - 1, masked);
            }
        }
        masked.push('}');
    } else if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        masked.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                masked.push(',');
            }
            write(item, depth - 1, masked);
        }
        masked.push(']');
    } else {
        masked.push_str(&text(json));
    }
}

/// The fields of an object in their order, those that are given twice too.
#[derive(Default)]
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::key("the key org_0123456789abcdef is", "the key [REDACTED] is")]
    #[case::token("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x-y", "Bearer [REDACTED]")]
    #[case::claim("https://machins.co/claim/abc?x=1", "https://machins.co/claim/[REDACTED]?x=1")]
    #[case::code("org_not_found at_cap created_at", "org_not_found at_cap created_at")]
    #[case::not_ascii("é org_0123456789abcdef é", "é [REDACTED] é")]
    fn keys_in_a_text_are_masked(#[case] given: &str, #[case] masked: &str) {
        assert_eq!(text(given), masked);
    }

    #[rstest]
    #[case::field(r#"{ "password" : "x", "n": 1.50 }"#, r#"{"password":"[REDACTED]","n":1.50}"#)]
    #[case::object(r#"[{"credentials": {"a": 1}}]"#, r#"[{"credentials":"[REDACTED]"}]"#)]
    #[case::upper_case(r#"{"apiKey":["x"]}"#, r#"{"apiKey":"[REDACTED]"}"#)]
    #[case::number(r#"{"max_tokens":5,"token":null}"#, r#"{"max_tokens":5,"token":null}"#)]
    #[case::twice(r#"{"a":1,"a":"org_0123456789abcdef"}"#, r#"{"a":1,"a":"[REDACTED]"}"#)]
    fn secret_fields_are_masked(#[case] given: &str, #[case] masked: &str) {
        assert_eq!(json(given).unwrap(), masked);
    }

    #[test]
    fn deep_json_is_cut_off() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(json(&deep).is_none_or(|masked| masked.len() < 1000));
    }
}
