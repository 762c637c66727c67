//! JSON of any shape, kept as it was written.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use memchr::memchr;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind};
use crate::plain_value::PlainValue;

/// How deeply `serde_json` reads nested arrays and objects.
const MAX_DEPTH: usize = 127;

/// A JSON document of any shape.
///
/// The text is kept as it was written, except for white space between its parts, so that numbers of
/// any length survive: they are sent and serialized with the same digits. Two documents are equal if
/// they hold the same values, in whatever order their fields stand.
///
/// It dereferences to a [`Value`] for reading. There a number with more digits than a `f64` keeps is
/// rounded, and a document with a number beyond the range of a `f64` is `null`; [`as_json`](Self::as_json)
/// and [`to`](Self::to) have the digits.
///
/// `Debug` shows only the names of an object's fields, because a value may be a token.
///
/// ```
/// use agent_client_core::Document;
///
/// let document: Document = r#"{"token": "hush", "id": 1234567890123456789012345}"#.parse()?;
/// assert_eq!(document["token"], "hush");
/// assert_eq!(document.as_json(), r#"{"token":"hush","id":1234567890123456789012345}"#);
/// assert!(!format!("{document:?}").contains("hush"));
/// # Ok::<(), agent_client_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Document {
    text: Box<RawValue>,
    /// Boxed, because most documents are never read as a value.
    value: OnceLock<Box<Value>>,
}

impl Document {
    /// Creates a document from a value that serializes to JSON.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the value cannot be serialized, for example because it
    /// has a map whose keys are not strings.
    pub fn new(value: &impl Serialize) -> Result<Self, Error> {
        serde_json::to_string(value).map_err(|error| invalid(&error))?.parse()
    }

    /// Returns the text, without white space between its parts.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.text.get()
    }

    /// Reads the document as a type.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the document has another shape than the type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.as_json()).map_err(|error| invalid(&error))
    }

    /// Returns the document's text if it is a string, or `None` if it is anything else.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        let text = self.as_json().strip_prefix('"')?.strip_suffix('"')?;
        if memchr(b'\\', text.as_bytes()).is_some() { (**self).as_str() } else { Some(text) }
    }

    /// Returns a field of the object with all its digits, or `None` if this is no object or has no such
    /// field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Document> {
        self.get(name)?;
        self.to::<BTreeMap<String, Document>>().ok()?.remove(name)
    }

    pub(crate) fn from_parts(parts: &impl Serialize) -> Self {
        // These always serialize: their keys are strings, and their numbers are finite.
        let text = serde_json::value::to_raw_value(parts).unwrap_or_default();
        Self { text, value: OnceLock::new() }
    }

    fn from_raw(text: Box<RawValue>) -> Result<Self, serde_json::Error> {
        let has_parts = text.get().starts_with(['[', '{']);
        let text = if has_parts { RawValue::from_string(compact(text.get())?)? } else { text };
        Ok(Self { text, value: OnceLock::new() })
    }
}

fn invalid(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("not the expected JSON: {error}"))
}

/// Removes the white space between the parts of a valid document.
fn compact(json: &str) -> Result<String, serde_json::Error> {
    let mut compact = String::with_capacity(json.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            ' ' | '\t' | '\r' | '\n' => continue,
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(serde_json::Error::custom("nested too deeply"));
        }
        compact.push(c);
    }
    Ok(compact)
}

impl Deref for Document {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value.get_or_init(|| {
            let value = serde_json::from_str(self.as_json());
            Box::new(value.map_or(Value::Null, |PlainValue(value)| value))
        })
    }
}

/// `null`.
impl Default for Document {
    fn default() -> Self {
        Self { text: RawValue::NULL.to_owned(), value: OnceLock::new() }
    }
}

impl std::str::FromStr for Document {
    type Err = Error;

    /// Reads a document from JSON text.
    fn from_str(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| invalid(&error))
    }
}

impl<T: Into<Value>> From<T> for Document {
    fn from(value: T) -> Self {
        Self::from_parts(&value.into())
    }
}

/// An array.
impl<T: Into<Document>> FromIterator<T> for Document {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<Document> = items.into_iter().map(Into::into).collect();
        Self::from_parts(&items)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.as_json(), other.as_json());
        one == other
            || match (one.as_bytes().first(), other.as_bytes().first()) {
                (Some(b'{'), Some(b'{')) => same::<BTreeMap<String, Document>>(one, other),
                (Some(b'['), Some(b'[')) => same::<Vec<Document>>(one, other),
                (Some(b'"'), Some(b'"')) => same::<String>(one, other),
                // Longer numbers may differ in digits that a `f64` does not keep.
                _ => one.len().max(other.len()) <= 17 && same::<Value>(one, other),
            }
    }
}

impl Eq for Document {}

/// Whether two texts can be read as the same value.
fn same<T: DeserializeOwned + PartialEq>(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<T>(text).ok();
    read(one).is_some_and(|one| read(other).is_some_and(|other| one == other))
}

impl PartialEq<Value> for Document {
    fn eq(&self, value: &Value) -> bool {
        **self == *value
    }
}

impl PartialEq<str> for Document {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == Some(text)
    }
}

