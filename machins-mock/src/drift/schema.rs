//! Comparing a value with a schema, and naming each place where it does not fit.

use std::collections::HashSet;

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::difference::{Difference, DifferenceKind};
use crate::mask::is_secret_field;
use crate::reading::{given, has_format, has_type, is_within, path_of_field, resolve, takes};

/// How deep a value is compared.
const MAX_DEPTH: usize = 64;

/// The keywords that combine schemas.
const COMBINED: [&str; 3] = ["allOf", "oneOf", "anyOf"];

/// The comparison of one reply with the document.
pub(super) struct Comparison<'a> {
    document: &'a Value,
    route: &'a str,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(document: &'a Value, route: &'a str) -> Self {
        Self { document, route }
    }

    /// Returns all differences between a value and what a schema says, in order. Of the entries of
    /// a list, the first that differs in some way stands for all that do.
    pub(super) fn compare(&self, schema: &Value, value: &Value) -> Vec<Difference> {
        let mut all = self.differences(schema, value, "", MAX_DEPTH);
        let mut seen = HashSet::new();
        all.retain(|difference| {
            seen.insert((difference.field.clone(), difference.kind, difference.expected.clone()))
        });
        all
    }

    /// Compares with the alternative of the schema that differs least.
    fn differences(
        &self,
        schema: &Value,
        value: &Value,
        field: &str,
        depth: usize,
    ) -> Vec<Difference> {
        let Some(depth) = depth.checked_sub(1) else {
            return Vec::new();
        };
        let alternatives = self.flatten(schema);
        let of_type: Vec<_> =
            alternatives.iter().filter(|alternative| is_of_type(alternative, value)).collect();
        if of_type.is_empty() {
            let expected = takes(self.document, schema).unwrap_or_else(|| "another type".into());
            return vec![self.difference(
                field,
                DifferenceKind::Type,
                expected,
                &found(field, value),
            )];
        }
        of_type
            .into_iter()
            .map(|alternative| self.within(alternative, value, field, depth))
            .min_by_key(|differences| differences.iter().map(weight).sum::<usize>())
            .unwrap_or_default()
    }

    /// Compares with one alternative, whose type fits.
    fn within(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        field: &str,
        depth: usize,
    ) -> Vec<Difference> {
        match value {
            Value::Object(object) => self.fields(schema, object, field, depth),
            Value::Array(items) => {
                let field = format!("{field}[]");
                let of = schema.get("items").unwrap_or(&Value::Bool(true));
                items.iter().flat_map(|item| self.differences(of, item, &field, depth)).collect()
            }
            value if is_possible(schema, value) => Vec::new(),
            value => {
                let schema = Value::Object(schema.clone());
                let expected = takes(self.document, &schema).unwrap_or_else(|| schema.to_string());
                vec![self.difference(field, DifferenceKind::Value, expected, &found(field, value))]
            }
        }
    }

    fn fields(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        field: &str,
        depth: usize,
    ) -> Vec<Difference> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_open = match schema.get("additionalProperties") {
            Some(more) => *more != Value::Bool(false),
            None => properties.is_none(),
        };
        let mut all = Vec::new();
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                let expected = properties
                    .and_then(|properties| takes(self.document, properties.get(name)?))
                    .unwrap_or_else(|| "a value".to_owned());
                all.push(self.difference(
                    &path_of_field(field, name),
                    DifferenceKind::Missing,
                    expected,
                    "nothing",
                ));
            }
        }
        for (name, value) in object {
            let field = path_of_field(field, name);
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => all.extend(self.differences(schema, value, &field, depth)),
                None if is_open => {}
                None => {
                    let found = found(&field, value);
                    let expected = "nothing".to_owned();
                    all.push(self.difference(&field, DifferenceKind::Unknown, expected, &found));
                }
            }
        }
        all
    }

    fn difference(
        &self,
        field: &str,
        kind: DifferenceKind,
        expected: String,
        found: &str,
    ) -> Difference {
        let (route, field) = (self.route.to_owned(), field.to_owned());
        Difference { route, field, kind, expected, found: found.to_owned() }
    }

    /// Returns the alternatives that a schema consists of, each without references to others and
    /// without parts.
    fn flatten(&self, schema: &Value) -> Vec<Map<String, Value>> {
        let Value::Object(schema) = resolve(self.document, schema) else {
            return vec![Map::new()];
        };
        let mut base = schema.clone();
        for keyword in COMBINED {
            base.remove(keyword);
        }
        let parts = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
        let mut flat = vec![base];
        for part in parts("allOf").into_iter().flatten() {
            flat = combine(&flat, &self.flatten(part));
        }
        for alternatives in [parts("oneOf"), parts("anyOf")].into_iter().flatten() {
            let alternatives: Vec<_> =
                alternatives.iter().flat_map(|alternative| self.flatten(alternative)).collect();
            flat = combine(&flat, &alternatives);
        }
        flat
    }
}

/// Returns each schema of the first list with each of the second.
fn combine(first: &[Map<String, Value>], second: &[Map<String, Value>]) -> Vec<Map<String, Value>> {
    first.iter().flat_map(|one| second.iter().map(|other| both(one, other))).collect()
}

/// Returns the schema of values that fit both.
fn both(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = one.clone();
    for (keyword, value) in other {
        match (&**keyword, merged.get_mut(keyword), value) {
            ("properties", Some(Value::Object(known)), Value::Object(fields)) => {
                for (name, field) in fields {
                    let both = match known.get(name) {
                        None | Some(Value::Bool(true)) => field.clone(),
                        Some(known) => json!({"allOf": [known, field]}),
                    };
                    known.insert(name.clone(), both);
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(names)) => {
                known.extend(names.iter().cloned());
            }
            ("description", Some(_), _) => {}
            _ => {
                merged.insert(keyword.clone(), value.clone());
            }
        }
    }
    merged
}

/// Returns how much a difference speaks against an alternative. A field that says which alternative
/// is meant, such as a code, says it by its value.
fn weight(difference: &Difference) -> usize {
    if difference.kind == DifferenceKind::Value { 2 } else { 1 }
}

fn is_of_type(schema: &Map<String, Value>, value: &Value) -> bool {
    has_type(schema.get("type"), value).unwrap_or_else(|| match schema.get("const") {
        // A constant says the type, too.
        Some(constant) => std::mem::discriminant(constant) == std::mem::discriminant(value),
        None => schema.get("properties").is_none() || value.is_object(),
    })
}

/// Returns whether a value of the right type is one that the schema knows.
fn is_possible(schema: &Map<String, Value>, value: &Value) -> bool {
    let keyword = |name: &str| schema.get(name);
    let text = |name: &str| keyword(name).and_then(Value::as_str);
    let fits_text = value.as_str().is_none_or(|value| {
        has_format(text("format"), value)
            && text("pattern")
                .and_then(|pattern| Regex::new(pattern).ok())
                .is_none_or(|pattern| pattern.is_match(value))
    });
    keyword("const").is_none_or(|constant| constant == value)
        && keyword("enum").and_then(Value::as_array).is_none_or(|all| all.contains(value))
        && is_within(keyword("minimum"), keyword("maximum"), value)
        && fits_text
}

/// Returns a value in words, with its type.
fn found(field: &str, value: &Value) -> String {
    let text = given(field, value);
    match value {
        _ if is_secret_field(field) => text,
        Value::Number(_) => format!("the number {text}"),
        Value::String(_) => format!("the text {text}"),
        _ => text,
    }
}
