//! A reply's fields, read so that there is only one way to understand them.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object in which no field is named twice. Readers differ in which of two they believe.
pub(crate) struct UniqueFields {
    pub(crate) fields: Map<String, Value>,
    /// Whether the text itself says `"allowed": true` and `"code": "ALLOW"`. The values alone do
    /// not tell: with some features of `serde_json` that any crate may turn on, an object can come
    /// out as what it holds.
    pub(crate) says_allow: bool,
}

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueFields, A::Error> {
                let mut fields = Map::new();
                let (mut allowed, mut allow) = (false, false);
                while let Some((name, Field { value, is_simple })) =
                    access.next_entry::<String, _>()?
                {
                    match name.as_str() {
                        "allowed" => allowed = is_simple && value == true,
                        "code" => allow = is_simple && value == "ALLOW",
                        _ => {}
                    }
                    if fields.insert(name, value).is_some() {
                        return Err(Error::custom("a field is named twice"));
                    }
                }
                Ok(UniqueFields { fields, says_allow: allowed && allow })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// A value, and whether the text has it as it is: no object or array that was made into it.
struct Field {
    value: Value,
    is_simple: bool,
}

impl Field {
    fn simple(value: impl Into<Value>) -> Self {
        Self { value: value.into(), is_simple: true }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::simple(()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Field, E> {
                Ok(Field::simple(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Field, E> {
                Ok(Field::simple(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Field, E> {
                Ok(Field::simple(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Field, E> {
                Ok(Field::simple(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Field, E> {
                Ok(Field::simple(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Field, A::Error> {
                let value = Value::deserialize(SeqAccessDeserializer::new(access))?;
                Ok(Field { value, is_simple: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Field, A::Error> {
                let value = Value::deserialize(MapAccessDeserializer::new(access))?;
                Ok(Field { value, is_simple: false })
            }
        }

        deserializer.deserialize_any(Any)
    }
}
