//! Reading JSON and parameters, and telling the caller what is wrong with them.
//!
//! The words come from the schema of the type that is read: which fields it has, and what each of
//! them takes. The messages of the JSON parser are written for the authors of a program and not for
//! its callers.

mod field_error;
mod keywords;
mod shape;
mod takes;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::field_error::FieldError;
pub(crate) use self::keywords::{has_format, has_type, is_within, path_of_field, resolve};
pub(crate) use self::shape::shape;
pub(crate) use self::takes::{given, takes};

/// The reason why a text cannot be read as JSON of some type.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("the body is not valid JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// Reads a JSON object, and explains in the words of the schema of its type why it cannot be read.
/// Fields that the type does not have are refused or ignored.
pub(crate) fn read_object<T>(json: &[u8], refuse_unknown: bool) -> Result<T, JsonError>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    // serde would take an array for a struct as well.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(JsonError::NotAnObject);
    }
    if refuse_unknown {
        let value = serde_json::from_slice(json).map_err(|error| not_json(&error))?;
        if let Some(error) = shape::<T>().unknown_field(&value) {
            return Err(error.into());
        }
    }
    serde_json::from_slice(json).map_err(|error| explain::<T>(json, &error))
}

/// Explains why an object cannot be read.
fn explain<T>(json: &[u8], error: &serde_json::Error) -> JsonError
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    if !error.is_data() {
        return not_json(error);
    }
    let misfit = serde_json::from_slice(json).ok().and_then(|value| shape::<T>().misfit(&value));
    let own_words = || read_value::<T>(json).err().unwrap_or(JsonError::NotAnObject);
    misfit.map_or_else(own_words, Into::into)
}

/// Reads a value whose own words explain why it cannot be read.
pub(crate) fn read_value<T: DeserializeOwned>(json: &[u8]) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        let error = error.into_inner();
        if !error.is_data() {
            return not_json(&error);
        }
        let message = error.to_string();
        let reason = message.rsplit_once(" at line ").map_or(&*message, |(reason, _)| reason);
        JsonError::Field(FieldError::new(path, reason))
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Reads a value that is written in the form in which it is read, and refuses a field that it does not
/// keep.
pub(crate) fn read_kept<T: DeserializeOwned + Serialize>(json: &[u8]) -> Result<T, JsonError> {
    let value: T = read_value(json)?;
    let given = serde_json::from_slice(json).map_err(|error| not_json(&error))?;
    let kept = serde_json::to_value(&value).map_err(|error| not_json(&error))?;
    match lost_field(&given, &kept, "") {
        Some(error) => Err(error.into()),
        None => Ok(value),
    }
}

/// Finds a field of one value that the other does not have.
fn lost_field(given: &Value, kept: &Value, path: &str) -> Option<FieldError> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match kept.get(name) {
                Some(kept) => lost_field(value, kept, &path),
                // What is null may be left out.
                None if value.is_null() => None,
                None => {
                    Some(FieldError::unknown("field", path, name, kept.keys().map(String::as_str)))
                }
            }
        }),
        (Value::Array(given), Value::Array(kept)) => {
            given.iter().zip(kept).enumerate().find_map(|(index, (given, kept))| {
                lost_field(given, kept, &format!("{path}[{index}]"))
            })
        }
        _ => None,
    }
}

fn not_json(error: &serde_json::Error) -> JsonError {
    JsonError::NotJson { line: error.line(), column: error.column() }
}
