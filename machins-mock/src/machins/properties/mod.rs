//! Random operations of many agents and clock jumps, compared with a simpler implementation.

mod pages;
mod reference;
mod tested;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use self::pages::{List, Part, list, part};
use self::reference::{AGENTS, Action, Listed, Reference};
use self::tested::Tested;
use super::error::ErrorCode;
use super::marketplace::MarketplaceQuery;
use super::money::Money;
use super::page::Window;
use super::platform::Machins;
use super::records::Account;

#[derive(Debug, Clone)]
enum Operation {
    List { me: usize, price: i64, request: bool, bounty: bool, auto: bool, hours: Option<u64> },
    Unlist { me: usize, listing: usize },
    Reprice { me: usize, listing: usize, price: i64 },
    Propose { me: usize, listing: usize },
    Act { me: Option<usize>, trade: usize, action: Action },
    Acknowledge { me: usize, nth: usize },
    Read { me: usize, list: List, part: Part },
    Wait { hours: u64 },
    StoreAndLoad,
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
        14 => (prop::option::weighted(0.2, me.clone()), which, action())
            .prop_map(|(me, trade, action)| Operation::Act { me, trade, action }),
        2 => (me.clone(), 1..5_usize).prop_map(|(me, nth)| Operation::Acknowledge { me, nth }),
        6 => (me, list(), part()).prop_map(|(me, list, part)| Operation::Read { me, list, part }),
        2 => (0..200_u64).prop_map(|hours| Operation::Wait { hours }),
        1 => Just(Operation::StoreAndLoad),
    ]
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
        Operation::Acknowledge { me, nth } => tested.acknowledge(me, nth),
        Operation::Read { me, list, part } => list.compare(me, part, tested, reference),
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
