//! Servers that answer in a certain order, and a client without real waits.
#![allow(dead_code, reason = "not every test uses all of it")]

use machineid_client::{Client, ClientOptions, MockClock};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use crate::support::{builder, deny};

/// A client whose waits take no time, and the clock that records them.
pub fn client_with_clock(url: &str) -> (Client, MockClock) {
    let clock = MockClock::new(0.5);
    let options = ClientOptions::new().clock(clock.clone());
    (builder(url).options(options).build().unwrap(), clock)
}

pub fn revoked() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(deny("DEVICE_REVOKED"))
}

/// A server that gives the first reply `times` times, and then always the last.
pub async fn server_with(
    times: u64,
    first: impl Respond + 'static,
    last: impl Respond + 'static,
) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(first).up_to_n_times(times).mount(&server).await;
    Mock::given(any()).respond_with(last).mount(&server).await;
    server
}

pub async fn request_count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Answers a request that the test holds back.
pub type HeldRequest = oneshot::Sender<Value>;

/// A server that hands each request to the test to answer.
pub async fn held_server() -> (String, mpsc::UnboundedReceiver<HeldRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel::<HeldRequest>();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                    let (held, answer) = oneshot::channel();
                    sender.send(held).unwrap();
                    let body = answer.await.unwrap().to_string();
                    let length = body.len();
                    let reply =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, requests)
}
