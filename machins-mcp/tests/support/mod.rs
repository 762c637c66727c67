//! What the tests of this crate share: an org on a mock server, and gates that ask it.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "test support")]

use std::sync::{Arc, Mutex};

use machineid_client::{Client, ClientOptions, DeviceId, Gate, OrgKey};
use machins_mcp::{Event, McpGate, SessionEnd};
use machins_mock::{MockServer, Org, Plan};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf,
    duplex, split,
};
use tokio::task::JoinHandle;

pub const DEVICE: &str = "agent-01";

/// An org whose device is registered by the gates that ask about it.
pub struct World {
    pub mock: MockServer,
    pub org: Org,
    pub client: Client,
    /// What happened at the gates of this world.
    pub events: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new() -> Self {
        let mock = MockServer::builder().start().unwrap();
        let org = mock.create_org(Plan::Pro);
        let client = Client::builder()
            .org_key(OrgKey::new(org.key()).unwrap())
            .base_url(mock.machineid_base_url())
            .options(ClientOptions::new().max_attempts(1))
            .build()
            .unwrap();
        Self { mock, org, client, events: Arc::default() }
    }

    pub fn gate_of(&self, device: &str) -> Gate {
        Gate::new(&self.client, DeviceId::new(device).unwrap()).register_on_start()
    }

    pub fn gate(&self) -> McpGate {
        let events = Arc::clone(&self.events);
        let record = move |event: Event| events.lock().unwrap().push(event.to_string());
        McpGate::new(self.gate_of(DEVICE)).observer(record)
    }

    pub async fn revoke(&self) {
        self.revoke_device(DEVICE).await;
    }

    /// Revokes a device, which is registered if it was not.
    pub async fn revoke_device(&self, device: &str) {
        let device = DeviceId::new(device).unwrap();
        let _registration = self.client.register(&device).await.unwrap();
        let _change = self.client.revoke(&device).await.unwrap();
    }

    /// How many decisions were asked for.
    pub fn questions(&self) -> usize {
        let requests = self.mock.requests();
        requests.iter().filter(|request| request.path.ends_with("/devices/validate")).count()
    }
}

/// One side of a session, as the test plays it.
pub struct Side {
    pub lines: BufReader<ReadHalf<DuplexStream>>,
    pub writer: WriteHalf<DuplexStream>,
}

impl Side {
    fn new(stream: DuplexStream) -> Self {
        let (reader, writer) = split(stream);
        Self { lines: BufReader::new(reader), writer }
    }

    pub async fn send(&mut self, line: impl AsRef<[u8]>) {
        self.writer.write_all(line.as_ref()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).await.unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    pub async fn message(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// What is left until the other side closes.
    pub async fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).await.unwrap();
        rest
    }

    pub async fn close(&mut self) {
        self.writer.shutdown().await.unwrap();
    }
}

/// A session of which the test plays both sides.
pub struct Session {
    pub client: Side,
    pub server: Side,
    pub end: JoinHandle<SessionEnd>,
}

impl Session {
    pub fn start(gate: McpGate) -> Self {
        let (client, of_client) = duplex(64 * 1024);
        let (server, of_server) = duplex(64 * 1024);
        let end = tokio::spawn(async move {
            let ((from_client, to_client), (from_server, to_server)) =
                (split(of_client), split(of_server));
            gate.pass(from_client, to_client, from_server, to_server).await
        });
        Self { client: Side::new(client), server: Side::new(server), end }
    }

    /// Sends a call as the client, and answers it as the server. Returns what the client receives.
    pub async fn call_and_answer(&mut self, id: u32) -> Value {
        self.client.send(call(id, "echo")).await;
        assert_eq!(self.server.line().await, call(id, "echo"));
        self.server.send(answer(id)).await;
        self.client.message().await
    }

    /// Sends a call as the client, and expects the gate's answer and that the server sees nothing of it.
    pub async fn call_denied(&mut self, id: u32) -> Value {
        self.client.send(call(id, "echo")).await;
        self.client.send(PING).await;
        let answer = self.client.message().await;
        // What comes after the call reached the server, so that the call did not.
        assert_eq!(self.server.line().await, PING);
        self.server.send(r#"{"jsonrpc":"2.0","id":"ping","result":{}}"#).await;
        assert_eq!(self.client.message().await["id"], "ping");
        answer
    }
}

pub const PING: &str = r#"{"jsonrpc":"2.0","id":"ping","method":"ping"}"#;

pub fn call(id: u32, tool: &str) -> String {
    json!({
        "method": "tools/call", "params": {"name": tool, "arguments": {"text": "é\u{0}"}},
        "jsonrpc": "2.0", "id": id,
    })
    .to_string()
}

pub fn answer(id: u32) -> String {
    format!(r#"{{ "result":{{"content":[]}}, "jsonrpc":"2.0","id":{id}}}"#)
}
