//! Fields that the service may send as `null`.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default. `#[serde(default)]` does the same for a missing field.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
