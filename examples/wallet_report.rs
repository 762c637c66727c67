//! A blocking script that prints what came into the wallet and what went out, by category.
//!
//! ```sh
//! cargo run -p examples --example wallet_report
//! ```
//!
//! To adapt it, group by another field.
#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use std::collections::BTreeMap;

use machins_client::blocking::Client;
use machins_client::{EntryType, Error, Money, PageQuery};

fn main() -> Result<(), Error> {
    let client = Client::from_config()?;
    let mut sums: BTreeMap<String, Money> = BTreeMap::new();
    // Each page is fetched when it is needed.
    for entry in client.transactions_all(&PageQuery::new()) {
        let entry = entry?;
        let sum = sums.entry(entry.category.unwrap_or_default()).or_default();
        let amount = entry.amount.unwrap_or_default();
        *sum = match entry.entry_type {
            Some(EntryType::Credit) => *sum + amount,
            _ => *sum - amount,
        };
    }
    for (category, sum) in &sums {
        println!("{category:<20} {sum:>10}");
    }
    let wallet = client.get_wallet()?;
    println!("{:<20} {:>10}", "available", wallet.available_balance);
    Ok(())
}
