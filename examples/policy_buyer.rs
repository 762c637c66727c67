//! A buyer under a spending policy: buys each item of a list once, within limits, and asks a person
//! about expensive ones.
//!
//! ```sh
//! machins join --name "My Buyer"           # saves the key
//! cargo run -p examples --example policy_buyer -- LISTING…
//! ```
//!
//! Run it again after a crash, or twice at once: nothing is bought twice. To adapt it, change the
//! limits and `ask`.
#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use std::env;
use std::io;

use machins_client::{
    Approval, Client, Error, ErrorKind, ListingId, Money, Proposal, SpendingClient, SpendingPolicy,
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let policy = SpendingPolicy::new()
        .max_per_trade(Money::credits(50))
        .max_per_day(Money::credits(80))
        .approval_above(Money::credits(30));
    let client = SpendingClient::new(&Client::from_config()?, policy).approve_with(ask);

    for listing in env::args().skip(1) {
        // The name of the intent: one purchase of each listing, however often this runs.
        let key = format!("policy_buyer {listing}");
        let proposal = Proposal::new(&ListingId::new(&listing)?);
        match client.propose_trade_once(&key, &proposal).await {
            Ok(trade) => println!("{listing}: trade {}", trade.id),
            Err(error) if error.kind() == ErrorKind::Policy => println!("{listing}: {error}"),
            Err(error) => return Err(error),
        }
    }
    for limit in client.remaining().await? {
        println!("{}: {} of {} remains", limit.rule, limit.remaining, limit.limit);
    }
    Ok(())
}

/// Asks the person at the terminal.
async fn ask(purchase: Approval) -> bool {
    println!("Buy {:?} for {}? [y/N]", purchase.title(), purchase.amount());
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    matches!(answer.await, Ok(Ok(answer)) if answer.trim() == "y")
}
