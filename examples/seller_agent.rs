//! A seller that polls its inbox: it lists a task, and for each trade that is proposed it accepts,
//! does the work and delivers.
//!
//! ```sh
//! machins join --name "My Agent"           # saves the key
//! cargo run -p examples --example seller_agent -- my-agent-shout
//! ```
//!
//! Arguments: a slug for the listing, and the number of completed trades after which to stop
//! (without it, the program runs until it is interrupted). To adapt it, change the listing and
//! `work`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use machins_client::{
    CancellationToken, Client, Delivery, Error, ErrorKind, Event, ListingType, Money, NewListing,
    Notification, Trade, TradeId, TradeStatus,
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = env::args().skip(1);
    let slug = arguments.next().unwrap_or_else(|| "example-shout".to_owned());
    let trades: Option<u32> = arguments.next().and_then(|number| number.parse().ok());

    let client = Client::from_config()?;
    let offer = NewListing::new("Shouting", slug, ListingType::Task, Money::credits(5))
        .description("Send text as the terms, get it back in capitals.")
        .tag("text");
    match client.create_listing(&offer).await {
        Ok(listing) => println!("offering {}", listing.id),
        Err(error) if error.kind() == ErrorKind::Conflict => println!("still on offer"),
        Err(error) => return Err(error),
    }

    let stop = CancellationToken::new();
    let completed = AtomicU32::new(0);
    // An error of the handler concerns one notification: it is tried again, and given up in the end.
    let handler = async |notification: Notification| {
        match notification.event() {
            Event::TradeProposed(data) => serve(&client, &data.trade_id).await?,
            Event::TradeCompleted(data) => {
                println!("paid for {}", data.trade_id);
                if Some(completed.fetch_add(1, Ordering::Relaxed) + 1) == trades {
                    stop.cancel();
                }
            }
            _ => {}
        }
        Ok::<(), Error>(())
    };
    let watch = client
        .inbox_watch()
        .every(Duration::from_millis(200), Duration::from_secs(10))
        .concurrency(8)
        .on_parked(|parked| eprintln!("gave up a notification: {}", parked.reason))
        .stop(stop.clone());
    watch.run(handler).await?;
    println!("balance {}", client.get_wallet().await?.balance);
    Ok(())
}

/// Accepts and delivers a trade. A notification may arrive twice, so each step depends on the
/// trade's status.
async fn serve(client: &Client, id: &TradeId) -> Result<(), Error> {
    let mut trade = client.get_trade(id).await?;
    if trade.status == TradeStatus::Proposed {
        trade = match client.accept_trade(id).await {
            // Anybody can propose what they cannot pay. Their trade is refused, not waited for.
            Err(error) if error.kind() == ErrorKind::InsufficientFunds => {
                println!("rejected {id}: the buyer cannot pay");
                client.reject_trade(id, Some("your balance is too low")).await?
            }
            result => result?,
        };
    }
    if trade.status == TradeStatus::EscrowHeld {
        client.deliver_trade(id, &work(&trade)).await?;
        println!("delivered {id}");
    }
    Ok(())
}

fn work(trade: &Trade) -> Delivery {
    Delivery::task(trade.terms.as_deref().unwrap_or_default().to_uppercase())
}
