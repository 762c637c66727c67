//! Stores in NATS: many processes make one purchase for a key and keep one budget, whatever is killed or
//! stopped. Where there is no `nats-server` these tests say so and pass, unless `REQUIRE_NATS` is set.
#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod locks;
mod many;
mod process;
mod stopped;
mod unusable;

use std::time::Duration;

use machins_client::{
    ApiKey, Client, ClientBuilder, ClientOptions, ListingId, ListingType, Money, NewListing,
    SpendingClient, SpendingPolicy, TradeQuery,
};
use machins_mock::{MockServer, NewAgent};
use machins_relay::{NatsConnection, NatsStore};
use test_support::NatsServer;

/// How long a proposal is searched for before it is sent again.
const RESEND_AFTER: Duration = Duration::from_secs(1);
/// How long a lock lasts whose holder is gone.
const LOCK_TIME: Duration = Duration::from_secs(1);
/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

type Spending = SpendingClient<machins_client::Async>;

/// A marketplace with one listing, for one credit.
struct Market {
    server: MockServer,
    seller: Client,
    listing: ListingId,
    /// The buyer's key.
    key: String,
}

impl Market {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let agent = |slug: &str| server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
        let seller = builder(&server.machins_base_url(), &agent("ada")).build().unwrap();
        let new = NewListing::new("Work", "ada-work", ListingType::Task, Money::credits(1));
        let listing = seller.create_listing(&new).await.unwrap().id;
        let key = agent("bob");
        Self { server, seller, listing, key }
    }

    /// A buyer in this process.
    fn buyer(&self, nats: &NatsServer) -> Client {
        let builder = builder(&self.server.machins_base_url(), &self.key);
        builder.intent_store(store(&nats.url())).build().unwrap()
    }

    fn spender(&self, nats: &NatsServer, most: i32) -> Spending {
        spender(&self.buyer(nats), store(&nats.url()), most)
    }

    /// The ids of all trades, as the seller sees them.
    async fn trades(&self) -> Vec<String> {
        let trades = self.seller.trades_all(&TradeQuery::new());
        let trades: Vec<_> = futures_util::TryStreamExt::try_collect(trades).await.unwrap();
        trades.into_iter().map(|trade: machins_client::Trade| trade.id.to_string()).collect()
    }
}

fn builder(url: &str, key: &str) -> ClientBuilder {
    let key = ApiKey::new(key).unwrap();
    let options = ClientOptions::new().timeout(TIMEOUT);
    Client::builder().base_url(url).api_key(key).options(options).resend_after(RESEND_AFTER)
}

fn store(nats: &str) -> NatsStore {
    NatsStore::new(&NatsConnection::new(nats).unwrap()).lock_time(LOCK_TIME)
}

fn spender(client: &Client, store: NatsStore, most: i32) -> Spending {
    let policy = SpendingPolicy::new().max_per_day(Money::credits(most));
    SpendingClient::new(client, policy).store(store)
}
