//! One relay for several agents: each has its own subjects and lease, and none holds up another.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use machins_mock::{Conditions, Fault};
use machins_relay::{NatsConnection, Notice, Relay, RelayError};
use support::{
    LIMIT, Replica, Route, RouteState, Seller, Stored, World, jetstream, stored, stream,
};
use test_support::NatsServer;

/// Starts a relay for the seller of a world and another one.
fn run(world: &World, other: &Seller, nats: &NatsServer) -> Replica {
    let relay = world.relay().agent(&other.client, other.agent.clone());
    Replica::start(relay, NatsConnection::new(&nats.url()).unwrap(), &stream())
}

fn is_of(agent: &machins_client::AgentId) -> impl Fn(&&Stored) -> bool {
    let beginning = format!("machins.{agent}.");
    move |stored| stored.subject.starts_with(&beginning)
}

#[tokio::test]
async fn each_agent_has_its_own_subjects_and_lease() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let eve = Seller::join(&world.market, "eve").await;
    let (of_ada, of_eve) = (world.propose().await, world.propose_to(&eve).await);
    let replica = run(&world, &eve, &nats);
    let stored = stored(&nats, 2).await;
    for (agent, trade) in [(&world.agent, &of_ada), (&eve.agent, &of_eve)] {
        let own = stored.iter().find(is_of(agent)).unwrap();
        assert_eq!(own.event.subject.as_deref(), Some(trade.as_str()));
        assert!(own.event.source.ends_with(agent.as_str()), "{own:?}");
        assert!(own.message_id.starts_with(agent.as_str()), "{own:?}");
    }
    let leases = jetstream(&nats).await.get_key_value("machins-relay").await.unwrap();
    for agent in [&world.agent, &eve.agent] {
        assert!(leases.get(agent.as_str()).await.unwrap().is_some(), "{agent}");
    }
    let acknowledged = Conditions::new().method("POST").path("/api/v1/inbox/ack");
    world.market.wait_for_requests(acknowledged, 2, LIMIT).await.unwrap();
    replica.stop().await;
    assert_eq!((world.unread().await.len(), eve.unread().await), (0, 0));
}

#[tokio::test]
async fn an_agent_whose_key_is_invalid_ends_alone() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let eve = Seller::join(&world.market, "eve").await;
    let refused = Fault::status(401).path("/api/v1/inbox").agent("eve");
    let fault = world.market.fault_scoped(refused).unwrap();
    let mut replica = run(&world, &eve, &nats);
    let is_lost = |notice: &Notice| matches!(notice, Notice::InboxLost(..));
    replica.wait_for(is_lost).await;
    world.propose().await;
    stored(&nats, 1).await;
    world.drained().await;
    // The last one ends the relay.
    world.market.add_fault(Fault::status(401).path("/api/v1/inbox").agent("ada")).unwrap();
    let error = replica.ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Inbox(_)), "{error:?}");
    drop(fault);
}

/// Starts a relay that cannot reach the inbox any more.
async fn run_into_outage(world: &World, nats: &NatsServer) -> (Replica, Route) {
    let route = Route::open(&world.market).await;
    let relay = Relay::new()
        .agent(&route.client(&world.key), world.agent.clone())
        .every(Duration::from_millis(5), Duration::from_millis(20))
        .lease_time(Duration::from_secs(1));
    let mut replica = Replica::start(relay, NatsConnection::new(&nats.url()).unwrap(), &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    route.set(RouteState::Cut);
    replica.wait_for(|notice| matches!(notice, Notice::Unreachable(_))).await;
    (replica, route)
}

#[tokio::test]
async fn a_refusal_after_an_outage_ends_the_relay() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (replica, route) = run_into_outage(&world, &nats).await;
    world.market.add_fault(Fault::status(403).path("/api/v1/inbox")).unwrap();
    route.set(RouteState::Open);
    let error = replica.ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Inbox(_)), "{error:?}");
}

#[tokio::test]
async fn a_relay_stops_while_the_service_is_silent() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (replica, mut route) = run_into_outage(&world, &nats).await;
    // A call to a service that is silent ends after a minute.
    route.set(RouteState::Silent);
    route.awaited().await;
    replica.stop().await;
}

