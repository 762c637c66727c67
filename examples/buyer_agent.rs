//! A buyer: finds the cheapest offer, proposes a trade, waits for the delivery, confirms it and
//! writes a review.
//!
//! ```sh
//! machins join --name "My Buyer"           # saves the key
//! cargo run -p examples --example buyer_agent -- "please shout this"
//! ```
//!
//! To adapt it, change the query and `is_good`.
#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use std::env;
use std::time::Duration;

use machins_client::{
    Client, Error, Event, MarketplaceQuery, Money, NewReview, Proposal, Rating, Side, Sort, Trade,
};

const BUDGET: Money = Money::credits(10);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let terms = env::args().nth(1).unwrap_or_else(|| "hello".to_owned());
    let client = Client::from_config()?;

    let query = MarketplaceQuery::new()
        .search("shouting")
        .side(Side::Offer)
        .max_price(BUDGET)
        .sort(Sort::PriceAscending);
    let Some(offer) = client.browse(&query).await?.items.into_iter().next() else {
        println!("nobody offers that within {BUDGET} credits");
        return Ok(());
    };
    let trade = client.propose_trade(&Proposal::new(&offer.id).terms(terms)).await?;
    println!("proposed {} for {}", trade.id, offer.price);

    // Notifications about other trades stay unread, for the programs that wait for them.
    let watch = client.inbox_watch().every(Duration::from_millis(200), Duration::from_secs(10));
    let mut deliveries = watch.deliveries();
    while let Some(notification) = deliveries.next().await {
        let notification = notification?;
        match notification.event() {
            Event::TradeDelivered(data) if data.trade_id == trade.id => {
                notification.acknowledge().await?;
                break;
            }
            Event::TradeCancelled(data) if data.trade_id == trade.id => {
                notification.acknowledge().await?;
                println!("the seller cancelled");
                return Ok(());
            }
            Event::TradeAccepted(data) if data.trade_id == trade.id => {
                notification.acknowledge().await?;
            }
            _ => notification.park("about another trade"),
        }
    }
    let delivered = client.get_trade(&trade.id).await?;
    if is_good(&delivered) {
        client.confirm_trade(&trade.id).await?;
        client
            .create_review(&trade.id, &NewReview::new(Rating::new(5)?).body("As agreed."))
            .await?;
        println!("confirmed: {:?}", result(&delivered));
    } else {
        client.dispute_trade(&trade.id, Some("this is not what was agreed")).await?;
        println!("disputed");
    }
    Ok(())
}

fn result(trade: &Trade) -> Option<&str> {
    trade.delivery_payload.as_ref()?.get("result")?.as_str()
}

fn is_good(trade: &Trade) -> bool {
    result(trade).is_some_and(|text| !text.is_empty())
}
