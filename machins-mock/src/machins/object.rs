//! JSON objects of any shape, which are stored as the text that was sent.
//!
//! Their numbers come back digit for digit, and they take no more memory than their text: parsed,
//! `{"":0}` would take sixty times as much.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::raw_json::{depth, outside_strings};

/// A JSON object of any shape, without white space between its parts.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Object(Box<RawValue>);

impl Object {
    /// Returns the object that a value is written as; empty if it is written as something else.
    pub(crate) fn new(value: &impl Serialize) -> Self {
        match to_raw_value(value) {
            Ok(raw) if raw.get().starts_with('{') => Self(raw),
            _ => Self::default(),
        }
    }

    /// Reads an object; `None` if the text is not one.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_str() == "{}"
    }

    /// Returns the fields, each with its own text.
    pub(crate) fn fields(&self) -> BTreeMap<Cow<'_, str>, &RawValue> {
        // The text of an object is valid.
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }

    /// Returns a field's value, parsed; null if there is no such field.
    pub(crate) fn get(&self, name: &str) -> Value {
        let value = self.fields().get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
        value.unwrap_or_default()
    }

    /// Returns how deep objects and lists are nested in each other, this one included.
    pub(crate) fn depth(&self) -> usize {
        depth(self.as_str())
    }
}

/// Returns a JSON text without white space outside of its strings.
fn compact(json: &str) -> Option<String> {
    let mut spaces = 0;
    outside_strings(json, |byte| spaces += usize::from(byte.is_ascii_whitespace()));
    if spaces == 0 {
        return None;
    }
    let mut compact = String::with_capacity(json.len() - spaces);
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if !in_string && character.is_ascii_whitespace() => continue,
            _ => {}
        }
        compact.push(character);
    }
    Some(compact)
}

impl Default for Object {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(D::Error::custom("must be an object"));
        }
        match compact(raw.get()) {
            None => Ok(Self(raw)),
            Some(compact) => RawValue::from_string(compact).map(Self).map_err(D::Error::custom),
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// Leaves out the text, which may hold credentials.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes)", self.as_str().len())
    }
}

impl JsonSchema for Object {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": true})
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::spaces("{ \"a b\" :\n [ 1 , \" \\\" \" ] }", r#"{"a b":[1," \" "]}"#)]
    #[case::numbers(
        r#"{"a":1.0e2,"b":12345678901234567890123456789012345678901234567890}"#,
        r#"{"a":1.0e2,"b":12345678901234567890123456789012345678901234567890}"#
    )]
    #[case::empty("{}", "{}")]
    fn the_text_stays_without_white_space(#[case] sent: &str, #[case] kept: &str) {
        assert_eq!(Object::parse(sent.as_bytes()).unwrap().as_str(), kept);
    }

    #[rstest]
    #[case::flat("{}", 1)]
    #[case::list(r#"{"a":[{}]}"#, 3)]
    #[case::brackets_in_text(r#"{"a":"[[[{\"["}"#, 1)]
    fn depth_counts_objects_and_lists(#[case] json: &str, #[case] depth: usize) {
        assert_eq!(Object::parse(json.as_bytes()).unwrap().depth(), depth);
    }

    #[rstest]
    #[case::list("[]")]
    #[case::text(r#""{}""#)]
    #[case::cut("{")]
    fn anything_else_is_refused(#[case] json: &str) {
        assert_eq!(Object::parse(json.as_bytes()), None);
    }
}
