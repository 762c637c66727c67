//! A seller whose events are shared by any number of these programs: each trade that is proposed is
//! accepted and delivered once, and gets one invoice, whichever of them is killed.
//!
//! ```sh
//! machins relay --to nats://127.0.0.1:4222 --stream EVENTS &
//! cargo run -p examples --example event_workers   # as often as you like, on as many machines
//! ```
//!
//! `NATS_URL` names another server. To adapt it, change `handle`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;

use async_nats::jetstream;
use machins_client::{Client, Delivery, ErrorKind, Event, TradeStatus};
use machins_relay::{Effect, Effects, EventStream, Handled, ReceivedEvent, Worker};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let client = Client::from_config()?;
    let address = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let context = jetstream::new(async_nats::connect(address).await?);
    let effects = Effects::open(&context, "invoices").await?;
    let worker = Worker::new("sellers", &EventStream::new("EVENTS")?)?
        .on_notice(|notice| eprintln!("{notice}"));
    println!("working");
    worker.run(&context, |received| handle(&client, &effects, received)).await?;
    Ok(())
}

async fn handle(
    client: &Client,
    effects: &Effects,
    received: ReceivedEvent,
) -> Result<Handled, Error> {
    let Event::TradeProposed(event) = received.typed() else { return Ok(Handled::Done) };
    // The event may come twice: the trade says what is left to do.
    let mut trade = client.get_trade(&event.trade_id).await?;
    if trade.status == TradeStatus::Proposed {
        trade = match client.accept_trade(&trade.id).await {
            Err(error) if error.kind() == ErrorKind::InsufficientFunds => {
                return Ok(Handled::Dead("the buyer cannot pay".to_owned()));
            }
            accepted => accepted?,
        };
    }
    if trade.status == TradeStatus::EscrowHeld {
        let text = trade.terms.as_deref().unwrap_or_default().to_uppercase();
        trade = client.deliver_trade(&trade.id, &Delivery::task(text)).await?;
    }
    if trade.status != TradeStatus::Delivered {
        return Ok(Handled::Done);
    }
    // What no service can be asked about, such as a letter: this remembers it.
    match effects.begin(&received.id()).await? {
        Effect::New => println!("invoice for {}", trade.id),
        Effect::Finished => return Ok(Handled::Done),
        Effect::Unfinished => {
            eprintln!("look whether {} has its invoice: a worker was killed", trade.id);
        }
    }
    effects.finish(&received.id()).await?;
    Ok(Handled::Done)
}
