//! The server over streamable HTTP.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use machins_client::Secret;
use rmcp::handler::server::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const LOOPBACK_ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

pub(super) async fn serve<H: ServerHandler + Clone>(
    server: H,
    listener: TcpListener,
    token: Secret,
    stop: &CancellationToken,
) -> io::Result<()> {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(LOOPBACK)
        .with_allowed_origins(LOOPBACK_ORIGINS)
        .with_cancellation_token(stop.child_token());
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let router = Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(Arc::new(token), check_token));
    axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned()).await
}

/// Lets a request through that has the token.
async fn check_token(State(token): State<Arc<Secret>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    // Hashes take the same time to compare, however much of them is equal.
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    if given.is_some_and(|given| hash(given) == hash(token.expose())) {
        return next.run(request).await;
    }
    let wanted = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, wanted, "the token is missing or wrong\n").into_response()
}
