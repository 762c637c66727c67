//! Anything at all, sent to every operation.

use std::net::SocketAddr;

use fastrand::Rng;
use machins_mock::{MockServer, NewAgent, OrgUpdate, Plan, Snapshot, Tier, blocking};
use serde_json::{Map, Value, json};

use super::operations::{Document, Operation};
use crate::support::is_full_size;
use crate::support::raw::{
    assert_no_panic, exchange, exchange_anything, get, request, watch_for_panics,
};

/// How often every operation is called, once as it is meant and once with another method.
fn passes() -> u64 {
    if is_full_size() { 1_500 } else { 25 }
}

/// Why the HTTP library answers by itself, without a body.
const HEADS: [u16; 2] = [400, 431];

/// A small world, and what gives access to it.
struct Target {
    world: Snapshot,
    /// Headers with credentials.
    credentials: Vec<String>,
    /// What things are called.
    names: Vec<String>,
}

impl Target {
    fn build(server: &MockServer) -> Self {
        let addr = server.addr();
        let org = server.create_org(Plan::Free);
        org.update(OrgUpdate::new().plan(Plan::Pro)).unwrap();
        let agents = ["seller", "buyer", "other"].map(|slug| {
            let new = NewAgent::new().slug(slug).tier(Tier::Verified);
            server.create_agent(new).unwrap()
        });
        let [seller, buyer, _] = &agents;
        let mut names = vec![org.key().to_owned(), "agent-01".to_owned()];
        let as_org = format!("x-org-key: {}\r\n", org.key());
        post(addr, "/api/v1/devices/register", &as_org, &json!({"deviceId": "agent-01"}));
        let key = |key: &str| format!("x-api-key: {key}\r\n");
        // Trades in each state, so that every action has one to be tried on.
        for (slug, actions) in [
            ("proposed", &[][..]),
            ("held", &["accept"]),
            ("delivered", &["accept", "deliver"]),
            ("done", &["accept", "deliver", "confirm"]),
            ("disputed", &["accept", "deliver", "dispute"]),
        ] {
            let body = json!({"title": slug, "slug": slug, "listing_type": "task", "price": 5});
            let listing = post(addr, "/api/v1/listings", &key(&seller.api_key), &body);
            let body = json!({"listing_id": listing["id"], "metadata": {"a": 1}});
            let trade = post(addr, "/api/v1/trades", &key(&buyer.api_key), &body);
            let id = trade["id"].as_str().unwrap();
            for action in actions {
                let by = if matches!(*action, "accept" | "deliver") { seller } else { buyer };
                let path = format!("/api/v1/trades/{id}/{action}");
                post(addr, &path, &key(&by.api_key), &json!({"payload": {"result": 1}}));
            }
            names.extend([id.to_owned(), listing["id"].as_str().unwrap().to_owned()]);
        }
        let body = json!({"event_type": "new_listing", "webhook_url": "http://127.0.0.1:9/"});
        let subscription = post(addr, "/api/v1/subscriptions", &key(&buyer.api_key), &body);
        names.push(subscription["id"].as_str().unwrap().to_owned());
        let human = json!({"email": "a@b.co", "password": "securepassword"});
        post(addr, &format!("/api/v1{}", seller.claim_url), "", &human);
        let login = post(addr, "/api/v1/owners/login", "", &human);
        names.extend(
            agents.iter().map(|agent| agent.claim_url.trim_start_matches("/claim/").to_owned()),
        );
        names.extend(["seller", "a@b.co", "http://127.0.0.1:9/"].map(str::to_owned));
        let token = login["access_token"].as_str().unwrap();
        let owner = format!("authorization: Bearer {token}\r\n");
        let credentials = agents.iter().map(|agent| key(&agent.api_key) + &as_org + &owner);
        Self { credentials: credentials.collect(), world: server.snapshot(), names }
    }
}

