//! The fields of a decision, read so that they have only one meaning.
//!
//! A derived struct cannot replace this visitor. It would have to flatten the fields that are kept
//! but not interpreted, and flattening accepts duplicate fields and reads the values in two passes.
//! And a typed field of an unexpected type would turn a denial into an unreadable reply, which an
//! outage grace retries.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The fields that decide whether a device may run.
const DECISIVE: [&str; 7] =
    ["allowed", "code", "deviceId", "device_id", "handler", "request_id", "status"];

/// A JSON object without duplicate fields: parsers differ in which of two values they take.
pub(crate) struct UniqueFields(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueFields, A::Error> {
                let mut fields = Map::new();
                while let Some(name) = access.next_key::<String>()? {
                    let value = if DECISIVE.contains(&name.as_str()) {
                        access.next_value::<Literal>()?.0
                    } else {
                        access.next_value()?
                    };
                    if fields.insert(name, value).is_some() {
                        return Err(Error::custom("a field appears twice"));
                    }
                }
                Ok(UniqueFields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A value that is a string or a boolean only if the JSON text has one in its place.
///
/// A [`Value`] alone does not tell: with the features `raw_value` and `arbitrary_precision` of
/// `serde_json`, which any crate may enable, an object with a certain name becomes the value in it.
struct Literal(Value);

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LiteralVisitor;

        impl<'de> Visitor<'de> for LiteralVisitor {
            type Value = Literal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Literal, E> {
                Ok(Literal(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Literal, E> {
                Ok(Literal(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Literal, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(access)).map(Literal)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Literal, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = access.next_entry()? {
                    object.insert(name, value);
                }
                Ok(Literal(object.into()))
            }
        }

        deserializer.deserialize_any(LiteralVisitor)
    }
}
