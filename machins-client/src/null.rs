//! Fields that a service may leave out, or send as `null`.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the default. Beside `#[serde(default)]`, which does so for a missing field.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