fn post(addr: SocketAddr, path: &str, headers: &str, body: &Value) -> Value {
    let body = body.to_string();
    let request = request("POST", path.as_bytes(), headers.as_bytes(), body.as_bytes());
    let reply = exchange(addr, &request).expect("a reply");
    assert!(reply.status < 300, "{path}: {:?}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

impl Generated {
    fn send(&self, addr: SocketAddr, context: &str) {
        let reply = if self.is_mangled {
            // It may be half a request, or its reply without an end.
            match exchange_anything(addr, &self.request) {
                None => return,
                Some(reply) if HEADS.contains(&reply.status) && reply.body.is_empty() => return,
                Some(reply) => reply,
            }
        } else {
            exchange(addr, &self.request).unwrap_or_else(|| panic!("no reply to {context}"))
        };
        assert!(reply.status < 500, "{reply:?} to {context}");
        // The answer to OPTIONS has no body.
        if !self.is_mangled && self.has_body && reply.status != 204 {
            let json = serde_json::from_slice::<Value>(&reply.body);
            assert!(json.is_ok(), "{reply:?} to {context}");
        }
    }
}

/// Generates requests that are nearly right, and some that are no requests.
struct Generator<'a> {
    random: Rng,
    document: &'a Document,
    target: &'a Target,
}

/// A request, and whether its head is what HTTP allows.
struct Generated {
    request: Vec<u8>,
    is_mangled: bool,
    has_body: bool,
}

impl Generator<'_> {
    fn request(&mut self, operation: &Operation, method: &str) -> Generated {
        let mut target = Vec::new();
        for segment in operation.path.split_inclusive('/') {
            if segment.starts_with('{') {
                target.extend(self.path_text());
                target.extend(segment.ends_with('/').then_some(b'/'));
            } else {
                target.extend_from_slice(segment.as_bytes());
            }
        }
        for (number, name) in operation.query.iter().enumerate() {
            if self.random.bool() {
                let value = self.path_text();
                let sign: &[u8] = if number == 0 { b"?" } else { b"&" };
                target.extend([sign, name.as_bytes(), b"=", &value].concat());
            }
        }
        let mut headers = Vec::new();
        if self.random.u32(..8) > 0 {
            headers.extend_from_slice(
                self.random.choice(&self.target.credentials).unwrap().as_bytes(),
            );
        } else {
            let junk: Vec<u8> =
                self.bytes(40).into_iter().filter(|byte| *byte >= b' ' && *byte != 0x7f).collect();
            headers.extend([b"x-api-key: at_", &*junk, b"\r\nx-org-key: org_\xff\r\n"].concat());
        }
        let body = self.body(operation);
        let mut request = request(method, &target, &headers, &body);
        let is_mangled = self.random.u32(..16) == 0;
        if is_mangled {
            let place = self.random.usize(..request.len() - body.len());
            request[place] = self.random.u8(..);
        }
        Generated { request, is_mangled, has_body: method != "HEAD" }
    }

    /// A name, or any bytes, escaped so that they stay where they are.
    fn path_text(&mut self) -> Vec<u8> {
        let text = match self.random.u32(..4) {
            0 => self.bytes(30),
            1 => self.random.choice(&self.document.words).unwrap().clone().into_bytes(),
            _ => self.random.choice(&self.target.names).unwrap().clone().into_bytes(),
        };
        let escaped = text.iter().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => (*byte as char).into(),
            byte => format!("%{byte:02x}"),
        });
        escaped.collect::<String>().into_bytes()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.random.usize(..most);
        std::iter::repeat_with(|| self.random.u8(..)).take(count).collect()
    }

    fn body(&mut self, operation: &Operation) -> Vec<u8> {
        match self.random.u32(..12) {
            0 => Vec::new(),
            1 => self.bytes(2_000),
            2 => format!("{{\"deviceId\":{}1{}}}", "[".repeat(3_000), "]".repeat(3_000)).into(),
            3 => {
                let mut cut = self.object(operation).to_string().into_bytes();
                cut.truncate(self.random.usize(..=cut.len()));
                cut
            }
            4 => self.value(4).to_string().into(),
            _ => self.object(operation).to_string().into(),
        }
    }

    /// An object of the fields that the route takes.
    fn object(&mut self, operation: &Operation) -> Value {
        let mut object = Map::new();
        for field in &operation.fields {
            if self.random.u32(..4) > 0 {
                object.insert(field.clone(), self.value(3));
            }
        }
        object.into()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.random.u32(..if depth == 0 { 10 } else { 14 }) {
            0 => Value::Null,
            1 => self.random.bool().into(),
            2 => self.random.i64(..).into(),
            3 => self.random.i64(-2..50).into(),
            4 => (self.random.f64() * 1e6).into(),
            5 => format!("{}.{:02}", self.random.u32(..2_000), self.random.u32(..100)).into(),
            6 => String::from_utf8_lossy(&self.bytes(300)).into(),
            7 => "é".repeat(self.random.usize(..300)).into(),
            8 => self.random.choice(&self.document.words).unwrap().as_str().into(),
            9 => self.random.choice(&self.target.names).unwrap().as_str().into(),
            10 | 11 => (0..self.random.u32(..5)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let count = self.random.u32(..5);
                let fields = (0..count).map(|_| {
                    let name = self.random.choice(["result", "data", "tx_id", "kind", "id"]);
                    (name.unwrap().to_owned(), self.value(depth - 1))
                });
                Value::Object(fields.collect())
            }
        }
    }
}