#[tokio::test]
async fn a_replica_alone_goes_on_after_an_outage() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let (mut replica, route) = run_into_outage(&world, &nats).await;
    world.propose().await;
    route.set(RouteState::Open);
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    stored(&nats, 1).await;
    world.drained().await;
    replica.stop().await;
}

#[tokio::test]
async fn a_busy_agent_does_not_hold_up_another() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let world = World::start().await;
    let eve = Seller::join(&world.market, "eve").await;
    for _ in 0..300 {
        world.propose().await;
    }
    world.propose_to(&eve).await;
    let replica = run(&world, &eve, &nats);
    let stored = stored(&nats, 301).await;
    replica.stop().await;
    let place = stored.iter().position(|stored| is_of(&eve.agent)(&stored)).unwrap();
    assert!(place < 150, "{place}");
}

/// Several replicas that read the inboxes of nine agents.
mod shares {
    use std::collections::BTreeMap;

    use async_nats::jetstream::kv::{Entry, Operation, Store};
    use futures_util::{StreamExt, TryStreamExt};
    use machins_client::{ApiKey, Client};

    use super::*;

    const AGENTS: usize = 9;

    struct Replicas {
        world: World,
        sellers: Vec<Seller>,
        nats: NatsServer,
        leases: Store,
        running: Vec<Replica>,
    }

    impl Replicas {
        /// Starts one replica.
        async fn start(nats: NatsServer) -> Self {
            let world = World::start().await;
            let mut sellers = Vec::new();
            for number in 1..AGENTS {
                sellers.push(Seller::join(&world.market, &format!("seller-{number}")).await);
            }
            let mut first = start(world.relay(), &sellers, &nats);
            for _ in 0..AGENTS {
                first.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
            }
            let leases = jetstream(&nats).await.get_key_value("machins-relay").await.unwrap();
            Self { world, sellers, nats, leases, running: vec![first] }
        }

        fn add(&mut self) {
            self.add_with(self.world.relay());
        }

        fn add_with(&mut self, relay: Relay) {
            self.running.push(start(relay, &self.sellers, &self.nats));
        }

        /// The number of inboxes that each replica reads, sorted.
        async fn shares(&self) -> Vec<usize> {
            let mut shares = BTreeMap::<_, usize>::new();
            let keys: Vec<String> = self.leases.keys().await.unwrap().try_collect().await.unwrap();
            for key in keys {
                if let Some(holder) = self.leases.get(&key).await.unwrap() {
                    *shares.entry(holder).or_default() += 1;
                }
            }
            let mut shares: Vec<usize> = shares.into_values().collect();
            shares.sort_unstable();
            shares
        }

        async fn wait_for_shares(&self, expected: &[usize]) {
            let reached = async {
                while self.shares().await != expected {
                    tokio::task::yield_now().await;
                }
            };
            if tokio::time::timeout(LIMIT, reached).await.is_err() {
                assert_eq!(self.shares().await, expected);
            }
        }

        /// Waits until leases were renewed or changed hands so many times for each agent.
        async fn changes(&self, times: usize) -> Vec<Entry> {
            let changes = self.leases.watch_all().await.unwrap().take(times * AGENTS).try_collect();
            tokio::time::timeout(LIMIT, changes).await.unwrap().unwrap()
        }

        /// Checks that each inbox is read: its event is stored.
        async fn check_that_all_are_read(&self, stored_before: usize) {
            self.world.propose().await;
            for seller in &self.sellers {
                self.world.propose_to(seller).await;
            }
            stored(&self.nats, stored_before + AGENTS).await;
        }
    }

    fn start(relay: Relay, sellers: &[Seller], nats: &NatsServer) -> Replica {
        let relay = sellers
            .iter()
            .fold(relay, |relay, seller| relay.agent(&seller.client, seller.agent.clone()));
        Replica::start(relay, NatsConnection::new(&nats.url()).unwrap(), &stream())
    }

