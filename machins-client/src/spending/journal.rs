//! What is under way or waits for approval on this machine.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::intent::record::{milliseconds, moment};
use crate::model::id::{AgentId, ListingId, TradeId};
use crate::model::listing::ListingType;
use crate::model::money::Money;

/// How long a purchase is kept: longer than a month.
const KEPT_FOR: Duration = Duration::from_secs(35 * 24 * 60 * 60);
/// How long the service may take to show a trade that it has returned.
const SHOWN_WITHIN: Duration = Duration::from_secs(60 * 60);
/// How long a question for approval is kept, and how long an approval holds.
const ASKED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const APPROVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The number of questions that are kept: a model may ask for anything.
const MOST_APPROVALS: usize = 1000;

/// What a [`SpendingStore`](crate::SpendingStore) records of one agent: the purchases that are under
/// way, and the questions for approval.
///
/// A store keeps it as it is, for example as JSON. It holds no API key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendingJournal {
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) approvals: Vec<Approval>,
}

/// Credits that are set aside for a purchase before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    /// What the purchase is recognised by: the reference of its intent, which is made from the key
    /// and the whole proposal, or else the id of its trade.
    pub(crate) reference: String,
    /// The client reference in the proposal as JSON. The caller may choose it, so that it identifies
    /// a trade on the listing alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listing_id: Option<ListingId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seller: Option<AgentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listing_type: Option<ListingType>,
    pub(crate) amount: Money,
    pub(crate) reserved_at_ms: u64,
    /// The time after which the purchase cannot be made by this request any more.
    pub(crate) until_ms: u64,
    /// The trade that came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trade_id: Option<TradeId>,
    /// Several calls have asked for it, of which one may be under way though another was refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_shared: bool,
}

impl Reservation {
    /// Whether the purchase may still be under way if the service does not show it.
    pub(crate) fn may_be_open(&self, now: SystemTime, resend_after: Duration) -> bool {
        let until_ms = match self.trade_id {
            // Until then a proposal that was sent may still arrive.
            None => after(self.until_ms, resend_after),
            Some(_) => after(self.reserved_at_ms, SHOWN_WITHIN),
        };
        milliseconds(now) < until_ms
    }
}

/// A time in milliseconds after another one.
fn after(ms: u64, time: Duration) -> u64 {
    ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Whether a person allowed a purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApprovalState {
    /// No one has decided yet.
    Pending,
    /// A person allowed the purchase.
    Approved,
    /// A person refused the purchase.
    Denied,
}

impl ApprovalState {
    /// Returns the state as one word: `pending`, `approved`, `denied`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }
}

/// A purchase for which a [`SpendingPolicy`](crate::SpendingPolicy) demands the approval of a person.
///
/// An approval holds for this purchase alone: this key, listing and terms, up to this price, for 24
/// hours. All limits still apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub(crate) id: String,
    pub(crate) reference: String,
    /// The key of the purchase, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    pub(crate) listing_id: ListingId,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) seller: Option<AgentId>,
    #[serde(default)]
    pub(crate) terms: Option<String>,
    pub(crate) amount: Money,
    pub(crate) state: ApprovalState,
    pub(crate) asked_at_ms: u64,
    #[serde(default)]
    pub(crate) decided_at_ms: Option<u64>,
}

impl Approval {
    /// Returns the id by which a person approves or denies it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the listing to buy from.
    #[must_use]
    pub fn listing_id(&self) -> &ListingId {
        &self.listing_id
    }

    /// Returns the title of the listing, which its seller has chosen.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the seller's id. `None` when the service does not say.
    #[must_use]
    pub fn seller(&self) -> Option<&AgentId> {
        self.seller.as_ref()
    }

    /// Returns the first 200 characters of the proposal's terms, or `None` if it has none.
    #[must_use]
    pub fn terms(&self) -> Option<&str> {
        self.terms.as_deref()
    }

    /// Returns the price, which is the most that may be paid.
    #[must_use]
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Returns whether it was decided, and how.
    #[must_use]
    pub fn state(&self) -> ApprovalState {
        self.state
    }

    /// Returns the time when approval was asked for.
    #[must_use]
    pub fn asked_at(&self) -> SystemTime {
        moment(self.asked_at_ms)
    }
}

impl SpendingJournal {
    /// Removes old purchases that are over, and old questions.
    pub(crate) fn prune(&mut self, now: SystemTime, resend_after: Duration) {
        let now_ms = milliseconds(now);
        self.reservations.retain(|known| {
            now_ms < after(known.reserved_at_ms, KEPT_FOR) || known.may_be_open(now, resend_after)
        });
        self.approvals.retain(|approval| match approval.decided_at_ms {
            Some(decided) => now_ms < after(decided, APPROVED_FOR),
            None => now_ms < after(approval.asked_at_ms, ASKED_FOR),
        });
    }

    /// Returns what was decided about a purchase of at most this amount.
    pub(crate) fn approval(&self, reference: &str, amount: Money) -> Option<&Approval> {
        let mut approvals = self.approvals.iter();
        approvals.find(|approval| approval.reference == reference && amount <= approval.amount)
    }

    /// Adds a question, in place of an older one about the same purchase.
    pub(crate) fn ask(&mut self, approval: Approval) {
        self.approvals.retain(|known| known.reference != approval.reference);
        if self.approvals.len() >= MOST_APPROVALS {
            // The oldest one.
            self.approvals.remove(0);
        }
        self.approvals.push(approval);
    }

    /// Sets credits aside, together with an older reservation for the same purchase.
    pub(crate) fn reserve(&mut self, mut reservation: Reservation) {
        let older = self.reservations.iter().find(|known| known.reference == reservation.reference);
        if let Some(older) = older {
            reservation.amount = reservation.amount.max(older.amount);
            reservation.until_ms = reservation.until_ms.max(older.until_ms);
            reservation.is_shared = true;
        }
        self.remove(&reservation.reference);
        self.reservations.push(reservation);
    }

    /// Gives back what was set aside for a call that was refused, unless another call for the same
    /// purchase may still be under way: then it lapses by itself.
    pub(crate) fn release(&mut self, reference: &str) {
        self.reservations.retain(|known| known.reference != reference || known.is_shared);
    }

    /// Forgets what was set aside for something that was made.
    pub(crate) fn remove(&mut self, reference: &str) {
        self.reservations.retain(|known| known.reference != reference);
    }

    /// Returns what was set aside for a purchase, or for the trade if another purchase led to it.
    pub(crate) fn reservation_mut(
        &mut self,
        reference: &str,
        trade: &TradeId,
    ) -> Option<&mut Reservation> {
        let is_this = |known: &Reservation| known.reference == reference;
        let has_led_to_it = |known: &Reservation| known.trade_id.as_ref() == Some(trade);
        let position = self.reservations.iter().position(is_this);
        let position = position.or_else(|| self.reservations.iter().position(has_led_to_it))?;
        self.reservations.get_mut(position)
    }
}
