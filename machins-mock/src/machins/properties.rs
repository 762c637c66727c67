//! Random operations of many agents and clock jumps, compared with a simpler implementation.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::context::Context;
use super::error::{ErrorCode, Result};
use super::joining::Onboarding;
use super::marketplace::MarketplaceQuery;
use super::money::Money;
use super::page::Window;
use super::platform::Machins;
use super::records::{Account, Tier};
use super::verification::Verification;
use crate::clock::{Clock, Time};
use crate::random::Random;

const AGENTS: usize = 5;
const DAY: u64 = 24;

#[derive(Debug, Clone)]
enum Operation {
    List { me: usize, price: i64, request: bool, bounty: bool, auto: bool, hours: Option<u64> },
    Unlist { me: usize, listing: usize },
    Reprice { me: usize, listing: usize, price: i64 },
    Propose { me: usize, listing: usize },
    Act { me: Option<usize>, trade: usize, action: Action },
    Wait { hours: u64 },
    StoreAndLoad,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Accept,
    Reject,
    Cancel,
    Deliver(Option<bool>),
    Confirm,
    Dispute,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Accept),
        1 => Just(Action::Reject),
        1 => Just(Action::Cancel),
        3 => prop::option::of(any::<bool>()).prop_map(Action::Deliver),
        2 => Just(Action::Confirm),
        2 => Just(Action::Dispute),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let (me, which) = (0..AGENTS, 0..30_usize);
    let price = prop_oneof![4 => 1..9_000_i64, 1 => 9_000..30_000_i64];
    let hours = prop::option::of(1..=720_u64);
    prop_oneof![
        4 => (me.clone(), price.clone(), any::<bool>(), any::<bool>(), any::<bool>(), hours).prop_map(
            |(me, price, request, bounty, auto, hours)| Operation::List {
                me, price, request, bounty: bounty && request, auto, hours
            }
        ),
        1 => (me.clone(), which.clone()).prop_map(|(me, listing)| Operation::Unlist { me, listing }),
        1 => (me.clone(), which.clone(), price)
            .prop_map(|(me, listing, price)| Operation::Reprice { me, listing, price }),
        6 => (me.clone(), which.clone()).prop_map(|(me, listing)| Operation::Propose { me, listing }),
        // Mostly by whoever may.
        14 => (prop::option::weighted(0.2, me), which, action())
            .prop_map(|(me, trade, action)| Operation::Act { me, trade, action }),
        2 => (0..200_u64).prop_map(|hours| Operation::Wait { hours }),
        1 => Just(Operation::StoreAndLoad),
    ]
}

#[derive(Clone)]
struct Listed {
    owner: usize,
    price: i64,
    request: bool,
    auto: bool,
    bounty: Option<i64>,
    active: bool,
    expires: Option<u64>,
}

struct Traded {
    listing: usize,
    buyer: usize,
    seller: usize,
    price: i64,
    status: &'static str,
    verified: Option<bool>,
    resolves: Option<u64>,
}

/// A platform without indexes or other derived data: amounts in hundredths, times in hours.
#[derive(Default)]
struct Reference {
    available: [i64; AGENTS],
    held: [i64; AGENTS],
    fees: i64,
    listings: Vec<Listed>,
    trades: Vec<Traded>,
    now: u64,
}

/// The resulting state, or the code of the refusal.
type Expected = std::result::Result<&'static str, ErrorCode>;

impl Reference {
    fn hold(&mut self, agent: usize, amount: i64) -> bool {
        let enough = self.available[agent] >= amount;
        if enough {
            self.available[agent] -= amount;
            self.held[agent] += amount;
        }
        enough
    }

    fn wait(&mut self, hours: u64) {
        for now in self.now + 1..=self.now + hours {
            self.now = now;
            for listing in 0..self.listings.len() {
                if self.listings[listing].expires.is_some_and(|at| at <= now) {
                    self.close(listing);
                }
            }
            for trade in 0..self.trades.len() {
                if self.trades[trade].status == "disputed"
                    && self.trades[trade].resolves.is_some_and(|at| at <= now)
                {
                    let verified = self.trades[trade].verified == Some(true);
                    let settle = if verified { Self::release } else { Self::refund };
                    settle(self, trade);
                    self.trades[trade].status = "resolved";
                }
            }
        }
    }

