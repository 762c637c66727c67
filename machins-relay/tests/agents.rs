//! One relay for several agents: each has its own subjects and lease, and none holds up another.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machins_mock::{Conditions, Fault};
use machins_relay::{NatsConnection, Notice, RelayError};
use support::{LIMIT, Replica, Seller, Stored, World, jetstream, stored, stream};
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
