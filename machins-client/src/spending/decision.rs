//! What a spending policy decides.

use std::fmt;

use agent_client_core::{Error, ErrorKind};

use crate::model::money::Money;

/// The answer of a [`SpendingPolicy`](crate::SpendingPolicy) about one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyDecision {
    /// The purchase may be made.
    Allowed,
    /// The purchase must not be made.
    Refused(PolicyRefusal),
    /// The purchase may be made only if a person approves it.
    NeedsApproval {
        /// The price above which the policy asks for approval.
        above: Money,
    },
}

/// A rule of a [`SpendingPolicy`](crate::SpendingPolicy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyRule {
    /// The rule that nothing is bought at all.
    ReadOnly,
    /// The limit on the price of one purchase.
    MaxPerTrade,
    /// The limit on what is spent in one day, in UTC.
    MaxPerDay,
    /// The limit on what is spent in one calendar month, in UTC.
    MaxPerMonth,
    /// The limit on what is proposed or held in escrow at once.
    MaxInEscrow,
    /// The limit on what one seller is paid in one calendar month, in UTC.
    MaxPerSeller,
    /// The limit on what is spent on one type of listing in one calendar month, in UTC.
    MaxPerType,
    /// The sellers that are allowed.
    AllowSellers,
    /// The sellers that are not allowed.
    DenySellers,
    /// The tags of which a listing must have one.
    AllowTags,
    /// The tags of which a listing must have none.
    DenyTags,
    /// The reputation that a seller must have.
    MinReputation,
    /// The verification that a delivery needs before it is confirmed.
    RequireVerified,
    /// The price above which a person must approve.
    ApprovalAbove,
}

impl PolicyRule {
    /// Returns the name of the rule in the config file, such as `max_per_day`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::MaxPerTrade => "max_per_trade",
            Self::MaxPerDay => "max_per_day",
            Self::MaxPerMonth => "max_per_month",
            Self::MaxInEscrow => "max_in_escrow",
            Self::MaxPerSeller => "max_per_seller",
            Self::MaxPerType => "max_per_type",
            Self::AllowSellers => "allow_sellers",
            Self::DenySellers => "deny_sellers",
            Self::AllowTags => "allow_tags",
            Self::DenyTags => "deny_tags",
            Self::MinReputation => "min_reputation",
            Self::RequireVerified => "require_verified",
            Self::ApprovalAbove => "approval_above",
        }
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a [`SpendingPolicy`](crate::SpendingPolicy) refuses a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRefusal {
    pub(crate) rule: PolicyRule,
    pub(crate) remaining: Option<Money>,
    pub(crate) why: String,
}

impl PolicyRefusal {
    /// Returns the rule that refuses the purchase. If several do, it is the first of them.
    #[must_use]
    pub fn rule(&self) -> PolicyRule {
        self.rule
    }

    /// Returns the amount that the rule still allows, or `None` if it is no limit on an amount.
    #[must_use]
    pub fn remaining(&self) -> Option<Money> {
        self.remaining
    }
}

impl fmt::Display for PolicyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the spending policy refuses it ({}): {}", self.rule, self.why)
    }
}

impl From<PolicyRefusal> for Error {
    fn from(refusal: PolicyRefusal) -> Self {
        Self::new(ErrorKind::Policy, refusal.to_string())
    }
}

/// What a limit of a [`SpendingPolicy`](crate::SpendingPolicy) leaves to be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The rule that sets the limit.
    pub rule: PolicyRule,
    /// The limit in credits.
    pub limit: Money,
    /// The credits that count towards it now.
    pub used: Money,
    /// The credits that it still allows.
    pub remaining: Money,
}