    fn close(&mut self, listing: usize) {
        let listing = &mut self.listings[listing];
        listing.active = false;
        if let Some(bounty) = listing.bounty.take() {
            self.held[listing.owner] -= bounty;
            self.available[listing.owner] += bounty;
        }
    }

    fn refund(&mut self, trade: usize) {
        let Traded { buyer, price, .. } = self.trades[trade];
        self.held[buyer] -= price;
        self.available[buyer] += price;
    }

    fn release(&mut self, trade: usize) {
        let Traded { buyer, seller, price, .. } = self.trades[trade];
        let fee = (price + 10) / 20;
        self.held[buyer] -= price;
        self.available[seller] += price - fee;
        self.fees += fee;
    }

    fn accept(&mut self, trade: usize) -> Expected {
        let Traded { listing, buyer, price, .. } = self.trades[trade];
        let bounty = self.listings[listing].bounty.unwrap_or(0);
        if self.available[buyer] + bounty < price {
            return Err(ErrorCode::InsufficientFunds);
        }
        self.available[buyer] += bounty - price;
        self.held[buyer] += price - bounty;
        self.listings[listing].bounty = None;
        self.trades[trade].status = "escrow_held";
        Ok("escrow_held")
    }

    /// Agents 0 and 1 are starters.
    fn propose(&mut self, me: usize, number: usize) -> Expected {
        let listing = self.listings[number].clone();
        if listing.owner == me {
            return Err(ErrorCode::Forbidden);
        }
        if !listing.active {
            return Err(ErrorCode::InvalidTransition);
        }
        if listing.price > 10_000 && (me < 2 || listing.owner < 2) {
            return Err(ErrorCode::Forbidden);
        }
        let (buyer, seller) =
            if listing.request { (listing.owner, me) } else { (me, listing.owner) };
        self.trades.push(Traded {
            listing: number,
            buyer,
            seller,
            price: listing.price,
            status: "proposed",
            verified: None,
            resolves: None,
        });
        if listing.auto {
            self.accept(self.trades.len() - 1).or(Ok("proposed"))
        } else {
            Ok("proposed")
        }
    }

    /// Who may do this.
    fn actor(&self, trade: usize, action: Action) -> usize {
        let trade_record = &self.trades[trade];
        match action {
            Action::Accept | Action::Reject => self.listings[trade_record.listing].owner,
            Action::Deliver(_) | Action::Cancel => trade_record.seller,
            Action::Confirm | Action::Dispute => trade_record.buyer,
        }
    }

    fn act(&mut self, me: usize, trade: usize, action: Action) -> Expected {
        let Traded { buyer, seller, status, verified, .. } = self.trades[trade];
        let anyone = action == Action::Cancel && (me == buyer || me == seller);
        if me != self.actor(trade, action) && !anyone {
            return Err(ErrorCode::Forbidden);
        }
        let (from, to) = match action {
            Action::Accept => ("proposed", "escrow_held"),
            Action::Reject => ("proposed", "rejected"),
            Action::Cancel => ("escrow_held", "cancelled"),
            Action::Deliver(_) => ("escrow_held", "delivered"),
            Action::Confirm => ("delivered", "completed"),
            Action::Dispute => ("delivered", "disputed"),
        };
        if status != from {
            return Err(ErrorCode::InvalidTransition);
        }
        match action {
            Action::Accept => return self.accept(trade),
            Action::Reject => {}
            Action::Cancel => self.refund(trade),
            Action::Deliver(accepted) => self.trades[trade].verified = accepted,
            Action::Confirm => self.release(trade),
            Action::Dispute => {
                let hours = if verified == Some(true) { 7 * DAY } else { DAY };
                self.trades[trade].resolves = Some(self.now + hours);
            }
        }
        self.trades[trade].status = to;
        Ok(to)
    }
}

/// The platform under test, and the ids of its records.
struct Tested {
    machins: Machins,
    random: Random,
    start: Time,
    now: Time,
    agents: Vec<Uuid>,
    listings: Vec<String>,
    trades: Vec<String>,
}

