//! One agent: the calls that it makes, and its log of their outcomes.

use std::future::{Future, ready};
use std::pin::Pin;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use machins_client::{
    Action, Api, ApiKey, Async, Client, ClientBuilder, ClientOptions, Clock, Deactivated, Delivery,
    Error, ErrorKind, ListingType, ListingUpdate, Money, NewAgent, NewListing, NewReview, Proposal,
    Rating, Role, Transport, blocking,
};
use tokio::runtime::Runtime;

use crate::plan::{ListingEnd, Plan};
use crate::world::World;

/// The new title of a listing that is changed.
pub(crate) const NEW_TITLE: &str = "Better work";

/// One call that an agent makes in a round. Numbers are indexes into the plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Job {
    Join { slug: String },
    List(usize),
    Retitle(usize),
    TakeDown(usize),
    Propose(usize),
    Act(usize, Action),
    Review { trade: usize, reviewer_id: String },
}

/// The outcome of a call, according to the client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The call took effect, on the object with this id.
    Done { id: String },
    /// The call did not take effect.
    Failed(ErrorKind),
    /// The call may have taken effect.
    Unknown(ErrorKind),
}

/// One entry of an agent's log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) job: Job,
    pub(crate) outcome: Outcome,
}

/// An agent and its log.
pub(crate) struct Agent {
    number: usize,
    key: Option<ApiKey>,
    log: Vec<Entry>,
    /// The number of entries before the latest round.
    read: usize,
}

/// A transport whose replies can be awaited, asynchronous or blocking.
trait Caller: Transport {
    fn wait<R: Send + 'static>(
        reply: Self::Reply<R>,
    ) -> impl Future<Output = Result<R, Error>> + Send;
}

impl Caller for Async {
    async fn wait<R: Send + 'static>(reply: Self::Reply<R>) -> Result<R, Error> {
        reply.await
    }
}

impl Caller for blocking::Blocking {
    async fn wait<R: Send + 'static>(reply: Result<R, Error>) -> Result<R, Error> {
        reply
    }
}

/// A clock with real time, but without waits between attempts.
struct WithoutWaits;

impl Clock for WithoutWaits {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }

    fn random(&self) -> f64 {
        0.5
    }
}

impl Agent {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, key: None, log: Vec::new(), read: 0 }
    }

    /// Returns the entries of the latest round.
    pub(crate) fn round(&self) -> &[Entry] {
        &self.log[self.read..]
    }

    /// Returns every slug that the agent has tried to join with.
    pub(crate) fn slugs(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.log.iter().filter_map(|entry| match &entry.job {
            Job::Join { slug } => Some(slug.as_str()),
            _ => None,
        })
    }

    /// Returns the slug that the agent has now, which is the last one.
    pub(crate) fn slug(&self) -> &str {
        self.slugs().next_back().unwrap()
    }

    /// Returns the calls that the agent still has to make, given the state of the world.
    pub(crate) fn jobs(&self, plan: &Plan, world: &World) -> Vec<Job> {
        if self.key.is_none() {
            // If the reply with the key was lost, the agent joins again with another slug.
            let slug = format!("agent-{}-{}", self.number, self.slugs().count());
            return vec![Job::Join { slug }];
        }
        let id = &world.agents[self.slug()];
        let listings = plan.listings.iter().enumerate();
        let own = listings.filter(|(_, listing)| listing.owner == self.number);
        let mut jobs: Vec<_> =
            own.filter_map(|(place, _)| listing_job(plan, world, place)).collect();
        for (place, trade) in plan.trades.iter().enumerate() {
            let listed = world.listings.contains_key(&plan.listings[trade.listing].slug);
            let Some(found) = world.trades.get(&trade.reference) else {
                if listed && trade.proposer == self.number {
                    jobs.push(Job::Propose(place));
                }
                continue;
            };
            let next = trade.next(plan, &found.status).into_iter();
            jobs.extend(
                next.filter(|(by, _)| *by == self.number)
                    .map(|(_, action)| Job::Act(place, action)),
            );
            let is_party = [Role::Buyer, Role::Seller]
                .iter()
                .any(|role| plan.party(trade, role) == self.number);
            let review = (found.id.clone(), id.clone());
            let wanted = trade.reviewed && found.status.as_str() == "completed";
            if is_party && wanted && !world.reviews.contains_key(&review) {
                jobs.push(Job::Review { trade: place, reviewer_id: review.1 });
            }
        }
        jobs
    }

    fn client(&self, base_url: &str) -> ClientBuilder {
        // A reply that takes longer counts as one more failure.
        let limit = Duration::from_millis(300);
        let options = ClientOptions::new().attempt_timeout(limit).clock(WithoutWaits);
        let builder = Client::builder().base_url(base_url).options(options);
        match &self.key {
            Some(key) => builder.api_key(key.clone()),
            None => builder,
        }
    }

    async fn work<T: Caller>(&mut self, api: Api<T>, plan: &Plan, world: &World) {
        self.read = self.log.len();
        for job in self.jobs(plan, world) {
            let outcome = self.ask(&api, &job, plan, world).await;
            self.log.push(Entry { job, outcome });
        }
    }

    async fn ask<T: Caller>(
        &mut self,
        api: &Api<T>,
        job: &Job,
        plan: &Plan,
        world: &World,
    ) -> Outcome {
        let listing_id =
            |place: usize| world.listings[&plan.listings[place].slug].id.parse().unwrap();
        let trade_id =
            |place: usize| world.trades[&plan.trades[place].reference].id.parse().unwrap();
        match job {
            Job::Join { slug } => {
                let joined = T::wait(api.join(&NewAgent::new("Agent", slug))).await;
                self.key = joined.as_ref().ok().map(|joined| joined.api_key.clone());
                outcome(joined, |joined| joined.agent_id.unwrap())
            }
            Job::List(place) => {
                outcome(T::wait(api.create_listing(&new_listing(plan, *place))).await, |listing| {
                    listing.id
                })
            }
            Job::Retitle(place) => {
                let update = ListingUpdate::new().title(NEW_TITLE);
                let changed = T::wait(api.update_listing(&listing_id(*place), &update)).await;
                outcome(changed, |listing| listing.id)
            }
            Job::TakeDown(place) => {
                repeatable(T::wait(api.deactivate_listing(&listing_id(*place))).await)
            }
            Job::Propose(place) => {
                let trade = &plan.trades[*place];
                let proposal = Proposal::new(&listing_id(trade.listing))
                    .metadata("client_reference", trade.reference.as_str());
                outcome(T::wait(api.propose_trade(&proposal)).await, |trade| trade.id)
            }
            Job::Act(place, action) => {
                let id = trade_id(*place);
                let reply = match action {
                    Action::Accept => api.accept_trade(&id),
                    Action::Reject => api.reject_trade(&id, None),
                    Action::Cancel => api.cancel_trade(&id, Some("changed my mind")),
                    Action::Deliver => api.deliver_trade(&id, &Delivery::task("done")),
                    Action::Confirm => api.confirm_trade(&id),
                    Action::Dispute => api.dispute_trade(&id, None),
                    other => panic!("{other:?} is new"),
                };
                outcome(T::wait(reply).await, |trade| {
                    assert_eq!(
                        trade.status.has_passed(&action.to()),
                        Some(true),
                        "{job:?}: {trade:?}"
                    );
                    trade.id
                })
            }
            Job::Review { trade, .. } => {
                let review = NewReview::new(Rating::new(4).unwrap()).body("Fast");
                outcome(T::wait(api.create_review(&trade_id(*trade), &review)).await, |review| {
                    review.id.unwrap()
                })
            }
        }
    }
}

