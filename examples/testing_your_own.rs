//! How to test your own code: a function that buys, tested against a mock server with faults and
//! virtual time. Run it with `cargo test -p examples --example testing_your_own`.
//!
//! To adapt it, put your function where `buy` is.

use machins_client::{Client, Error, ListingId, Proposal, Trade};

/// The code under test: proposes a trade.
///
/// # Errors
/// Returns the errors of [`Client::propose_trade`](machins_client::Api::propose_trade).
pub async fn buy(client: &Client, listing: &ListingId) -> Result<Trade, Error> {
    client.propose_trade(&Proposal::new(listing).terms("as described")).await
}

fn main() {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machins_client::{
        ApiKey, ErrorKind, ListingType, MockClock, Money, NewListing, TradeQuery,
    };
    use machins_mock::{Fault, Method, MockServer, NewAgent};

    use super::*;

    /// Starts a server with a seller's listing, which expires after an hour, and a buyer.
    async fn setup() -> (MockServer, ListingId, Client) {
        let server = MockServer::start().await;
        let client = |slug: &str| {
            let agent = server.create_agent(NewAgent::new().slug(slug)).unwrap();
            Client::builder()
                .api_key(ApiKey::new(&agent.api_key).unwrap())
                .base_url(server.machins_base_url())
                // With this clock, the waits between retries take no time.
                .options(machins_client::ClientOptions::new().clock(MockClock::new(0.5)))
                .build()
                .unwrap()
        };
        let offer = NewListing::new("Work", "work", ListingType::Task, Money::credits(5));
        let listing = client("seller").create_listing(&offer.expires_in_hours(1)).await.unwrap();
        let buyer = client("buyer");
        (server, listing.id, buyer)
    }

    #[tokio::test]
    async fn a_lost_reply_makes_no_second_trade() {
        let (server, listing, buyer) = setup().await;
        server.expect(Method::POST, "/api/v1/trades", 1..=1);
        server
            .add_fault(Fault::drop_after().method("POST").path("/api/v1/trades").times(1))
            .unwrap();
        let trade = buy(&buyer, &listing).await.unwrap();
        let all = buyer.list_trades(&TradeQuery::new()).await.unwrap();
        assert_eq!(all.items.iter().map(|trade| &trade.id).collect::<Vec<_>>(), [&trade.id]);
    }

    #[tokio::test]
    async fn an_outage_leaves_the_outcome_unknown() {
        let (server, listing, buyer) = setup().await;
        let _outage = server.fault_scoped(Fault::status(503)).unwrap();
        assert_eq!(buy(&buyer, &listing).await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    }

    #[tokio::test]
    async fn an_expired_listing_can_not_be_bought() {
        let (server, listing, buyer) = setup().await;
        server.clock().advance(Duration::from_hours(2)).unwrap();
        let error = buy(&buyer, &listing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTransition);
    }
}