impl Tested {
    fn new() -> Self {
        let mut random = Random::new(7);
        let now = Clock::default().now();
        let mut machins = Machins::new(&mut random);
        let agents = (0..AGENTS).map(|number| {
            let slug = format!("agent-{number}");
            let new = Onboarding {
                name: slug.clone(),
                slug,
                description: None,
                agent_type: None,
                capabilities: None,
            };
            let tier = if number < 2 { Tier::Starter } else { Tier::Verified };
            let join = |machins: &mut Machins, cx: &mut Context<'_>| {
                machins.join(cx, new, Money::credits(500), tier, None)
            };
            machins.act(now, &mut random, join).0.unwrap()
        });
        let agents = agents.collect();
        Self { machins, random, start: now, now, agents, listings: Vec::new(), trades: Vec::new() }
    }

    /// Runs an operation and returns its result in the terms of the reference, with the reply.
    fn run<T: serde::Serialize>(
        &mut self,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>) -> Result<T>,
    ) -> (std::result::Result<String, ErrorCode>, Value) {
        let (result, webhooks) = self.machins.act(self.now, &mut self.random, operation);
        assert!(webhooks.is_empty(), "nobody has subscribed");
        match result {
            Ok(reply) => {
                let reply = serde_json::to_value(reply).unwrap();
                (Ok(reply["status"].as_str().unwrap().to_owned()), reply)
            }
            Err(error) => {
                assert_ne!(error.code, ErrorCode::ValidationError, "{error}");
                (Err(error.code), Value::Null)
            }
        }
    }

    fn act(
        &mut self,
        me: usize,
        trade: usize,
        action: Action,
    ) -> std::result::Result<String, ErrorCode> {
        let (me, id) = (self.agents[me], self.trades[trade].clone());
        let none = || serde_json::from_value(json!({})).unwrap();
        let payload = serde_json::from_value(json!({"payload": {"result": 1}})).unwrap();
        self.run(|machins, cx| match action {
            Action::Accept => machins.accept(cx, me, &id),
            Action::Reject => machins.reject(cx, me, &id, none()),
            Action::Cancel => machins.cancel(cx, me, &id, none()),
            Action::Confirm => machins.confirm(cx, me, &id),
            Action::Dispute => machins.dispute(cx, me, &id, none()),
            Action::Deliver(accepted) => {
                let answer = accepted.map(|accepted| json!({"accepted": accepted}).to_string());
                let verification = answer.map(|answer| Verification::read(200, answer.as_bytes()));
                machins.deliver(cx, me, &id, &payload, verification)
            }
        })
        .0
    }
}

fn hundredths(amount: i64) -> Money {
    Money::hundredths(amount)
}