fn listing_job(plan: &Plan, world: &World, place: usize) -> Option<Job> {
    let listing = &plan.listings[place];
    let Some(found) = world.listings.get(&listing.slug) else {
        return Some(Job::List(place));
    };
    let mut trades = plan.trades.iter().filter(|trade| trade.listing == place);
    match listing.end {
        ListingEnd::Retitled if found.title != NEW_TITLE => Some(Job::Retitle(place)),
        ListingEnd::TakenDown if found.status == "active" => trades
            .all(|trade| world.trades.contains_key(&trade.reference))
            .then_some(Job::TakeDown(place)),
        _ => None,
    }
}

fn new_listing(plan: &Plan, place: usize) -> NewListing {
    let listing = &plan.listings[place];
    let price: Money = format!("0.{:02}", listing.cents).parse().unwrap();
    let new = NewListing::new("Work", &listing.slug, ListingType::Task, price)
        .side(listing.side.clone())
        .description("Whatever is to be done")
        .tag("work")
        .tag("work");
    let new = if listing.bounty { new.bounty() } else { new };
    if listing.auto_accept { new.auto_accept() } else { new }
}

/// Returns the outcome of a call that may not be repeated: only one kind of error leaves it
/// unknown.
fn outcome<R, I: ToString>(result: Result<R, Error>, id: impl FnOnce(R) -> I) -> Outcome {
    match result {
        Ok(reply) => Outcome::Done { id: id(reply).to_string() },
        Err(error) if error.kind() == ErrorKind::OutcomeUnknown => Outcome::Unknown(error.kind()),
        Err(error) => Outcome::Failed(error.kind()),
    }
}

/// Returns the outcome of an idempotent call: without a readable reply it is unknown.
fn repeatable(result: Result<Deactivated, Error>) -> Outcome {
    match outcome(result, |listing| listing.reply["id"].as_str().unwrap().to_owned()) {
        Outcome::Failed(
            kind @ (ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::Unavailable
            | ErrorKind::UnreadableReply),
        ) => Outcome::Unknown(kind),
        other => other,
    }
}

/// Runs one round: all agents concurrently, every second one with a blocking client on its own
/// thread.
pub(crate) fn all_work(
    runtime: &Runtime,
    agents: &mut [Agent],
    plan: &Plan,
    world: &World,
    base_url: &str,
) {
    let (blocking, asynchronous): (Vec<_>, Vec<_>) =
        agents.iter_mut().partition(|agent| agent.number % 2 == 0);
    thread::scope(|scope| {
        for agent in blocking {
            scope.spawn(move || {
                let client = agent.client(base_url).build_blocking().unwrap();
                agent.work(client, plan, world).now_or_never().expect("it has not waited");
            });
        }
        runtime.block_on(join_all(asynchronous.into_iter().map(|agent| {
            let client = agent.client(base_url).build().unwrap();
            agent.work(client, plan, world)
        })));
    });
}
