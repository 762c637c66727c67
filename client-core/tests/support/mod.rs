//! What the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; not every test uses all of it")]

pub mod virtual_clock;

use std::io;
use std::sync::{Arc, Mutex};

use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Credential, Error, MockClock, Scheme, Secret, Transport,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The key of every test client.
pub const KEY: &str = "org_0123456789abcdef";

/// The scheme of that key.
pub static SCHEME: Scheme =
    Scheme { name: "org key", header: "x-org-key", prefix: "", missing: "set MACHINEID_ORG_KEY" };

/// A log writer that stores what is written.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A transport with the test key and a mock clock, and the clock.
pub fn transport(url: &str, options: ClientOptions) -> (Async, MockClock) {
    let clock = MockClock::new(0.0);
    (transport_with(url, options.clock(clock.clone())), clock)
}

pub fn transport_with(url: &str, options: ClientOptions) -> Async {
    let credential = Credential::new(&SCHEME, Secret::new(KEY)).unwrap();
    Async::new(BaseUrl::parse(url).unwrap(), vec![credential], options).unwrap()
}

/// `GET /thing`, which is idempotent.
pub fn get() -> Call<Value> {
    Call::get("/thing").auth(&SCHEME).json()
}

/// `POST /thing`, which is not idempotent.
pub fn post() -> Call<Value> {
    Call::post("/thing").auth(&SCHEME).body(&serde_json::json!({"a": 1})).json()
}

pub async fn send(transport: &Async, call: Call<Value>) -> Result<Value, Error> {
    transport.send(call).await
}

/// The URL of a port that is not listened on.
pub fn closed_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What a [`scripted`] server does with one connection.
#[derive(Clone)]
pub enum Act {
    /// Reads the request and closes.
    Drop,
    /// Reads the request, writes these bytes and closes.
    Write(Vec<u8>),
    /// Reads the request and never answers.
    Hang,
}

impl Act {
    pub fn reply(status: u16, body: &str) -> Self {
        let reply = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        Self::Write(reply.into_bytes())
    }
}

/// The requests that a scripted server has received, each with head and body.
pub type Received = Arc<Mutex<Vec<String>>>;

/// Starts a server that plays one act for each connection and then stops listening. Returns its URL.
pub async fn scripted(acts: Vec<Act>) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let log = received.clone();
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        for act in acts {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            log.lock().unwrap().push(request);
            match act {
                Act::Drop => {}
                Act::Write(bytes) => stream.write_all(&bytes).await.unwrap(),
                Act::Hang => hanging.push(stream),
            }
        }
        drop(listener);
        std::future::pending::<()>().await;
    });
    (url, received)
}

/// Reads a request with its `content-length` body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        if count == 0 {
            return text;
        }
    }
}
