//! Trades that a test begins with, brought to a status by the actions of their parties.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::context::Context;
use super::error::{Error, Result};
use super::lifecycle::{Proposal, Reason};
use super::object::Object;
use super::payload::Delivery;
use super::platform::Machins;
use super::records::{ListingType, Outcome, Side, TradeStatus};
use super::trades::TradeReply;

/// A trade on a listing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TradeFixture {
    /// The slug of the listing.
    listing: String,
    /// The slug of the agent that buys; for an offer.
    buyer: Option<String>,
    /// The slug of the agent that sells; for a request.
    seller: Option<String>,
    /// The status that the trade is brought to; `proposed` by default.
    status: Option<TradeStatus>,
    /// The outcome of the dispute, for the status `resolved`; `refund` by default.
    outcome: Option<Outcome>,
    terms: Option<String>,
    metadata: Option<Object>,
    verification_url: Option<String>,
    /// What is delivered; by default the simplest delivery for the type of the listing. It is not
    /// verified.
    delivery: Option<Delivery>,
}

/// An action of a party of a trade.
#[derive(Clone, Copy)]
enum Step {
    Accept,
    Reject,
    Cancel,
    Deliver,
    Confirm,
    Dispute,
    Resolve,
}

/// Returns the actions that bring a proposed trade to a status.
const fn steps(status: TradeStatus) -> &'static [Step] {
    match status {
        TradeStatus::Proposed => &[],
        TradeStatus::Rejected => &[Step::Reject],
        TradeStatus::EscrowHeld => &[Step::Accept],
        TradeStatus::Cancelled => &[Step::Accept, Step::Cancel],
        TradeStatus::Delivered => &[Step::Accept, Step::Deliver],
        TradeStatus::Completed => &[Step::Accept, Step::Deliver, Step::Confirm],
        TradeStatus::Disputed => &[Step::Accept, Step::Deliver, Step::Dispute],
        TradeStatus::Resolved => &[Step::Accept, Step::Deliver, Step::Dispute, Step::Resolve],
    }
}

impl Machins {
    /// Returns the agent with this slug, which the field names.
    pub(crate) fn agent_of_slug(&self, field: &str, slug: &str) -> Result<Uuid> {
        let agent = self.agent_slugs.get(slug).copied();
        agent.ok_or_else(|| Error::field(field, format_args!("no agent has the slug `{slug}`")))
    }

    /// Adds a trade, and brings it to its status.
    pub(crate) fn add_trade_fixture(
        &mut self,
        cx: &mut Context<'_>,
        fixture: TradeFixture,
    ) -> Result<TradeReply> {
        let slug = &fixture.listing;
        let listing = self.listings.values().find(|listing| listing.slug == *slug);
        let listing = listing.ok_or_else(|| {
            Error::field("listing", format_args!("no listing has the slug `{slug}`"))
        })?;
        let (owner, side) = (listing.seller_agent_id, listing.side);
        let (listing_id, listing_type) = (listing.id, listing.listing_type);
        let (field, other, proposer, unused) = match side {
            Side::Offer => ("buyer", "an offer", &fixture.buyer, ("seller", &fixture.seller)),
            Side::Request => ("seller", "a request", &fixture.seller, ("buyer", &fixture.buyer)),
        };
        if unused.1.is_some() {
            let rule = format!("the listing is {other}, whose {} is its agent", unused.0);
            return Err(Error::field(unused.0, rule));
        }
        let proposer = proposer.as_deref().ok_or_else(|| {
            Error::field(field, format_args!("is missing; the listing is {other}"))
        })?;
        let proposer = self.agent_of_slug(field, proposer)?;
        let proposal = Proposal {
            listing_id: listing_id.to_string(),
            terms: fixture.terms,
            metadata: fixture.metadata,
            verification_url: fixture.verification_url,
        };
        let id = self.propose(cx, proposer, proposal)?.id().to_string();
        let (buyer, seller) = match side {
            Side::Offer => (proposer, owner),
            Side::Request => (owner, proposer),
        };
        let delivery = fixture.delivery.unwrap_or_else(|| simplest(listing_type));
        for step in steps(fixture.status.unwrap_or(TradeStatus::Proposed)) {
            let accepted = self.trades[self.trade_index(&id)?].status == TradeStatus::EscrowHeld;
            match step {
                // The listing accepts by itself.
                Step::Accept if accepted => {}
                Step::Accept => drop(self.accept(cx, owner, &id)?),
                Step::Reject => drop(self.reject(cx, owner, &id, Reason::default())?),
                Step::Cancel => drop(self.cancel(cx, buyer, &id, Reason::default())?),
                Step::Deliver => drop(self.deliver(cx, seller, &id, &delivery, None)?),
                Step::Confirm => drop(self.confirm(cx, buyer, &id)?),
                Step::Dispute => drop(self.dispute(cx, buyer, &id, Reason::default())?),
                Step::Resolve => {
                    drop(self.resolve(cx, &id, fixture.outcome.unwrap_or(Outcome::Refund))?);
                }
            }
        }
        Ok(TradeReply::from(&self.trades[self.trade_index(&id)?]))
    }
}

/// Returns the simplest delivery for a type of listing.
fn simplest(listing_type: ListingType) -> Delivery {
    let delivery = match listing_type {
        ListingType::Task => json!({"payload": {"result": "done"}}),
        ListingType::Data => json!({"payload": {"data": []}}),
        ListingType::Api | ListingType::Model => {
            json!({"endpoint_url": "http://127.0.0.1/", "credentials": {}})
        }
        ListingType::Asset => json!({"transaction_proof": {"tx_id": "tx-1"}}),
    };
    serde_json::from_value(delivery).unwrap_or_default()
}