/// Runs the same operation on both platforms.
fn step(tested: &mut Tested, reference: &mut Reference, operation: &Operation) {
    let count = tested.listings.len();
    match *operation {
        Operation::List { me, price, request, bounty, auto, hours } => {
            let caller = tested.agents[me];
            let side = if request { "request" } else { "offer" };
            let slug = format!("listing-{}-{}", count, reference.now);
            let price_text = hundredths(price).to_string();
            let new = json!({
                "title": "T", "slug": slug, "listing_type": "task", "price": price_text,
                "side": side, "bounty": bounty, "auto_accept": auto, "expires_in_hours": hours,
                "tags": ["t"],
            });
            let new = serde_json::from_value(new).unwrap();
            let (done, reply) = tested.run(|machins, cx| machins.create_listing(cx, caller, new));
            if bounty && !reference.hold(me, price) {
                assert_eq!(done, Err(ErrorCode::InsufficientFunds));
                return;
            }
            assert_eq!(done.as_deref(), Ok("active"));
            tested.listings.push(reply["id"].as_str().unwrap().to_owned());
            reference.listings.push(Listed {
                owner: me,
                price,
                request,
                auto,
                bounty: bounty.then_some(price),
                active: true,
                expires: hours.map(|hours| reference.now + hours),
            });
        }
        Operation::Unlist { me, listing } if count > 0 => {
            let (listing, caller) = (listing % count, tested.agents[me]);
            let id = tested.listings[listing].clone();
            let (done, _) = tested.run(|machins, cx| machins.deactivate_listing(cx, caller, &id));
            if reference.listings[listing].owner == me {
                assert!(done.is_ok());
                reference.close(listing);
            } else {
                assert_eq!(done, Err(ErrorCode::Forbidden));
            }
        }
        Operation::Reprice { me, listing, price } if count > 0 => {
            let (listing, caller) = (listing % count, tested.agents[me]);
            let id = tested.listings[listing].clone();
            let update = json!({"price": hundredths(price).to_string()});
            let update = serde_json::from_value(update).unwrap();
            let (done, _) =
                tested.run(|machins, cx| machins.update_listing(cx, caller, &id, update));
            let listed = &mut reference.listings[listing];
            let more = listed.bounty.map_or(0, |bounty| price - bounty);
            if listed.owner != me {
                assert_eq!(done, Err(ErrorCode::Forbidden));
            } else if reference.available[me] < more {
                assert_eq!(done, Err(ErrorCode::InsufficientFunds));
            } else {
                assert!(done.is_ok());
                listed.price = price;
                listed.bounty = listed.bounty.map(|_| price);
                reference.available[me] -= more;
                reference.held[me] += more;
            }
        }
        Operation::Propose { me, listing } if count > 0 => {
            let (listing, caller) = (listing % count, tested.agents[me]);
            let proposal = json!({"listing_id": tested.listings[listing]});
            let proposal = serde_json::from_value(proposal).unwrap();
            let (done, reply) = tested.run(|machins, cx| machins.propose(cx, caller, proposal));
            tested.trades.extend(reply["id"].as_str().map(ToOwned::to_owned));
            assert_eq!(done, reference.propose(me, listing).map(ToOwned::to_owned));
        }
        Operation::Act { me, trade, action } if !tested.trades.is_empty() => {
            let trade = trade % tested.trades.len();
            let me = me.unwrap_or_else(|| reference.actor(trade, action));
            let done = tested.act(me, trade, action);
            assert_eq!(done, reference.act(me, trade, action).map(ToOwned::to_owned));
        }
        Operation::Wait { hours } => {
            reference.wait(hours);
            tested.now = tested.start.plus(Duration::from_secs(reference.now * 60 * 60));
            tested.machins.act(tested.now, &mut tested.random, |_, _| ());
        }
        Operation::StoreAndLoad => {
            let stored = serde_json::to_string(&tested.machins).unwrap();
            let loaded: Machins = serde_json::from_str(&stored).unwrap();
            assert!(loaded == tested.machins, "stored and loaded, it is another");
            tested.machins = loaded;
        }
        _ => {}
    }
}

fn compare(tested: &Tested, reference: &Reference) {
    let Tested { machins, agents, listings, trades, .. } = tested;
    machins.check().unwrap();
    assert_eq!(machins.ledger.balance(Account::Fees), hundredths(reference.fees));
    let issued = Money::credits(-500 * i64::try_from(AGENTS).unwrap());
    assert_eq!(machins.ledger.balance(Account::Issuance), issued);
    for (number, id) in agents.iter().enumerate() {
        let available = machins.ledger.balance(Account::Available(*id));
        assert_eq!(available, hundredths(reference.available[number]));
        let held = machins.ledger.balance(Account::Held(*id));
        assert_eq!(held, hundredths(reference.held[number]));
        assert!(!available.is_negative() && !held.is_negative());
    }
    for (id, expected) in listings.iter().zip(&reference.listings) {
        let listing = &machins.listings[&id.parse::<Uuid>().unwrap()];
        assert_eq!(listing.is_active(), expected.active);
        assert_eq!(listing.bounty_amount, expected.bounty.map(hundredths));
    }
    assert_eq!(trades.len(), reference.trades.len());
    let mut statuses = BTreeMap::new();
    for (id, expected) in trades.iter().zip(&reference.trades) {
        let trade = &machins.trades[&id.parse::<Uuid>().unwrap()];
        assert_eq!(trade.status.as_str(), expected.status);
        *statuses.entry(expected.status).or_insert(0) += 1;
    }
    let paid = machins.trades.values().filter(|trade| trade.paid_at().is_some()).count();
    assert_eq!(machins.paid_trades.len(), paid);
    let browsed = machins.browse(&MarketplaceQuery::default(), Window::default()).unwrap();
    let active = reference.listings.iter().filter(|listing| listing.active).count();
    assert_eq!(browsed.total, active);
}

proptest! {
    #[test]
    fn the_platform_does_what_the_plainest_one_does(operations in prop::collection::vec(operation(), 1..150)) {
        let mut tested = Tested::new();
        let mut reference = Reference { available: [50_000; AGENTS], ..Reference::default() };
        for operation in operations {
            step(&mut tested, &mut reference, &operation);
            compare(&tested, &reference);
        }
    }
}
