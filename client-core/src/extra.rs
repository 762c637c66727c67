//! The fields of a reply that its type does not name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};

use crate::document::Document;
use crate::error::Error as ClientError;

/// The fields of a reply that its type does not name.
///
/// It dereferences to a map from field name to value.
/// `Debug` shows only the names, because a value may be a token.
///
/// ```
/// use agent_client_core::Extra;
///
/// let extra: Extra = serde_json::from_str(r#"{"token": "hush"}"#)?;
/// assert_eq!(extra["token"], "hush");
/// assert!(!format!("{extra:?}").contains("hush"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(BTreeMap<String, Document>);

impl Deref for Extra {
    type Target = BTreeMap<String, Document>;

    fn deref(&self) -> &BTreeMap<String, Document> {
        &self.0
    }
}

impl DerefMut for Extra {
    fn deref_mut(&mut self) -> &mut BTreeMap<String, Document> {
        &mut self.0
    }
}

impl Extra {
    /// Removes the field of this name and reads it. Returns `None` if there is no such field, or if it
    /// is `null`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the field has another
    /// shape than the type. It is then not removed.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ClientError> {
        let Some(document) = self.0.get(name) else {
            return Ok(None);
        };
        let value = document.to()?;
        self.0.remove(name);
        Ok(value)
    }
}

impl<N: Into<String>, V: Into<Document>> FromIterator<(N, V)> for Extra {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        // Not `collect`, which is compiled with a sort of its own for each type of iterator.
        let mut extra = Self::default();
        for (name, value) in fields {
            extra.0.insert(name.into(), value.into());
        }
        extra
    }
}

impl From<Extra> for Document {
    fn from(fields: Extra) -> Self {
        Self::from_parts(&fields)
    }
}

impl IntoIterator for Extra {
    type Item = (String, Document);
    type IntoIter = std::collections::btree_map::IntoIter<String, Document>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Extra {
    type Item = (&'a String, &'a Document);
    type IntoIter = std::collections::btree_map::Iter<'a, String, Document>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Implements `Serialize` and `Deserialize` for reply types with a field `extra` of type
/// [`Extra`](crate::Extra), which receives the fields that the type does not name.
///
/// The type derives both with `#[serde(remote = "Self")]` and marks the field with
/// `#[serde(flatten, skip_deserializing)]`. Flattening in both directions would read every value
/// into a buffer that rounds long numbers.
///
/// ```
/// use agent_client_core::{Extra, with_extra};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(remote = "Self")]
/// struct Thing {
///     name: String,
///     #[serde(flatten, skip_deserializing)]
///     extra: Extra,
/// }
/// with_extra!(Thing);
///
/// let json = r#"{"name":"lamp","serial":1234567890123456789012345}"#;
/// let thing: Thing = serde_json::from_str(json)?;
/// assert_eq!(thing.extra["serial"].as_json(), "1234567890123456789012345");
/// assert_eq!(serde_json::to_string(&thing)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! with_extra {
    ($($type:ident $(<$parameter:ident>)?),+ $(,)?) => { $(
        impl$(<$parameter: $crate::__serde::Serialize>)? $crate::__serde::Serialize
            for $type$(<$parameter>)?
        {
            fn serialize<S: $crate::__serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de $(, $parameter: $crate::__serde::Deserialize<'de>)?>
            $crate::__serde::Deserialize<'de> for $type$(<$parameter>)?
        {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let mut extra = $crate::Extra::default();
                let value = Self::deserialize($crate::WithExtra::new(deserializer, &mut extra))?;
                Ok(Self { extra, ..value })
            }
        }
    )+ };
}

/// A deserializer for structs that collects the fields that the struct does not name.
#[doc(hidden)]
pub struct WithExtra<'a, D> {
    deserializer: D,
    extra: &'a mut Extra,
}

impl<'a, D> WithExtra<'a, D> {
    /// Creates a deserializer that puts the fields which the struct does not name into `extra`.
    pub fn new(deserializer: D, extra: &'a mut Extra) -> Self {
        Self { deserializer, extra }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for WithExtra<'_, D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserializer.deserialize_map(Fields {
            inner: visitor,
            names: fields,
            extra: self.extra,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserializer.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The visitor and the map of a struct, with what its deserializer collects.
struct Fields<'a, T> {
    inner: T,
    names: &'static [&'static str],
    extra: &'a mut Extra,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Fields<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Fields { inner: map, names: self.names, extra: self.extra })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.inner.next_key::<String>()? {
            if self.names.contains(&name.as_str()) {
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            if self.extra.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            let value = self.inner.next_value()?;
            self.extra.insert(name, value);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}