    #[tokio::test]
    async fn replicas_read_equally_many_inboxes() {
        let Some(nats) = NatsServer::start(&[]) else { return };
        let mut replicas = Replicas::start(nats).await;
        replicas.wait_for_shares(&[9]).await;
        // The time of the first one holds for all.
        replicas.add_with(replicas.world.relay().lease_time(Duration::from_mins(10)));
        replicas.wait_for_shares(&[4, 5]).await;
        replicas.add();
        replicas.wait_for_shares(&[3, 3, 3]).await;
        replicas.check_that_all_are_read(0).await;

        replicas.running.remove(0).kill().await;
        replicas.wait_for_shares(&[4, 5]).await;
        replicas.check_that_all_are_read(AGENTS).await;

        replicas.running.remove(0).stop().await;
        replicas.wait_for_shares(&[9]).await;
        replicas.check_that_all_are_read(2 * AGENTS).await;
        replicas.running.remove(0).stop().await;
    }

    #[tokio::test]
    async fn an_inbox_stays_where_it_is_while_nothing_changes() {
        let Some(nats) = NatsServer::start(&[]) else { return };
        let mut replicas = Replicas::start(nats).await;
        replicas.add();
        replicas.add();
        replicas.wait_for_shares(&[3, 3, 3]).await;
        let mut holders = BTreeMap::new();
        for change in replicas.changes(5).await {
            assert_eq!(change.operation, Operation::Put, "{change:?}");
            let before = holders.insert(change.key.clone(), change.value.clone());
            assert!(before.is_none_or(|before| before == change.value), "{change:?}");
        }
        assert_eq!(holders.len(), AGENTS);
    }

    #[tokio::test]
    async fn a_replica_whose_keys_are_refused_takes_no_share() {
        let Some(nats) = NatsServer::start(&[]) else { return };
        let mut replicas = Replicas::start(nats).await;
        // It has the right key of one agent only.
        let url = replicas.world.market.machins_base_url();
        let key = ApiKey::new("at_revoked_long_ago").unwrap();
        let client = Client::builder().base_url(url).api_key(key).build().unwrap();
        let relay = replicas.sellers.iter().fold(replicas.world.relay(), |relay, seller| {
            relay.agent(&client, seller.agent.clone())
        });
        let connection = NatsConnection::new(&replicas.nats.url()).unwrap();
        let mut other = Replica::start(relay, connection, &stream());
        other.wait_for(|notice| matches!(notice, Notice::InboxLost(..))).await;
        let first = &mut replicas.running[0];
        first.wait_for(|notice| matches!(notice, Notice::Standby(_))).await;
        replicas.changes(6).await;
        replicas.check_that_all_are_read(0).await;
    }

    #[tokio::test]
    async fn what_a_replica_cannot_reach_is_read_by_others() {
        let Some(nats) = NatsServer::start(&[]) else { return };
        let replicas = Replicas::start(nats).await;
        let world = &replicas.world;
        let route = Route::open(&world.market).await;
        let relay = Relay::new().every(Duration::from_millis(5), Duration::from_millis(20));
        let relay = relay.agent(&route.client(&world.key), world.agent.clone());
        let relay = replicas.sellers.iter().fold(relay, |relay, seller| {
            relay.agent(&route.client(&seller.key), seller.agent.clone())
        });
        let connection = NatsConnection::new(&replicas.nats.url()).unwrap();
        let mut other = Replica::start(relay, connection, &stream());
        replicas.wait_for_shares(&[4, 5]).await;

        route.set(RouteState::Cut);
        other.wait_for(|notice| matches!(notice, Notice::Unreachable(_))).await;
        replicas.wait_for_shares(&[9]).await;
        replicas.check_that_all_are_read(0).await;

        route.set(RouteState::Open);
        replicas.wait_for_shares(&[4, 5]).await;
        replicas.check_that_all_are_read(AGENTS).await;
        other.stop().await;
    }

    #[tokio::test]
    async fn replicas_of_other_agents_are_not_counted() {
        let Some(nats) = NatsServer::start(&[]) else { return };
        let replicas = Replicas::start(nats).await;
        // It reads one inbox of its own and one that the first may read, too.
        let eve = Seller::join(&replicas.world.market, "eve").await;
        let mut other = run(&replicas.world, &eve, &replicas.nats);
        other.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
        replicas.changes(6).await;
        replicas.wait_for_shares(&[1, 9]).await;
        replicas.world.propose_to(&eve).await;
        stored(&replicas.nats, 1).await;
        replicas.check_that_all_are_read(1).await;
    }
}
