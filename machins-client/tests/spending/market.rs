//! A marketplace with a seller and a buyer.

use machins_client::{
    ApiKey, Client, ClientBuilder, ErrorKind, Listing, ListingId, ListingType, MemoryIntentStore,
    MemorySpendingStore, MockClock, Money, NewListing, Proposal, SpendingClient, SpendingPolicy,
};
use machins_mock::{MockServer, NewAgent};

pub(crate) type Spending = SpendingClient<machins_client::Async>;

/// A marketplace with a seller, and a buyer whose records are in memory.
pub(crate) struct Market {
    pub(crate) server: MockServer,
    pub(crate) seller: Client,
    pub(crate) buyer: Client,
}

impl Market {
    pub(crate) async fn new() -> Self {
        Self::on(MockServer::start().await)
    }

    pub(crate) fn on(server: MockServer) -> Self {
        let seller = agent(&server, "ada").build().unwrap();
        let buyer = agent(&server, "bob").intent_store(MemoryIntentStore::new()).build().unwrap();
        Self { server, seller, buyer }
    }

    pub(crate) async fn offer(&self, slug: &str, price: i32) -> Listing {
        let new = NewListing::new(slug, slug, ListingType::Task, Money::credits(price)).tag("nlp");
        self.seller.create_listing(&new).await.unwrap()
    }

    pub(crate) fn buyer(&self, policy: SpendingPolicy) -> Spending {
        SpendingClient::new(&self.buyer, policy).store(MemorySpendingStore::new())
    }

    /// A buyer whose waits take no time.
    pub(crate) fn waiting_buyer(&self, policy: SpendingPolicy) -> Spending {
        let options = machins_client::ClientOptions::new().clock(MockClock::new(0.0));
        let buyer = agent(&self.server, "eve").intent_store(MemoryIntentStore::new());
        let buyer = buyer.options(options).build().unwrap();
        SpendingClient::new(&buyer, policy).store(MemorySpendingStore::new())
    }
}

pub(crate) fn agent(server: &MockServer, slug: &str) -> ClientBuilder {
    let key = server.create_agent(NewAgent::new().slug(slug)).unwrap().api_key;
    Client::builder().base_url(server.machins_base_url()).api_key(ApiKey::new(&key).unwrap())
}

pub(crate) fn credits(amount: i32) -> Money {
    Money::credits(amount)
}

/// Buys, and returns the kind of the error if it is refused.
pub(crate) async fn buy(
    client: &Spending,
    key: &str,
    listing: &ListingId,
) -> Result<(), ErrorKind> {
    let bought = client.propose_trade_once(key, &Proposal::new(listing)).await;
    bought.map(drop).map_err(|error| error.kind())
}

pub(crate) async fn trades(client: &Client) -> usize {
    let page = client.list_trades(&machins_client::TradeQuery::new()).await.unwrap();
    page.items.len()
}

/// A proposal with a client reference of the caller.
pub(crate) fn with_reference(listing: &ListingId, reference: i32) -> Proposal {
    Proposal::new(listing).metadata("client_reference", reference)
}
