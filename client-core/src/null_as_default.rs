//! Fields that a service may send as `null`.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default, for lists and flags of a reply.
///
/// It is for serde's attribute `deserialize_with`. A missing field stays an error, unless the field also
/// has `#[serde(default)]`.
///
/// ```
/// use agent_client_core::null_as_default;
///
/// #[derive(serde::Deserialize)]
/// struct Page {
///     #[serde(deserialize_with = "null_as_default")]
///     items: Vec<u32>,
/// }
///
/// let page: Page = serde_json::from_str(r#"{"items": null}"#)?;
/// assert!(page.items.is_empty());
/// assert!(serde_json::from_str::<Page>("{}").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// Returns the error of the type if the value is neither `null` nor one of the type.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
