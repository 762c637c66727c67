//! Plans and what they allow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plan of an organisation, which limits how many devices may be active at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Allows 3 active devices.
    Free,
    /// Allows 25 active devices.
    Pro,
    /// Allows 250 active devices.
    Scale,
    /// Allows 1,000 active devices.
    Max,
}

impl Plan {
    /// Returns the number of devices that may be active at once.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Free => 3,
            Self::Pro => 25,
            Self::Scale => 250,
            Self::Max => 1000,
        }
    }
}
