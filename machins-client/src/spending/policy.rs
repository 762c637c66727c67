//! The limits on what an agent may spend: plain data, and a decision without side effects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use agent_client_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::model::id::AgentId;
use crate::model::listing::ListingType;
use crate::model::money::Money;
use crate::spending::commitment::{Commitment, Purchase, day, sum};
use crate::spending::decision::{LimitStatus, PolicyDecision, PolicyRefusal, PolicyRule};
use crate::spending::policy_json;

/// Limits on what an agent may spend. A policy without any limit allows everything.
///
/// A day and a month are those of the calendar in UTC. A purchase counts on the day on which its
/// credits were held, and a proposal that may be accepted at any moment counts on every day.
///
/// The JSON form is what the command line reads from `policy` in the config file:
///
/// ```
/// use machins_client::{Money, SpendingPolicy};
///
/// let policy = SpendingPolicy::from_json(
///     r#"{"max_per_trade": 50, "max_per_day": "120.50", "allow_sellers": ["ada"]}"#,
/// )?;
/// let same = SpendingPolicy::new()
///     .max_per_trade(Money::credits(50))
///     .max_per_day("120.50".parse()?)
///     .allow_sellers(["ada"]);
/// assert_eq!(policy, same);
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct SpendingPolicy {
    #[serde(deserialize_with = "policy_json::flag", skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    max_per_trade: Option<Money>,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    max_per_day: Option<Money>,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    max_per_month: Option<Money>,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    max_in_escrow: Option<Money>,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    max_per_seller: Option<Money>,
    #[serde(deserialize_with = "policy_json::limits", skip_serializing_if = "BTreeMap::is_empty")]
    max_per_type: BTreeMap<String, Money>,
    #[serde(alias = "allow_seller", deserialize_with = "policy_json::names")]
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_sellers: Option<BTreeSet<String>>,
    #[serde(alias = "deny_seller", deserialize_with = "policy_json::names")]
    #[serde(skip_serializing_if = "Option::is_none")]
    deny_sellers: Option<BTreeSet<String>>,
    #[serde(alias = "allow_tag", deserialize_with = "policy_json::names")]
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_tags: Option<BTreeSet<String>>,
    #[serde(alias = "deny_tag", deserialize_with = "policy_json::names")]
    #[serde(skip_serializing_if = "Option::is_none")]
    deny_tags: Option<BTreeSet<String>>,
    /// In hundredths, as an amount is.
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    min_reputation: Option<Money>,
    #[serde(deserialize_with = "policy_json::flag", skip_serializing_if = "std::ops::Not::not")]
    require_verified: bool,
    #[serde(deserialize_with = "policy_json::limit", skip_serializing_if = "Option::is_none")]
    approval_above: Option<Money>,
}

