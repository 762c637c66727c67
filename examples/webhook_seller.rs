//! A seller that does not poll: machins posts events to its HTTP server, which accepts only
//! requests with a valid signature.
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

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::post;
use machins_client::webhook::{Verified, Verifier};
use machins_client::{
    Client, Delivery, Error, Event, EventType, NewSubscription, Secret, TradeId, TradeStatus,
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
    let subscription = client.subscribe(&subscription).await?;
    println!("{} goes to {url}", subscription.event_type);

    let agent = Agent { client, verifier: Verifier::new(&secret)? };
    let router = Router::new().route("/machins", post(receive)).with_state(agent);
    axum::serve(listener, router).await?;
    Ok(())
}

/// Runs only after the extractor has verified the signature; other requests are answered with 401.
async fn receive(State(agent): State<Agent>, Verified(webhook): Verified) -> StatusCode {
    let Event::TradeProposed(data) = webhook.event() else {
        return StatusCode::OK;
    };
    match serve(&agent.client, &data.trade_id).await {
        Ok(()) => {
            println!("delivered {}", data.trade_id);
            StatusCode::OK
        }
        Err(error) => {
            eprintln!("{error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

async fn serve(client: &Client, id: &TradeId) -> Result<(), Error> {
    let mut trade = client.get_trade(id).await?;
    if trade.status == TradeStatus::Proposed {
        trade = client.accept_trade(id).await?;
    }
    if trade.status == TradeStatus::EscrowHeld {
        client.deliver_trade(id, &Delivery::task("done")).await?;
    }
    Ok(())
}
