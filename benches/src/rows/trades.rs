//! Whole trades: proposed, accepted, delivered, confirmed.

use std::net::SocketAddr;

use futures_util::future::try_join_all;
use machins_mock::{MockServer, NewAgent};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns, micros_each};
use crate::load::{Connection, request};
use crate::lock_time::{self, Held};
use crate::report::{Figure, Line};

/// The number of trades in a round, for any number of agents.
const TRADES: u32 = 1_280;
/// The maximum number of rounds in which the time under the lock is added up.
const LOCK_ROUNDS: usize = 10;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut one = TradingServer::open(&runtime, 1)?;
    let mut eight = TradingServer::open(&runtime, 8)?;
    let mut many = TradingServer::open(&runtime, 64)?;
    let samples = in_turns(
        rounds,
        [&mut || one.round(&runtime), &mut || eight.round(&runtime), &mut || many.round(&runtime)],
    )?;
    let line = |side, agents: &str| {
        Line::new(10, format!("trades by {agents}"), "trades/s", samples.figure(side))
    };
    // It is a fall if the ratio is below one in at least three quarters of the rounds.
    let ratio = samples.ratio(2, 1);
    // In a world of its own, so that the number of rounds does not change its size.
    let mut fresh = TradingServer::open(&runtime, 64)?;
    let held = (0..rounds.min(LOCK_ROUNDS)).map(|_| {
        let (round, held) = lock_time::during(Held::Marketplace, || fresh.round(&runtime))?;
        round?;
        Ok(held.as_secs_f64() * 1e6 / f64::from(TRADES))
    });
    let held = held.collect::<Result<Vec<_>>>()?;
    Ok(vec![
        line(0, "1 agent"),
        line(1, "8 agents"),
        line(2, "64 agents")
            .against("8 agents", samples.figure(1), ratio)
            .goal_text("no fall", ratio.high >= 1.0),
        Line::new(
            10,
            "a trade's four requests hold the marketplace's lock",
            "µs",
            Figure::of(held.into_iter()),
        ),
    ])
}

/// A server with agents that buy concurrently, each from its own seller.
struct TradingServer {
    _server: MockServer,
    pairs: Vec<Pair>,
}

impl TradingServer {
    fn open(runtime: &Runtime, pairs: u32) -> Result<Self> {
        let server = MockServer::builder().max_world_bytes(usize::MAX).start()?;
        let pairs = (0..pairs).map(|number| runtime.block_on(Pair::open(&server, number)));
        let pairs = pairs.collect::<Result<_>>()?;
        Ok(Self { _server: server, pairs })
    }

    /// Measures the trades per second.
    fn round(&mut self, runtime: &Runtime) -> Result<f64> {
        let each = TRADES / u32::try_from(self.pairs.len())?;
        let all = micros_each(1, || {
            runtime.block_on(try_join_all(self.pairs.iter_mut().map(|pair| pair.trade(each))))?;
            Ok(())
        })?;
        Ok(f64::from(TRADES) / all * 1e6)
    }
}

struct Pair {
    buyer: Party,
    seller: Party,
    listing: String,
}

impl Pair {
    async fn open(server: &MockServer, number: u32) -> Result<Self> {
        let buyer = server.create_agent(NewAgent::new().credits(1_000_000))?;
        let seller = server.create_agent(NewAgent::new())?;
        let buyer = Party::open(server.addr(), buyer.api_key).await?;
        let mut seller = Party::open(server.addr(), seller.api_key).await?;
        let listing = json!({
            "title": "Sentiment Analysis",
            "slug": format!("sentiment-analysis-{number}"),
            "listing_type": "task",
            "price": 1,
        });
        let listing = seller.post("listings", &listing).await?;
        Ok(Self { buyer, seller, listing })
    }

    async fn trade(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            let trade = self.buyer.post("trades", &json!({"listing_id": self.listing})).await?;
            self.seller.post(&format!("trades/{trade}/accept"), &json!({})).await?;
            let delivery = json!({"payload": {"result": "positive"}});
            self.seller.post(&format!("trades/{trade}/deliver"), &delivery).await?;
            self.buyer.post(&format!("trades/{trade}/confirm"), &json!({})).await?;
        }
        Ok(())
    }
}

struct Party {
    connection: Connection,
    key: String,
}

impl Party {
    async fn open(address: SocketAddr, key: String) -> Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, key })
    }

    /// Posts a body and returns the id in the reply.
    async fn post(&mut self, path: &str, body: &Value) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            id: String,
        }

        let asked = request(&format!("/api/v1/{path}"), ("x-api-key", &self.key), Some(body));
        let Created { id } = self.connection.exchange_json(&asked).await?;
        Ok(id)
    }
}