/// Sets an amount of the policy.
macro_rules! amounts {
    ($($(#[$comment:meta])* $name:ident)+) => {
        $(
            $(#[$comment])*
            pub fn $name(mut self, amount: Money) -> Self {
                self.$name = Some(amount.max(Money::ZERO));
                self
            }
        )+
    };
}

/// Sets names of the policy.
macro_rules! lists {
    ($($(#[$comment:meta])* $name:ident)+) => {
        $(
            $(#[$comment])*
            pub fn $name(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
                let names = names.into_iter().map(Into::<String>::into);
                self.$name = Some(names.map(|name| name.trim().to_owned()).collect());
                self
            }
        )+
    };
}

impl SpendingPolicy {
    /// Creates a policy that limits nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a policy from JSON. An amount is a string or a number, and a list of names may be a
    /// text with commas.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if it is not a JSON object, has an unknown field, or a
    /// value is invalid, such as a negative amount.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let invalid = |why: &dyn std::fmt::Display| {
            Error::new(ErrorKind::InvalidInput, format!("the spending policy is invalid: {why}"))
        };
        // An empty array would be read as a policy without limits.
        if !json.trim_start().starts_with('{') {
            return Err(invalid(&"it is not a JSON object"));
        }
        serde_json::from_str(json).map_err(|error| invalid(&error))
    }

    amounts! {
        /// Sets the highest price of one purchase.
        max_per_trade
        /// Sets the most that may be spent in one day in UTC.
        max_per_day
        /// Sets the most that may be spent in one calendar month in UTC.
        max_per_month
        /// Sets the most that may be proposed or held in escrow at once, bounties included.
        max_in_escrow
        /// Sets the most that each single seller may be paid in one calendar month in UTC.
        max_per_seller
        /// Sets the price above which a person must approve a purchase.
        approval_above
        /// Sets the lowest reputation of a seller, such as `"4.50".parse()?`. A seller without a
        /// reputation is refused.
        min_reputation
    }

    lists! {
        /// Sets the only sellers that may be bought from, by id or slug.
        allow_sellers
        /// Sets the sellers that must not be bought from, by id or slug.
        deny_sellers
        /// Sets tags of which a listing must have at least one. Sellers choose the tags themselves.
        allow_tags
        /// Sets tags of which a listing must have none.
        deny_tags
    }

    /// Sets the most that may be spent on this type of listing in one calendar month in UTC.
    pub fn max_per_type(mut self, listing_type: &ListingType, amount: Money) -> Self {
        self.max_per_type.insert(listing_type.as_str().to_owned(), amount.max(Money::ZERO));
        self
    }

    /// Allows a delivery to be confirmed only if the buyer's verification URL has accepted it.
    pub fn require_verified(mut self) -> Self {
        self.require_verified = true;
        self
    }

    /// Refuses every purchase, and every confirmation of a delivery.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Whether nothing may be bought.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the policy limits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn limits_types(&self) -> bool {
        !self.max_per_type.is_empty()
    }

    /// The sellers that the policy names.
    pub(crate) fn named_sellers(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.allow_sellers, &self.deny_sellers];
        lists.into_iter().flatten().flatten().map(String::as_str)
    }

    /// Decides whether a purchase may be made, given everything that is spent or under way. Nothing
    /// but the arguments counts.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use machins_client::{
    ///     Commitment, ListingType, Money, PolicyDecision, PolicyRule, Purchase, SpendingPolicy,
    /// };
    ///
    /// let policy = SpendingPolicy::new().max_per_day(Money::credits(100));
    /// let purchase = Purchase::new(Money::credits(40), ListingType::Task);
    /// let now = SystemTime::now();
    /// let spent = [Commitment::settled(Money::credits(70), Some(now))];
    /// assert_eq!(policy.decide(&purchase, &[], now), PolicyDecision::Allowed);
    /// let PolicyDecision::Refused(refusal) = policy.decide(&purchase, &spent, now) else { panic!() };
    /// assert_eq!(refusal.rule(), PolicyRule::MaxPerDay);
    /// assert_eq!(refusal.remaining(), Some(Money::credits(30)));
    /// # Ok::<(), machins_client::Error>(())
    /// ```
    #[must_use]
    pub fn decide(
        &self,
        purchase: &Purchase,
        spent: &[Commitment],
        now: SystemTime,
    ) -> PolicyDecision {
        match self.check_listing(purchase) {
            Some(refusal) => PolicyDecision::Refused(refusal),
            None => self.decide_amount(purchase, spent, now),
        }
    }

    /// Decides about the amount of a purchase alone.
    pub(crate) fn decide_amount(
        &self,
        purchase: &Purchase,
        spent: &[Commitment],
        now: SystemTime,
    ) -> PolicyDecision {
        let mut limits = self.limits_for(purchase, spent, now);
        match limits.find_map(|status| exceeded(&status, purchase.amount)) {
            Some(refusal) => PolicyDecision::Refused(refusal),
            None => self.decide_approval(purchase),
        }
    }

    fn decide_approval(&self, purchase: &Purchase) -> PolicyDecision {
        match self.approval_above {
            Some(above) if purchase.amount > above => PolicyDecision::NeedsApproval { above },
            _ => PolicyDecision::Allowed,
        }
    }

    /// Decides whether credits may be held for a request before it has a seller.
    pub(crate) fn decide_bounty(
        &self,
        amount: Money,
        spent: &[Commitment],
        now: SystemTime,
    ) -> PolicyDecision {
        if self.read_only {
            return PolicyDecision::Refused(refusal(PolicyRule::ReadOnly, "nothing may be bought"));
        }
        let mut limits = self.overall_limits(spent, now);
        match limits.find_map(|status| exceeded(&status, amount)) {
            Some(refusal) => PolicyDecision::Refused(refusal),
            None => PolicyDecision::Allowed,
        }
    }

    /// Decides whether a delivery may be confirmed, which pays the seller.
    pub(crate) fn decide_confirmation(
        &self,
        price: Option<Money>,
        is_verified: Option<bool>,
    ) -> PolicyDecision {
        let why = match is_verified {
            Some(true) => None,
            Some(false) => Some("the verification URL did not accept the delivery"),
            None => Some("the delivery was not verified: the trade has no verification URL"),
        };
        let is_too_much = |limit: &Money| price.is_none_or(|price| price > *limit);
        let refused = if self.read_only {
            Some(refusal(PolicyRule::ReadOnly, "nothing may be paid"))
        } else if let (true, Some(why)) = (self.require_verified, why) {
            Some(refusal(PolicyRule::RequireVerified, why))
        } else if let Some(limit) = self.max_per_trade.filter(is_too_much) {
            let costs =
                price.map_or_else(|| "an unknown price".to_owned(), |price| price.to_string());
            let why = format!("the trade costs {costs}, and the limit is {limit}");
            Some(refusal(PolicyRule::MaxPerTrade, why))
        } else {
            None
        };
        refused.map_or(PolicyDecision::Allowed, PolicyDecision::Refused)
    }

    /// Returns what each limit on an amount leaves to be spent by anyone on anything.
    #[must_use]
    pub fn remaining(&self, spent: &[Commitment], now: SystemTime) -> Vec<LimitStatus> {
        self.overall_limits(spent, now).collect()
    }

    /// The rules about the seller and the listing.
    fn check_listing(&self, purchase: &Purchase) -> Option<PolicyRefusal> {
        if self.read_only {
            return Some(refusal(PolicyRule::ReadOnly, "nothing may be bought"));
        }
        let seller = purchase.seller.as_ref().map_or("?", AgentId::as_str);
        let has_slug = purchase.seller_slug.is_some() || purchase.is_unnamed;
        let is_unknown = purchase.seller.is_none() || !has_slug;
        let is_denied =
            |names: &BTreeSet<String>| names.iter().any(|name| purchase.may_be_from(name));
        let is_allowed = |names: &BTreeSet<String>| names.iter().any(|name| purchase.is_from(name));
        // One that is named by its slug cannot be recognised by its id.
        if self.deny_sellers.as_ref().is_some_and(|names| is_unknown || is_denied(names)) {
            let why = if is_unknown {
                "it is not known who sells".to_owned()
            } else {
                format!("seller {seller} is not allowed")
            };
            return Some(refusal(PolicyRule::DenySellers, why));
        }
        if self.allow_sellers.as_ref().is_some_and(|names| !is_allowed(names)) {
            let why = format!("seller {seller} is not one of those allowed");
            return Some(refusal(PolicyRule::AllowSellers, why));
        }
        let has_tag = |names: &BTreeSet<String>| {
            let same = |tag: &String| names.iter().any(|name| is_same_tag(name, tag));
            purchase.tags.iter().any(same)
        };
        if self.deny_tags.as_ref().is_some_and(has_tag) {
            return Some(refusal(
                PolicyRule::DenyTags,
                "the listing has a tag that is not allowed",
            ));
        }
        if self.allow_tags.as_ref().is_some_and(|names| !has_tag(names)) {
            return Some(refusal(
                PolicyRule::AllowTags,
                "the listing has none of the allowed tags",
            ));
        }
        let least = self.min_reputation?;
        let why = match purchase.reputation {
            Some(reputation) if reputation >= least => return None,
            Some(reputation) => format!("the seller's is {reputation}, and {least} is needed"),
            None => format!("the seller's is not known, and {least} is needed"),
        };
        Some(refusal(PolicyRule::MinReputation, why))
    }

    /// The limits that hold whatever is bought.
    fn overall_limits<'a>(
        &'a self,
        spent: &'a [Commitment],
        now: SystemTime,
    ) -> impl Iterator<Item = LimitStatus> + 'a {
        let today = day(now);
        // What is dated later than now, by another clock, counts as of now.
        let is_today = move |at: Option<SystemTime>| at.is_none_or(|at| day(at) >= today);
        let limits = [
            (PolicyRule::MaxPerTrade, self.max_per_trade, Money::ZERO),
            (PolicyRule::MaxInEscrow, self.max_in_escrow, sum(spent, |spent| spent.is_open)),
            (PolicyRule::MaxPerDay, self.max_per_day, sum(spent, |spent| is_today(spent.at))),
            (
                PolicyRule::MaxPerMonth,
                self.max_per_month,
                sum(spent, |spent| is_this_month(spent.at, now)),
            ),
        ];
        limits.into_iter().filter_map(|(rule, limit, used)| Some(status(rule, limit?, used)))
    }

    /// All limits on the amount of a purchase.
    fn limits_for<'a>(
        &'a self,
        purchase: &'a Purchase,
        spent: &'a [Commitment],
        now: SystemTime,
    ) -> impl Iterator<Item = LimitStatus> + 'a {
        let seller = self.max_per_seller.map(|limit| {
            let used = sum(spent, |spent| {
                let is_other = |seller| purchase.seller.as_ref().is_some_and(|of| of != seller);
                !spent.seller.as_ref().is_some_and(is_other) && is_this_month(spent.at, now)
            });
            status(PolicyRule::MaxPerSeller, limit, used)
        });
        let listing_type = self.max_per_type.get(purchase.listing_type.as_str()).map(|limit| {
            let used = sum(spent, |spent| {
                spent.listing_type.as_ref().is_none_or(|of| *of == purchase.listing_type)
                    && is_this_month(spent.at, now)
            });
            status(PolicyRule::MaxPerType, *limit, used)
        });
        self.overall_limits(spent, now).chain(seller).chain(listing_type)
    }

    /// Whether everything that the other policy refuses, this one refuses as well.
    #[must_use]
    pub fn is_as_strict_as(&self, other: &Self) -> bool {
        let limits = [
            (self.max_per_trade, other.max_per_trade),
            (self.max_per_day, other.max_per_day),
            (self.max_per_month, other.max_per_month),
            (self.max_in_escrow, other.max_in_escrow),
            (self.max_per_seller, other.max_per_seller),
            (self.approval_above, other.approval_above),
        ];
        let is_no_higher = |(own, other): (Option<Money>, Option<Money>)| {
            other.is_none_or(|other| own.is_some_and(|own| own <= other))
        };
        let types = other.max_per_type.iter();
        let allowed =
            [(&self.allow_sellers, &other.allow_sellers), (&self.allow_tags, &other.allow_tags)];
        let denied =
            [(&self.deny_sellers, &other.deny_sellers), (&self.deny_tags, &other.deny_tags)];
        limits.into_iter().all(is_no_higher)
            && types
                .into_iter()
                .all(|(name, limit)| self.max_per_type.get(name).is_some_and(|own| own <= limit))
            && allowed.into_iter().all(|(own, other)| {
                let is_part =
                    |other: &BTreeSet<_>| own.as_ref().is_some_and(|own| own.is_subset(other));
                other.as_ref().is_none_or(is_part)
            })
            && denied.into_iter().all(|(own, other)| {
                // A list without names refuses sellers that are not known.
                let is_whole =
                    |other: &BTreeSet<_>| own.as_ref().is_some_and(|own| own.is_superset(other));
                other.as_ref().is_none_or(is_whole)
            })
            && other
                .min_reputation
                .is_none_or(|other| self.min_reputation.is_some_and(|own| own >= other))
            && self.require_verified >= other.require_verified
            && self.read_only >= other.read_only
    }
}

