//! Compares the logs of the agents with the state of the server.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use machins_client::{Role, TradeStatus};
use machins_mock::{AccountKind, Ledger};

use crate::agent::{Agent, Entry, Job, NEW_TITLE, Outcome};
use crate::plan::{ListingEnd, Plan};
use crate::world::World;

/// What an agent has when it has joined.
const STARTER_CENTS: i64 = 50_000;

/// Checks that every outcome that the client returned is true. No call is under way any more.
pub(crate) fn outcomes_are_true(round: &[Entry], plan: &Plan, world: &World) {
    for entry in round {
        let found = effect(&entry.job, plan, world);
        match &entry.outcome {
            Outcome::Done { id } => assert_eq!(found.as_ref(), Some(id), "untrue: {entry:?}"),
            Outcome::Failed(_) => assert_eq!(found, None, "untrue: {entry:?}"),
            Outcome::Unknown(_) => {}
        }
    }
}

/// Returns the id of the result of a job, if the job has taken effect.
fn effect(job: &Job, plan: &Plan, world: &World) -> Option<String> {
    let listing = |place: usize| world.listings.get(&plan.listings[place].slug);
    let trade = |place: usize| world.trades.get(&plan.trades[place].reference);
    match job {
        Job::Join { slug } => world.agents.get(slug).cloned(),
        Job::List(place) => listing(*place).map(|listing| listing.id.clone()),
        Job::Retitle(place) => listing(*place)
            .filter(|listing| listing.title == NEW_TITLE)
            .map(|listing| listing.id.clone()),
        Job::TakeDown(place) => listing(*place)
            .filter(|listing| listing.status == "inactive")
            .map(|listing| listing.id.clone()),
        Job::Propose(place) => trade(*place).map(|trade| trade.id.clone()),
        Job::Act(place, action) => trade(*place)
            .filter(|trade| trade.status.has_passed(&action.to()).unwrap())
            .map(|trade| trade.id.clone()),
        Job::Review { trade: place, reviewer_id } => {
            let review = (trade(*place)?.id.clone(), reviewer_id.clone());
            world.reviews.get(&review).cloned()
        }
    }
}

/// Checks that everything in the plan exists once, nothing else does, and every balance is right.
pub(crate) fn everything_is_as_intended(
    plan: &Plan,
    agents: &[Agent],
    world: &World,
    ledger: &Ledger,
) {
    assert_eq!(world.trades.len(), plan.trades.len());
    for trade in &plan.trades {
        let status = &world.trades[&trade.reference].status;
        assert!(trade.is_met(status), "{}: {:?}, not {status}", trade.reference, trade.goal);
    }
    assert_eq!(world.listings.len(), plan.listings.len());
    for listing in &plan.listings {
        let found = &world.listings[&listing.slug];
        assert_eq!(found.title == NEW_TITLE, listing.end == ListingEnd::Retitled);
        assert_eq!(found.status == "inactive", listing.end == ListingEnd::TakenDown);
    }
    let completed = |trade: &&crate::plan::Trade| {
        trade.reviewed && world.trades[&trade.reference].status == TradeStatus::Completed
    };
    assert_eq!(world.reviews.len(), 2 * plan.trades.iter().filter(completed).count());
    // Agents whose keys were lost exist too, but no agent that was not requested.
    let asked: HashSet<_> = agents.iter().flat_map(Agent::slugs).collect();
    assert!(world.agents.keys().all(|slug| asked.contains(slug.as_str())));

    assert!(ledger.balanced, "{ledger:?}");
    assert_eq!(ledger.total, "0.00");
    let expected = balances(plan, agents, world);
    for account in &ledger.accounts {
        let slug = account.agent_slug.clone().unwrap_or_default();
        let expected = expected.get(&(account.account, slug)).copied().unwrap_or_default();
        assert_eq!(cents(&account.balance), expected, "{account:?}");
    }
}

/// Returns the balance of every account if each trade has happened once.
fn balances(plan: &Plan, agents: &[Agent], world: &World) -> BTreeMap<(AccountKind, String), i64> {
    let mut accounts: BTreeMap<(AccountKind, String), i64> = BTreeMap::new();
    let mut add = |kind, slug: &str, cents| {
        *accounts.entry((kind, slug.to_owned())).or_default() += cents;
    };
    for slug in world.agents.keys() {
        add(AccountKind::Issuance, "", -STARTER_CENTS);
        add(AccountKind::Available, slug, STARTER_CENTS);
    }
    let mut taken_over = HashSet::new();
    for trade in &plan.trades {
        let status = &world.trades[&trade.reference].status;
        if status.has_passed(&TradeStatus::EscrowHeld).unwrap() {
            taken_over.insert(trade.listing);
        }
        let cents = plan.listings[trade.listing].cents;
        let buyer = agents[plan.party(trade, &Role::Buyer)].slug();
        let seller = agents[plan.party(trade, &Role::Seller)].slug();
        match status {
            TradeStatus::Completed => {
                let fee = (cents * 5 + 50) / 100;
                add(AccountKind::Available, buyer, -cents);
                add(AccountKind::Available, seller, cents - fee);
                add(AccountKind::Fees, "", fee);
            }
            TradeStatus::Disputed => {
                add(AccountKind::Available, buyer, -cents);
                add(AccountKind::Held, buyer, cents);
            }
            _ => {}
        }
    }
    for (place, listing) in plan.listings.iter().enumerate() {
        let holds = listing.bounty && listing.end != ListingEnd::TakenDown;
        if holds && !taken_over.contains(&place) {
            let owner = agents[listing.owner].slug();
            add(AccountKind::Available, owner, -listing.cents);
            add(AccountKind::Held, owner, listing.cents);
        }
    }
    accounts
}

fn cents(balance: &str) -> i64 {
    let (_, decimals) = balance.split_once('.').unwrap();
    assert_eq!(decimals.len(), 2);
    balance.replace('.', "").parse().unwrap()
}

/// The totals of a run.
#[derive(Default)]
pub(crate) struct Figures {
    calls: u64,
    /// Done, failed with each kind, unknown.
    outcomes: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
}

impl Figures {
    pub(crate) fn count_outcomes(&mut self, round: &[Entry]) {
        self.calls += round.len() as u64;
        for entry in round {
            let outcome = match &entry.outcome {
                Outcome::Done { .. } => "done".to_owned(),
                Outcome::Failed(kind) => format!("failed: {kind}"),
                Outcome::Unknown(kind) => format!("outcome unknown: {kind}"),
            };
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }

    pub(crate) fn count_failures(&mut self, hits: Vec<(String, u64)>) {
        for (kind, hits) in hits {
            *self.failures.entry(kind).or_default() += hits;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls: {:?}\nfailures: {:?}", self.calls, self.outcomes, self.failures)
    }
}
