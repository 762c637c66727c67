//! Holding credits as the bounty of a request, within the policy.

use std::time::SystemTime;

use agent_client_core::{Document, Error, ErrorKind};

use super::control::{Control, in_time, sending};
use crate::client::Client;
use crate::intent::record::milliseconds;
use crate::model::id::ListingId;
use crate::model::listing::{ListingUpdate, NewListing, Side};
use crate::model::money::Money;
use crate::proposals::Sending;
use crate::refusal::is_refused;
use crate::spending::decision::PolicyDecision;
use crate::spending::journal::Reservation;

impl Control {
    /// Makes a call that holds credits as a bounty, if they may be. It is given the time until which it
    /// may be sent: later, what was set aside for it may have been given to others.
    pub(super) async fn holding<R, F: Future<Output = Result<R, Error>>>(
        &self,
        client: &Client,
        bounty: Option<(String, Money)>,
        call: impl FnOnce(Option<u64>) -> F,
    ) -> Result<R, Error> {
        let Some((reference, amount)) = bounty else { return call(None).await };
        let sending = sending(client);
        in_time(sending.left, self.hold(client, &reference, amount, sending)).await?;
        let held = call(Some(sending.until_ms)).await;
        match &held {
            // The wallet shows it.
            Ok(_) => drop(self.forget(client, &reference).await),
            Err(error) if is_refused(error) => drop(self.release(client, &reference).await),
            // The outcome is unknown: the record lapses by itself.
            Err(_) => {}
        }
        held
    }

    /// Decides about a bounty, and records it if it may be held.
    async fn hold(
        &self,
        client: &Client,
        reference: &str,
        amount: Money,
        sending: Sending,
    ) -> Result<(), Error> {
        let (mut lock, mut journal) = self.lock(client, sending.left).await?;
        let spent = self.spent(client, &journal, reference, None).await?;
        let now = SystemTime::now();
        let decision = self.decide(|policy| policy.decide_bounty(amount, &spent, now));
        if let PolicyDecision::Refused(refusal) = decision {
            return Err(refusal.into());
        }
        journal.reserve(Reservation {
            reference: reference.to_owned(),
            client_reference: None,
            listing_id: None,
            seller: None,
            listing_type: None,
            amount,
            reserved_at_ms: milliseconds(now),
            until_ms: sending.until_ms,
            trade_id: None,
            is_shared: false,
        });
        lock.write(&journal).await
    }

    /// What a change of a listing holds in addition, and what the holding is recognised by.
    pub(super) async fn raised_bounty(
        &self,
        client: &Client,
        id: &ListingId,
        update: &ListingUpdate,
    ) -> Result<Option<(String, Money)>, Error> {
        if self.limits_nothing() {
            return Ok(None);
        }
        let listing = client.get_listing(id).await?;
        let fields = update.fields();
        if listing.side == Some(Side::Offer) {
            let is_offer = |side: &Document| side.as_str() == Some(Side::Offer.as_str());
            let holds_nothing = fields.get("side").is_none_or(is_offer)
                && fields.get("bounty").is_none_or(is_false);
            return if holds_nothing { Ok(None) } else { Err(may_spend("side or bounty")) };
        }
        for (name, value) in fields {
            match name.as_str() {
                "price" => {}
                "auto_accept" if is_false(value) => {}
                "auto_accept" => return Err(accepts_by_itself()),
                name if SPENDS_NOTHING.contains(&name) => {}
                name => return Err(may_spend(name)),
            }
        }
        let Some(price) = fields.get("price") else { return Ok(None) };
        if listing.auto_accept == Some(true) {
            return Err(accepts_by_itself());
        }
        let price: Money = price.to().map_err(|_| may_spend("price"))?;
        let rise = price - listing.price;
        // If the service does not say, it may be held.
        let is_held = listing.bounty_held != Some(false);
        Ok((is_held && rise > Money::ZERO).then(|| (format!("bounty {id} {price}"), rise)))
    }
}

/// The fields of a request that hold and spend nothing.
const SPENDS_NOTHING: [&str; 8] = [
    "title",
    "slug",
    "description",
    "tags",
    "input_schema",
    "output_schema",
    "expires_in_hours",
    "delivery_callback_url",
];

fn is_false(value: &Document) -> bool {
    value.as_json() == "false"
}

/// The credits that a new listing holds, and what the holding is recognised by.
pub(super) fn bounty_of(
    control: &Control,
    listing: &NewListing,
) -> Result<Option<(String, Money)>, Error> {
    if control.limits_nothing() || !listing.is_request() {
        return Ok(None);
    }
    if listing.accepts_by_itself() {
        return Err(accepts_by_itself());
    }
    let reference = format!("bounty {}", listing.slug());
    Ok(listing.bounty_amount().map(|amount| (reference, amount)))
}

/// Whether an earlier call with this key has created the listing, so that nothing more is sent.
pub(super) async fn is_created(
    client: &Client,
    key: &str,
    listing: &NewListing,
) -> Result<bool, Error> {
    match client.get_intent(key).await? {
        None => Ok(false),
        Some(intent) if intent.is_done() => Ok(true),
        Some(_) => Ok(client.list_listings().await?.iter().any(|own| listing.describes(own))),
    }
}

fn accepts_by_itself() -> Error {
    let message = "the spending policy refuses it: a request that accepts by itself (auto_accept) could spend any amount";
    Error::new(ErrorKind::Policy, message)
}

/// The error for a change whose effect on what is held is not known.
fn may_spend(field: &str) -> Error {
    let message = format!(
        "the spending policy refuses it: this change of {field} could hold or spend credits that no limit counts"
    );
    Error::new(ErrorKind::Policy, message)
}