/// After every request the server has answered, in JSON, and blames the caller; after every pass the
/// books balance and the world can be stored and read again.
#[test]
fn random_requests_are_answered_and_break_nothing() {
    watch_for_panics();
    let server = blocking::MockServer::start();
    let addr = server.addr();
    let document = Document::fetch(addr);
    let target = Target::build(&server);
    for pass in 0..passes() {
        server.restore(&target.world);
        let random = Rng::with_seed(pass);
        let mut generator = Generator { random, document: &document, target: &target };
        let mut operations = document.operations.clone();
        generator.random.shuffle(&mut operations);
        for operation in &operations {
            let others =
                ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "ODD"];
            let other = *generator.random.choice(&others).unwrap();
            for method in [operation.method.as_str(), other] {
                // A fault that an earlier request has added would answer this one.
                server.clear_faults();
                let generated = generator.request(operation, method);
                let context =
                    format!("pass {pass}: {}", String::from_utf8_lossy(&generated.request));
                generated.send(addr, &context);
            }
        }
        let ledger = server.ledger();
        assert!(ledger.balanced, "pass {pass}: {ledger:?}");
        let world = server.snapshot();
        let stored = serde_json::to_vec(&world).unwrap();
        let loaded: Snapshot = serde_json::from_slice(&stored).unwrap();
        assert!(loaded == world, "pass {pass}: {}", String::from_utf8_lossy(&stored));
    }
    assert_no_panic();
    get(addr, "/_mock/health");
}

#[test]
fn ten_megabytes_to_any_route_are_refused_or_not_read() {
    watch_for_panics();
    let server = blocking::MockServer::start();
    let addr = server.addr();
    let target = Target::build(&server);
    let body = json!({"x": "x".repeat(10 * 1024 * 1024)}).to_string().into_bytes();
    for Operation { method, path, fields, .. } in Document::fetch(addr).operations {
        let path = path.replace(['{', '}'], "");
        let headers = target.credentials[0].as_bytes();
        let reply = exchange(addr, &request(&method, path.as_bytes(), headers, &body));
        let status = reply.unwrap_or_else(|| panic!("no reply to {method} {path}")).status;
        assert!(status < 500, "{method} {path}: {status}");
        if !fields.is_empty() {
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
    assert!(server.ledger().balanced);
    assert_no_panic();
}
