//! A purchase, and what is spent or promised already.

use std::time::SystemTime;

use agent_client_core::Document;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::id::{AgentId, AgentSlug};
use crate::model::listing::ListingType;
use crate::model::marketplace::MarketplaceListing;
use crate::model::money::Money;

/// A purchase that a [`SpendingPolicy`](crate::SpendingPolicy) is asked about.
///
/// ```
/// use machins_client::{AgentId, ListingType, Money, Purchase};
///
/// let seller = AgentId::new("3eb37a3c")?;
/// let purchase =
///     Purchase::new(Money::credits(45), ListingType::Task).seller(&seller).tags(["nlp"]);
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Purchase {
    pub(crate) amount: Money,
    pub(crate) seller: Option<AgentId>,
    pub(crate) seller_slug: Option<AgentSlug>,
    /// Whether the seller has none of the slugs that a policy names, if it is not known.
    pub(crate) is_unnamed: bool,
    pub(crate) reputation: Option<Money>,
    pub(crate) listing_type: ListingType,
    pub(crate) tags: Vec<String>,
}

impl Purchase {
    /// Creates a purchase of this price from an unknown seller.
    pub fn new(amount: Money, listing_type: ListingType) -> Self {
        Self {
            amount,
            seller: None,
            seller_slug: None,
            is_unnamed: false,
            reputation: None,
            listing_type,
            tags: Vec::new(),
        }
    }

    /// Sets the id of the seller.
    pub fn seller(mut self, seller: &AgentId) -> Self {
        self.seller = Some(seller.clone());
        self
    }

    /// Sets the slug of the seller, by which a policy may name it too.
    pub fn seller_slug(mut self, slug: &AgentSlug) -> Self {
        self.seller_slug = Some(slug.clone());
        self
    }

    /// Sets the reputation of the seller as the service writes it, such as `4.50`.
    pub fn reputation(mut self, score: &Document) -> Self {
        self.reputation = reputation(score);
        self
    }

    /// Sets the tags of the listing.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a name in a policy, an id or a slug, means the seller and nobody else. Agents choose
    /// their slugs, so that a slug like an id means nobody.
    pub(crate) fn is_from(&self, name: &str) -> bool {
        self.seller.as_ref().is_some_and(|seller| seller.as_str() == name)
            || self.seller_slug.as_ref().is_some_and(|slug| slug.as_str() == name && !is_uuid(name))
    }

    /// Whether a name in a policy, an id or a slug, may mean the seller.
    pub(crate) fn may_be_from(&self, name: &str) -> bool {
        let is_it = |own: &str| own.eq_ignore_ascii_case(name);
        self.seller.as_ref().is_some_and(|seller| is_it(seller.as_str()))
            || self.seller_slug.as_ref().is_some_and(|slug| is_it(slug.as_str()))
    }
}

/// A reputation as the service writes it, such as `4.50`. `None` if it is not one.
pub(crate) fn reputation(score: &Document) -> Option<Money> {
    score.as_str().unwrap_or(score.as_json()).parse().ok()
}

/// A purchase of what a listing offers.
impl From<&MarketplaceListing> for Purchase {
    fn from(listing: &MarketplaceListing) -> Self {
        let mut purchase = Self::new(listing.price, listing.listing_type.clone())
            .tags(listing.tags.iter().cloned());
        purchase.seller.clone_from(&listing.seller_agent_id);
        purchase.seller_slug.clone_from(&listing.seller_agent_slug);
        match &listing.seller_reputation_score {
            Some(score) => purchase.reputation(score),
            None => purchase,
        }
    }
}

/// Credits that were spent, are held in escrow, or may be held at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Commitment {
    pub(crate) amount: Money,
    pub(crate) at: Option<SystemTime>,
    pub(crate) seller: Option<AgentId>,
    pub(crate) listing_type: Option<ListingType>,
    pub(crate) is_open: bool,
}

impl Commitment {
    /// Creates a commitment that was settled at this time. `None` is a time that is not known or has
    /// not come yet, so that the commitment counts in every day and month.
    pub fn settled(amount: Money, at: Option<SystemTime>) -> Self {
        Self { amount, at, seller: None, listing_type: None, is_open: false }
    }

    /// Creates a commitment that is under way: proposed or held in escrow.
    pub fn open(amount: Money, at: Option<SystemTime>) -> Self {
        Self { is_open: true, ..Self::settled(amount, at) }
    }

    /// Sets the seller. A commitment without one counts for every seller.
    pub fn seller(mut self, seller: &AgentId) -> Self {
        self.seller = Some(seller.clone());
        self
    }

    /// Sets the type of the listing. A commitment without one counts for every type.
    pub fn listing_type(mut self, listing_type: ListingType) -> Self {
        self.listing_type = Some(listing_type);
        self
    }
}

/// Whether a name has the form of a UUID, as the ids of agents have.
fn is_uuid(name: &str) -> bool {
    let is_group = |(group, length): (&str, usize)| {
        group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    name.split('-').count() == 5 && name.split('-').zip([8, 4, 4, 4, 12]).all(is_group)
}

/// A day in UTC. Times beyond the calendar are its ends.
pub(crate) fn day(time: SystemTime) -> Date {
    let time = jiff::Timestamp::try_from(time).unwrap_or_else(|_| {
        let is_past = time < SystemTime::UNIX_EPOCH;
        if is_past { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX }
    });
    time.to_zoned(TimeZone::UTC).date()
}

/// The sum of the commitments that pass a condition.
pub(crate) fn sum<'a>(
    commitments: &'a [Commitment],
    condition: impl Fn(&'a Commitment) -> bool,
) -> Money {
    commitments
        .iter()
        .filter(|commitment| condition(commitment))
        // An invalid negative amount must not free any of the limit.
        .map(|commitment| commitment.amount.max(Money::ZERO))
        .sum()
}
