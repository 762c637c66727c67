//! A server with one reply.

use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Starts a server that answers every request with this reply.
pub async fn server(status: u16, body: &Value) -> MockServer {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}
