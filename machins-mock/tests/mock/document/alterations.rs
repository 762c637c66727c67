//! Replies that were altered on purpose: a comparison names each alteration, field by field.

use machins_mock::{Difference, DifferenceKind};
use serde_json::{Value, json};

/// Alters a reply in one place at a time, and returns the alterations that are not named.
pub(super) fn unnoticed(
    status: u16,
    reply: &Value,
    compare: impl Fn(u16, &Value) -> Vec<Difference>,
) -> Vec<String> {
    let mut unnoticed = Vec::new();
    for other in [200, 201, 202, 302, 400, 401, 403, 404, 409, 418, 422, 429, 500] {
        if other != status && compare(other, reply).is_empty() {
            unnoticed.push(format!("with status {other}"));
        }
    }
    for pointer in pointers(reply) {
        let field = field(&pointer);
        for (what, altered) in alterations(reply, &pointer) {
            let is_named = compare(status, &altered).iter().any(|difference| {
                difference.field == field
                    || (difference.kind == DifferenceKind::Unknown
                        && difference.field == join(&field, "surprise"))
            });
            if !is_named {
                unnoticed.push(format!("{field} {what}"));
            }
        }
    }
    unnoticed
}

/// The JSON pointers of all values in a value; of a list only the first entry.
fn pointers(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().take(1).map(|item| ("0".to_owned(), item)).collect(),
        _ => Vec::new(),
    };
    for (name, inner) in inner {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        all.extend(pointers(inner).into_iter().map(|rest| format!("{pointer}{rest}")));
        all.push(pointer);
    }
    all
}

fn field(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |field, name| match name {
        "0" => format!("{field}[]"),
        name => join(&field, name),
    })
}

fn join(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

fn alterations(reply: &Value, pointer: &str) -> Vec<(&'static str, Value)> {
    let with = |value: Value| {
        let mut altered = reply.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        altered
    };
    let value = reply.pointer(pointer).unwrap();
    let mut all = match value {
        Value::Null => vec![("is a list", with(json!([1])))],
        Value::Bool(given) => vec![("is a string", with(given.to_string().into()))],
        Value::Number(number) => vec![("is a string", with(number.to_string().into()))],
        Value::String(_) => vec![("is a number", with(json!(7)))],
        Value::Array(_) => vec![("is an object", with(json!({})))],
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("surprise".into(), true.into());
            vec![("is a list", with(json!([]))), ("has one field more", with(more.into()))]
        }
    };
    if !value.is_null() {
        all.push(("is null", with(Value::Null)));
    }
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if name != "0" {
        let mut altered = reply.clone();
        let parent = altered.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        let value = parent.remove(&name.replace("~1", "/").replace("~0", "~")).unwrap();
        all.push(("is missing", altered.clone()));
        let mut renamed = altered;
        let pointer = pointer.rsplit_once('/').unwrap().0;
        renamed.pointer_mut(pointer).unwrap()["renamed"] = value;
        all.push(("has another name", renamed));
    }
    all
}

/// Fields whose content callers choose, or which depends on what happened.
const FREE: [&str; 8] = [
    "input_schema",
    "output_schema",
    "metadata",
    "payload",
    "error.details",
    "filters",
    "trades_by_type",
    "results is missing",
];

/// Whether the reply is possible after the alteration, too: in another state of the world, or
/// because callers choose the content.
pub(super) fn is_possible(what: &str) -> bool {
    what.ends_with(" is null")
        || what.ends_with("results has another name")
        || FREE.iter().any(|field| what.contains(field))
}
