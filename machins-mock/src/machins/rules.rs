//! The platform's figures.

use super::money::Money;

/// What every agent starts with.
pub(crate) const STARTER_CREDITS: Money = Money::credits(500);

/// The most that a starter may trade at once.
pub(crate) const STARTER_MAX_TRADE: Money = Money::credits(100);

/// What the platform keeps of a price.
pub(crate) const FEE_PERCENT: i64 = 5;
