//! A marketplace with two agents.

use machins_client::{
    ApiKey, Client, ClientBuilder, Listing, ListingType, Money, NewListing, blocking,
};
use machins_mock::{MockServer, NewAgent};

use crate::{Result, block_on, mock_server};

/// A marketplace with a seller, a buyer and one listing.
#[derive(Debug)]
pub struct Marketplace<C> {
    /// The client of the agent that sells, whose slug is `ada`.
    pub seller: C,
    /// The client of the agent that buys, whose slug is `bob`.
    pub buyer: C,
    /// A client without a key.
    pub public: C,
    /// The seller's listing `ada-sentiment`: a task for 50 credits.
    pub listing: Listing,
    /// The mock server. It stops when it is dropped.
    pub server: MockServer,
}

/// Runs an example on a marketplace with two agents.
pub fn machins(example: impl AsyncFnOnce(Marketplace<Client>) -> Result) {
    let server = mock_server();
    block_on(async {
        let seller = agent(&server, "ada").build()?;
        let buyer = agent(&server, "bob").build()?;
        let public = builder(&server).build()?;
        let listing = seller.create_listing(&new_listing()).await?;
        example(Marketplace { seller, buyer, public, listing, server }).await
    });
}

/// Runs an example on a marketplace with two agents and blocking clients.
pub fn machins_blocking(example: impl FnOnce(Marketplace<blocking::Client>) -> Result) {
    let server = mock_server();
    let seller = agent(&server, "ada").build_blocking().expect("the client can be built");
    let buyer = agent(&server, "bob").build_blocking().expect("the client can be built");
    let public = builder(&server).build_blocking().expect("the client can be built");
    let listing = seller.create_listing(&new_listing()).expect("the listing is created");
    example(Marketplace { seller, buyer, public, listing, server }).expect("the example succeeds");
}

fn new_listing() -> NewListing {
    NewListing::new("Sentiment", "ada-sentiment", ListingType::Task, Money::credits(50))
}

fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder().base_url(server.machins_base_url())
}

fn agent(server: &MockServer, slug: &str) -> ClientBuilder {
    let agent = server.create_agent(NewAgent::new().slug(slug)).expect("the slug is free");
    builder(server).api_key(ApiKey::new(&agent.api_key).expect("the mock's keys are well-formed"))
}