impl PartialEq<&str> for Document {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

/// Writes the JSON text.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_json())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &**self {
            Value::Null => f.write_str("null"),
            Value::Object(fields) => f.debug_set().entries(fields.keys()).finish(),
            _ => f.write_str("[…]"),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DocumentVisitor;

        impl<'de> Visitor<'de> for DocumentVisitor {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, text: A) -> Result<Document, A::Error> {
                let text = Box::deserialize(MapAccessDeserializer::new(text))?;
                Document::from_raw(text).map_err(A::Error::custom)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Document, D::Error> {
                Value::deserialize(deserializer).map(Document::from)
            }
        }

        // The name by which `RawValue` asks `serde_json` for the text. Asked for by `RawValue` itself,
        // the buffer that serde reads untagged and flattened types from would refuse; here it gives
        // the value.
        deserializer.deserialize_newtype_struct("$serde_json::private::RawValue", DocumentVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn every_number_keeps_its_digits(
            double in any::<f64>().prop_filter("JSON has no other", |double| double.is_finite()),
            integer in "-?[1-9][0-9]{0,40}",
            decimal in "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,30}(e-?[0-9]{1,2})?",
        ) {
            let text = format!("[{double:e},{integer},{decimal},{{\"n\":{integer}}}]");
            let document: Document = text.parse().unwrap();
            prop_assert_eq!(&serde_json::to_string(&document).unwrap(), &text);
            prop_assert_eq!(document[0].as_f64(), Some(double));
        }

        #[test]
        fn strings_keep_their_white_space(text in "[ \t\n\\\\\"{}a]{0,20}") {
            let value = json!({&text: [text]});
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let document: Document = pretty.parse().unwrap();
            prop_assert_eq!(document.as_json(), value.to_string());
            prop_assert_eq!(document, value);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Document>();
        }
    }

    #[rstest]
    #[case::shallow(MAX_DEPTH, true)]
    #[case::too_deep(MAX_DEPTH + 1, false)]
    #[case::hostile(1_000_000, false)]
    fn nesting_has_a_limit(#[case] depth: usize, #[case] is_read: bool) {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        let document = text.parse::<Document>();
        assert_eq!(document.is_ok(), is_read);
        assert!(document.is_ok_and(|document| document.is_array()) == is_read);
    }

    #[rstest]
    #[case::empty("")]
    #[case::cut_off("[1")]
    #[case::two_documents("1 2")]
    #[case::bare_word("nul")]
    fn other_text_is_an_error(#[case] text: &str) {
        assert_eq!(text.parse::<Document>().unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[rstest]
    #[case::order_of_fields(r#"{"a":1,"b":[2]}"#, r#"{"b":[2],"a":1}"#, true)]
    #[case::escapes(r#"["\u0041"]"#, r#"["A"]"#, true)]
    #[case::notation("[1e2]", "[100.0]", true)]
    #[case::missing_field(r#"{"a":1,"b":2}"#, r#"{"a":1}"#, false)]
    #[case::last_digit("12345678901234567890123", "12345678901234567890124", false)]
    #[case::type_of_value("1", r#""1""#, false)]
    fn documents_with_the_same_values_are_equal(
        #[case] one: &str,
        #[case] other: &str,
        #[case] equal: bool,
    ) {
        assert_eq!(one.parse::<Document>().unwrap() == other.parse::<Document>().unwrap(), equal);
    }

    #[rstest]
    #[case::plain(r#""a é""#, Some("a é"))]
    #[case::empty(r#""""#, Some(""))]
    #[case::escapes(r#""\u0041\"\\""#, Some("A\"\\"))]
    #[case::half_a_character(r#""\ud800""#, None)]
    #[case::number("1", None)]
    #[case::array(r#"["a"]"#, None)]
    fn the_text_of_a_string_is_read(#[case] json: &str, #[case] expected: Option<&str>) {
        assert_eq!(json.parse::<Document>().unwrap().as_str(), expected);
    }

    #[test]
    fn a_number_beyond_a_double_is_kept() {
        let document: Document = "[1e999]".parse().unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), "[1e999]");
        assert!(document.is_null());
    }

    #[rstest]
    fn a_name_of_serde_json_is_an_ordinary_name(
        #[values("$serde_json::private::RawValue", "$serde_json::private::Number")] name: &str,
    ) {
        let text = format!(r#"{{"{name}":"\"text\""}}"#);
        let document: Document = text.parse().unwrap();
        assert!(document.is_object());
        assert_eq!(document[name], "\"text\"");
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }

    #[test]
    fn untagged_and_tagged_types_read_it() {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Untagged {
            Number(u8),
            Document(Document),
        }
        #[derive(Deserialize)]
        #[serde(tag = "type")]
        enum Tagged {
            A { document: Document },
        }
        let untagged = serde_json::from_str(r#"{"a":1.5}"#).unwrap();
        assert!(matches!(untagged, Untagged::Document(document) if document["a"] == 1.5));
        assert!(matches!(serde_json::from_str("7").unwrap(), Untagged::Number(7)));
        let Tagged::A { document } =
            serde_json::from_str(r#"{"document":{"a":"b"},"type":"A"}"#).unwrap();
        assert_eq!(document, json!({"a": "b"}));
        assert_eq!(serde_json::to_value(&document).unwrap(), json!({"a": "b"}));
    }
}
