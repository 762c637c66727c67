//! What a field or a parameter takes, in words.

use serde_json::Value;

use super::keywords::resolve;
use crate::mask::{is_secret_field, mask};
use crate::text::beginning;

/// How much of a value is shown, in bytes.
const SHOWN: usize = 60;

/// Returns what a schema takes, such as `true or false`; `None` if it takes anything.
pub(crate) fn takes(root: &Value, schema: &Value) -> Option<String> {
    let schema = resolve(root, schema);
    if let Some(constant) = schema.get("const") {
        return Some(plain(constant));
    }
    if let Some(all) = schema["enum"].as_array() {
        return Some(one_of(
            &all.iter().filter(|one| !one.is_null()).map(plain).collect::<Vec<_>>(),
        ));
    }
    let alternatives = ["oneOf", "anyOf"].iter().find_map(|name| schema[*name].as_array());
    if let Some(alternatives) = alternatives {
        return of_alternatives(root, schema, alternatives);
    }
    let name = match &schema["type"] {
        Value::String(name) => name.as_str(),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null")?
        }
        _ => return None,
    };
    let words = match name {
        "boolean" => "true or false".to_owned(),
        "integer" => number("a whole number", schema),
        "number" => number("a number", schema),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        "null" => "null".to_owned(),
        _ => text(schema),
    };
    Some(words)
}

fn of_alternatives(root: &Value, schema: &Value, alternatives: &[Value]) -> Option<String> {
    let alternatives: Vec<_> = alternatives
        .iter()
        .map(|one| resolve(root, one))
        .filter(|one| one["type"] != "null")
        .collect();
    let constants: Vec<_> =
        alternatives.iter().filter_map(|one| one.get("const")).map(plain).collect();
    if constants.len() == alternatives.len() && !constants.is_empty() {
        return Some(one_of(&constants));
    }
    let is_object =
        schema["type"] == "object" || alternatives.iter().all(|one| one["type"] == "object");
    if is_object {
        let tags = alternatives.iter().filter_map(|one| {
            let mut fields = one["properties"].as_object()?.iter();
            fields.find_map(|(name, field)| Some((name, plain(field.get("const")?))))
        });
        let (names, tags): (Vec<_>, Vec<_>) = tags.unzip();
        return match names.first() {
            Some(name) => Some(format!("an object whose `{name}` is {}", one_of(&tags))),
            None => Some("an object".to_owned()),
        };
    }
    let mut words: Vec<_> = alternatives.iter().filter_map(|one| takes(root, one)).collect();
    words.dedup();
    (!words.is_empty()).then(|| words.join(" or "))
}

fn one_of(words: &[String]) -> String {
    match words {
        [only] => only.clone(),
        _ => format!("one of {}", words.join(", ")),
    }
}

fn number(noun: &str, schema: &Value) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
        (Some(least), None) => format!("{noun} of at least {least}"),
        (None, Some(most)) => format!("{noun} of at most {most}"),
        (None, None) => noun.to_owned(),
    }
}

fn text(schema: &Value) -> String {
    match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("date-time"), _) => "a time such as 2026-01-31T12:00:00Z".to_owned(),
        (Some("uuid"), _) => "a UUID".to_owned(),
        (_, Some(pattern)) => format!("text that matches {pattern}"),
        _ => "text".to_owned(),
    }
}

/// Returns a constant without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Returns the value that was sent in a field, without secrets and cut to a readable length.
pub(crate) fn given(field: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) if is_secret_field(field) => "a text that is not shown".to_owned(),
        Value::Number(_) if is_secret_field(field) => "a number that is not shown".to_owned(),
        value => {
            let text = match value.as_str() {
                Some(text) => Value::from(mask(text)).to_string(),
                None => value.to_string(),
            };
            let cut = beginning(&text, SHOWN).len();
            if cut < text.len() { format!("{}…", &text[..cut]) } else { text }
        }
    }
}
