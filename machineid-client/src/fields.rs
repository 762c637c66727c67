//! The fields of a decision, read so that they have only one meaning.
//!
//! A derived struct cannot replace this visitor. It would have to flatten the fields that are kept
//! but not interpreted, and flattening accepts duplicate fields and reads the values in two passes.
//! And a typed field of an unexpected type would turn a denial into an unreadable reply, which an
//! outage grace retries.

use std::fmt;

use agent_client_core::{Document, Extra};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A JSON object without duplicate fields: parsers differ in which of two values they take.
pub(crate) struct UniqueFields(pub(crate) Extra);

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueFields, A::Error> {
                let mut fields = Extra::default();
                while let Some(name) = access.next_key::<String>()? {
                    // A `Document` keeps the text, so that a string is one only if the text has it.
                    if fields.insert(name, access.next_value::<Document>()?).is_some() {
                        return Err(Error::custom("a field appears twice"));
                    }
                }
                Ok(UniqueFields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
