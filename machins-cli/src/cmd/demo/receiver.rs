//! The HTTP server of buyer and seller: receives webhooks, and verifies deliveries.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Channel, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use axum::extract::FromRef;
use axum::routing::post;
use axum::{Json, Router};
use machins_client::Secret;
use machins_client::webhook::{Verification, Verified, Verifier, Webhook};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long to wait for a webhook.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// A server on a free local port, stopped when it is dropped.
pub(super) struct Receiver {
    url: String,
    webhooks: Channel<Webhook>,
    _running: DropGuard,
}

#[derive(Clone)]
struct State {
    verifier: Verifier,
    webhooks: Sender<Webhook>,
}

impl FromRef<State> for Verifier {
    fn from_ref(state: &State) -> Self {
        state.verifier.clone()
    }
}

impl Receiver {
    /// Starts the server, which accepts webhooks that are signed with `secret`.
    pub(super) fn start(secret: &Secret) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let verifier = Verifier::new(secret).map_err(io::Error::other)?;
        let (sender, webhooks) = channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let router = router(State { verifier, webhooks: sender });
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    result = axum::serve(listener, router).into_future() => result,
                    () = stopped => Ok(()),
                }
            })
        });
        Ok(Self { url, webhooks, _running: stop.drop_guard() })
    }

    /// The URL that receives webhooks.
    pub(super) fn webhook_url(&self) -> String {
        format!("{}/webhook", self.url)
    }

    /// The URL that verifies deliveries.
    pub(super) fn verification_url(&self) -> String {
        format!("{}/verify", self.url)
    }

    /// Waits for the next webhook with a valid signature.
    pub(super) fn next(&self) -> Result<Webhook, RecvTimeoutError> {
        self.webhooks.recv_timeout(WEBHOOK_TIMEOUT)
    }
}

fn router(state: State) -> Router {
    let webhooks = state.webhooks.clone();
    Router::new()
        .route(
            "/webhook",
            post(async move |Verified(webhook): Verified| {
                // Fails only when the demo is over.
                let _ = webhooks.send(webhook);
            }),
        )
        .route("/verify", post(verify))
        .with_state(state)
}

/// Accepts a delivery with a result that is not empty.
async fn verify(Json(delivery): Json<Value>) -> Json<Verification> {
    let result = delivery.pointer("/payload/result").and_then(Value::as_str).unwrap_or_default();
    Json(if result.is_empty() {
        Verification::reject("the result is empty")
    } else {
        Verification::accept()
    })
}