fn is_same_tag(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn is_this_month(at: Option<SystemTime>, now: SystemTime) -> bool {
    at.is_none_or(|at| day(at) >= day(now).first_of_month())
}

fn status(rule: PolicyRule, limit: Money, used: Money) -> LimitStatus {
    let remaining = (limit - used).max(Money::ZERO);
    LimitStatus { rule, limit, used, remaining }
}

fn exceeded(status: &LimitStatus, amount: Money) -> Option<PolicyRefusal> {
    let LimitStatus { rule, limit, used, remaining } = status;
    // An amount below zero would make room.
    if Money::ZERO <= amount && amount <= *remaining {
        return None;
    }
    let period = match rule {
        PolicyRule::MaxPerDay => " a day (UTC)",
        PolicyRule::MaxPerMonth => " a month (UTC)",
        PolicyRule::MaxPerSeller => " a month (UTC) to this seller",
        PolicyRule::MaxPerType => " a month (UTC) on this type of listing",
        PolicyRule::MaxInEscrow => " proposed or held at once",
        _ => " a trade",
    };
    let why = match rule {
        PolicyRule::MaxPerTrade => {
            format!("the price is {amount}, and the limit is {limit}{period}")
        }
        _ => format!(
            "the price is {amount}, the limit is {limit}{period}, {used} of it is used, {remaining} remains"
        ),
    };
    Some(PolicyRefusal { rule: *rule, remaining: Some(*remaining), why })
}

fn refusal(rule: PolicyRule, why: impl Into<String>) -> PolicyRefusal {
    PolicyRefusal { rule, remaining: None, why: why.into() }
}
