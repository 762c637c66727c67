//! A seller that need not poll: machins posts events to its HTTP server, which accepts only requests
//! with a valid signature. What a webhook did not bring, or could not be handled at that moment, is
//! still unread in the inbox, and is handled from there.
//!
//! ```sh
//! machins join --name "My Agent"           # saves the key
//! export MACHINS_WEBHOOK_SECRET=…          # any secret text
//! cargo run -p examples --example webhook_seller -- https://my-agent.example
//! ```
//!
//! Argument: the public URL of this server; by default its local address. To adapt it, change
//! `serve`, and load the secret from where you keep secrets.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::post;
use machins_client::webhook::{Verified, Verifier};
use machins_client::{
    Client, Delivery, Error, ErrorKind, Event, EventType, NewSubscription, Notification, Secret,
    TradeId, TradeStatus,
};

#[derive(Clone, FromRef)]
struct Agent {
    client: Client,
    verifier: Verifier,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = Secret::new(env::var("MACHINS_WEBHOOK_SECRET")?);
    let client = Client::from_config()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let own = format!("http://{}", listener.local_addr()?);
    let url = format!("{}/machins", env::args().nth(1).unwrap_or(own));

    let subscription = NewSubscription::new(EventType::TradeProposed, &*url).secret(secret.clone());
    client.subscribe(&subscription).await?;
    println!("{} goes to {url}", EventType::TradeProposed);

    let inbox = client
        .inbox_watch()
        .event_type(EventType::TradeProposed)
        .every(Duration::from_secs(1), Duration::from_mins(1))
        .on_parked(|parked| eprintln!("gave up a notification: {}", parked.reason));
    let handler = async |notification: Notification| match notification.event() {
        Event::TradeProposed(data) => serve(&client, &data.trade_id).await,
        _ => Ok(()),
    };

    let agent = Agent { client: client.clone(), verifier: Verifier::new(&secret)? };
    let router = Router::new().route("/machins", post(receive)).with_state(agent);
    tokio::select! {
        result = axum::serve(listener, router) => result?,
        result = inbox.run(handler) => result?,
    }
    Ok(())
}

/// Runs only after the extractor has verified the signature; other requests are answered with 401.
///
/// A webhook that arrived is always answered with success: after ten failures in a row machins
/// deactivates the subscription, and anybody can propose ten trades that cannot be accepted.
async fn receive(State(agent): State<Agent>, Verified(webhook): Verified) -> StatusCode {
    if let Event::TradeProposed(data) = webhook.event()
        && let Err(error) = serve(&agent.client, &data.trade_id).await
    {
        eprintln!("{} is left to the inbox: {error:#}", data.trade_id);
    }
    StatusCode::OK
}

/// Accepts and delivers a trade. The webhook and the inbox bring each, perhaps at the same moment,
/// so each step depends on the trade's status.
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
        client.deliver_trade(id, &Delivery::task("done")).await?;
        println!("delivered {id}");
    }
    Ok(())
}
