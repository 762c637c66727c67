//! Reading JSON into a [`Value`] without the field names that `serde_json` treats as its own.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// A value that is a string or a boolean only if the JSON text has one in its place.
///
/// A [`Value`] alone does not tell: with the features `raw_value` and `arbitrary_precision` of
/// `serde_json`, which any crate may enable, an object with a certain name becomes the value in it.
pub(crate) struct PlainValue(pub(crate) Value);

/// How `serde_json` passes numbers on if `arbitrary_precision` is enabled. An object with this name
/// may become a number, but nothing else.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Deserialize<'de> for PlainValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(PlainValue(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, PlainValue(value))) = access.next_entry::<String, _>()? {
            fields.insert(name, value);
        }
        let number = match fields.get(NUMBER) {
            Some(Value::String(text)) if fields.len() == 1 => text.parse::<Number>().ok(),
            _ => None,
        };
        Ok(number.map_or(Value::Object(fields), Value::Number))
    }
}
