//! Plans and what they allow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plan of an org, which limits how many devices may be active at once.
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

    /// Returns what the mock's checkout charges a month, in US dollars. The prices are invented.
    pub(crate) const fn mock_price_usd(self) -> u32 {
        match self {
            Self::Free => 0,
            Self::Pro => 29,
            Self::Scale => 99,
            Self::Max => 299,
        }
    }
}
