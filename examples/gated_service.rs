//! An axum service that checks the gate before each request and answers 403 when it is denied.
//!
//! ```sh
//! export MACHINEID_ORG_KEY=org_…  MACHINEID_DEVICE_ID=agent-01
//! cargo run -p examples --example gated_service      # prints its address
//! ```
//!
//! To adapt it, replace the route. Concurrent requests share their calls to MachineID.
#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{BoxError, Router};
use machineid_client::{Client, Denied, DeviceId, Gate, GateLayer};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = Gate::new(&Client::from_env()?, DeviceId::from_env()?).register_on_start();
    let gated = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: BoxError| refuse(&error)))
        .layer(GateLayer::new(gate));
    let service = Router::new().route("/", get(async || "done\n")).layer(gated);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, service).await?;
    Ok(())
}

fn refuse(error: &BoxError) -> (StatusCode, String) {
    match error.downcast_ref::<Denied>() {
        Some(denied) => (StatusCode::FORBIDDEN, denied.to_string()),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong".to_owned()),
    }
}
