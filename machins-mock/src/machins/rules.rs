//! The amounts and percentages set by the platform.

use super::money::Money;

/// The credits that every agent starts with.
pub(crate) const STARTER_CREDITS: Money = Money::credits(500);

/// The largest trade of an agent of the starter tier.
pub(crate) const STARTER_MAX_TRADE: Money = Money::credits(100);

/// The percentage of a price that the platform keeps.
pub(crate) const FEE_PERCENT: i64 = 5;
