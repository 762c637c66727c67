//! The mock server, compared with a bare axum handler and wiremock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::try_join_all;
use machins_mock::{MockServer, Plan};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::bench::{Result, in_turns, micros_each};
use crate::load::{Connection, request};
use crate::report::{Bound, Line};
use crate::server::DECISION;

const PATH: &str = "/api/v1/devices/validate";
const CONNECTIONS: u32 = 64;
const REQUESTS_OF_EACH: u32 = 500;
const SERVERS: u32 = 1_000;

/// Measures requests per second: one thread sends them, and the servers have their own threads.
pub(crate) fn throughput(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mock = runtime.block_on(MockServer::start());
    let org = mock.create_org(Plan::Free);
    let ask =
        |path| request(path, ("x-org-key", org.key()), Some(&json!({"deviceId": "agent-01"})));
    let validate = ask(PATH);
    let reply: Value = runtime.block_on(async {
        let mut connection = Connection::open(mock.addr()).await?;
        connection.exchange(&ask("/api/v1/devices/register")).await?;
        connection.exchange_json(&validate).await
    })?;
    let background = Runtime::new()?;
    let axum = background.block_on(bare_axum(reply.clone()))?;
    let [forgetting, keeping] =
        [(); 2].map(|()| runtime.block_on(wiremock::MockServer::builder().start()));
    runtime.block_on(answering(reply.clone()).mount(&keeping));
    let open = |address| {
        runtime.block_on(try_join_all((0..CONNECTIONS).map(|_| Connection::open(address))))
    };
    let (mut to_mock, mut to_axum) = (open(mock.addr())?, open(axum)?);
    let (mut to_forgetting, mut to_keeping) =
        (open(*forgetting.address())?, open(*keeping.address())?);
    let load = |connections: &mut [Connection]| {
        let all = micros_each(1, || {
            let askers = connections.iter_mut().map(|connection| ask_again(connection, &validate));
            runtime.block_on(try_join_all(askers))?;
            Ok(())
        })?;
        Ok(f64::from(CONNECTIONS * REQUESTS_OF_EACH) / all * 1e6)
    };
    let samples = in_turns(
        rounds,
        [
            &mut || load(&mut to_mock),
            &mut || load(&mut to_axum),
            &mut || {
                runtime.block_on(forgetting.reset());
                runtime.block_on(answering(reply.clone()).mount(&forgetting));
                load(&mut to_forgetting)
            },
            &mut || load(&mut to_keeping),
        ],
    )?;
    let line =
        |what, against| {
            Line::new(7, "mock `validate`, 64 connections", "requests/s", samples.figure(0))
                .against(what, samples.figure(against), samples.ratio(0, against))
        };
    Ok(vec![
        line("bare axum handler", 1).goal(Bound::AtLeast(0.92)),
        line("wiremock, emptied before each round", 2).goal(Bound::AtLeast(3.0)),
        line("wiremock, which keeps every request", 3),
    ])
}

async fn ask_again(connection: &mut Connection, asked: &str) -> Result<()> {
    for _ in 0..REQUESTS_OF_EACH {
        connection.exchange(asked).await?;
    }
    Ok(())
}

async fn bare_axum(reply: Value) -> Result<SocketAddr> {
    let handler = |State(reply): State<Reply>| async { Json(reply) };
    let router = Router::new().route(PATH, post(handler)).with_state(Reply(Arc::new(reply)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A reply that is created once but serialized for every request, as the mock's replies are.
#[derive(Clone)]
struct Reply(Arc<Value>);

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn answering(reply: Value) -> Mock {
    let response = ResponseTemplate::new(200).set_body_json(reply);
    Mock::given(method("POST")).and(path(PATH)).respond_with(response)
}

/// Measures starting a server and receiving its first reply: one server, and a thousand.
pub(crate) fn start(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let reply: Value = serde_json::from_str(DECISION)?;
    let ours = || {
        let server = runtime.block_on(MockServer::start());
        let org = server.create_org(Plan::Free);
        first_reply(server.addr(), org.key())?;
        Ok(server)
    };
    let theirs = || {
        // `start` would take a server from a pool that earlier rounds have filled.
        let server = runtime.block_on(wiremock::MockServer::builder().start());
        runtime.block_on(answering(reply.clone()).mount(&server));
        first_reply(*server.address(), "org_benchmark")?;
        Ok(server)
    };
    let one = in_turns(rounds, [&mut || timed(1, ours), &mut || timed(1, theirs)])?;
    let many = in_turns(rounds, [&mut || timed(SERVERS, ours), &mut || timed(SERVERS, theirs)])?;
    let shared = runtime.block_on(MockServer::start());
    let mut number = 0;
    let mut make_and_drop = || {
        number += 1;
        drop(shared.create_world(format!("world-{number}"))?);
        Ok(())
    };
    let world = in_turns(rounds, [&mut || micros_each(SERVERS, &mut make_and_drop)])?;
    let is_fast = world.figure(0).median <= 50.0;
    let met = one.figure(0).median <= 1000.0 && one.ratio(0, 1).median <= 1.0;
    Ok(vec![
        Line::new(8, "mock, start to first reply", "µs", one.figure(0))
            .against("wiremock", one.figure(1), one.ratio(0, 1))
            .goal_text("≤ 1 ms and ≤ 1 ×", met),
        Line::new(8, "the same, each of 1,000 living at once", "µs", many.figure(0))
            .against("wiremock", many.figure(1), many.ratio(0, 1))
            .goal(Bound::AtMost(1.0)),
        Line::new(8, "a world of its own in a server, made and dropped", "µs", world.figure(0))
            .goal_text("≤ 50 µs", is_fast),
    ])
}

/// Measures the microseconds per server; all of them stay alive until the last one has answered.
fn timed<S>(servers: u32, start: impl Fn() -> Result<S>) -> Result<f64> {
    let mut living = Vec::new();
    micros_each(servers, || {
        living.push(start()?);
        Ok(())
    })
}

/// Opens a connection, sends a request, and reads the first bytes of the reply.
fn first_reply(address: SocketAddr, key: &str) -> Result<()> {
    let body = json!({"deviceId": "agent-01"});
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request(PATH, ("x-org-key", key), Some(&body)).as_bytes())?;
    let mut reply = [0; 1024];
    let length = stream.read(&mut reply)?;
    if reply[..length].starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&reply[..length]).into())
}
