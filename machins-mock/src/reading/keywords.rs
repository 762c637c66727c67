//! The parts of JSON Schema that every comparison of a value with a schema needs.

use serde_json::Value;

use crate::mask::mask;
use crate::text::beginning;

/// How much of a field's name is shown, in bytes.
const MAX_NAME: usize = 100;

/// Follows a reference to a definition of the root.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|name| root.pointer(name.strip_prefix('#')?));
    target.map_or(schema, |target| resolve(root, target))
}

/// Returns whether a value has the type that a schema's keyword `type` states; `None` if it states
/// none.
pub(crate) fn has_type(stated: Option<&Value>, value: &Value) -> Option<bool> {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    match stated? {
        Value::String(name) => Some(is(name)),
        Value::Array(names) => Some(names.iter().filter_map(Value::as_str).any(is)),
        _ => None,
    }
}

/// Returns whether a value is no number, or one between a schema's `minimum` and `maximum`.
pub(crate) fn is_within(minimum: Option<&Value>, maximum: Option<&Value>, value: &Value) -> bool {
    let bound = |keyword: Option<&Value>| keyword.and_then(Value::as_f64);
    value.as_f64().is_none_or(|number| {
        bound(minimum).is_none_or(|least| number >= least)
            && bound(maximum).is_none_or(|most| number <= most)
    })
}

/// Returns whether a text has a schema's `format`, of those that are checked.
pub(crate) fn has_format(format: Option<&str>, text: &str) -> bool {
    match format {
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok(),
        Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
        _ => true,
    }
}

/// Returns the path of a field of an object that is at a path itself. A name that looks like a key
/// is masked.
pub(crate) fn path_of_field(path: &str, name: &str) -> String {
    let name = mask(beginning(name, MAX_NAME));
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}
