//! The fields of a decision, read so that they have only one meaning.
//!
//! A derived struct cannot replace this visitor. It would have to flatten the fields that are kept
//! but not interpreted, and flattening accepts duplicate fields and reads the values in two passes.
//! And a typed field of an unexpected type would turn a denial into an unreadable reply, which an
//! outage grace retries.

use std::fmt;

use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object without duplicate fields: parsers differ in which of two values they take.
#[derive(Default)]
pub(crate) struct UniqueFields {
    pub(crate) fields: Map<String, Value>,
    /// The value of `allowed` if it is a JSON boolean.
    pub(crate) allowed: Option<bool>,
    /// The value of `code` if it is a JSON string.
    pub(crate) code: Option<String>,
    /// The value of `deviceId` if it is a JSON string.
    pub(crate) device_id: Option<String>,
}

/// A value of the expected type, or any other value.
///
/// A [`Value`] alone does not tell: with the features `raw_value` and `arbitrary_precision` of
/// `serde_json`, which any crate may enable, an object with a certain name becomes the value in it.
#[derive(Deserialize)]
#[serde(untagged, bound(deserialize = "T: DeserializeOwned"))]
enum Typed<T> {
    Expected(T),
    Other(Value),
}

impl<T: Clone + Into<Value>> Typed<T> {
    /// Returns the value as JSON, and stores it in `expected` if it is of the expected type.
    fn into_json(self, expected: &mut Option<T>) -> Value {
        match self {
            Self::Expected(value) => {
                *expected = Some(value.clone());
                value.into()
            }
            Self::Other(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueFields, A::Error> {
                let mut read = UniqueFields::default();
                while let Some(name) = access.next_key::<String>()? {
                    let value = match name.as_str() {
                        "allowed" => access.next_value::<Typed<_>>()?.into_json(&mut read.allowed),
                        "code" => access.next_value::<Typed<_>>()?.into_json(&mut read.code),
                        "deviceId" => {
                            access.next_value::<Typed<_>>()?.into_json(&mut read.device_id)
                        }
                        _ => access.next_value()?,
                    };
                    if read.fields.insert(name, value).is_some() {
                        return Err(Error::custom("a field appears twice"));
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
