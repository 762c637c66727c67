//! Connections: many, idle, half-open, slow.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use machins_mock::{MockServer, blocking};
use rstest::rstest;

use crate::support::raw::{
    assert_no_panic, connect, exchange_anything, get, read_reply, request, watch_for_panics,
};
use crate::support::reserve_connections;

const CROWD: usize = 2_000;

const WAITING: &[u8] = b"GET /api/v1/waiting HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n";
/// A request that keeps its connection open.
const FIRST: &[u8] = b"GET /api/v1/first HTTP/1.1\r\nhost: mock\r\n\r\n";
/// A request whose body does not come.
const HALF: &[u8] = b"POST /api/v1/org/create HTTP/1.1\r\nhost: mock\r\n\
                      connection: close\r\ncontent-length: 9\r\n\r\n{";

/// Reads one reply off a connection that stays open.
fn read_one(stream: &mut TcpStream) {
    let mut reply = Vec::new();
    let mut piece = [0; 4096];
    while !reply.ends_with(b"}") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "closed");
        reply.extend_from_slice(&piece[..count]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_connections_block_neither_service_nor_shutdown() {
    watch_for_panics();
    let _turn = reserve_connections(CROWD);
    let server = MockServer::start().await;
    let addr = server.addr();
    let crowd: Vec<_> = (0..CROWD)
        .map(|number| {
            let mut stream = connect(addr);
            match number % 6 {
                0 => {}
                1 => stream.write_all(b"GET /_mo").unwrap(),
                2 => stream.write_all(HALF).unwrap(),
                3 => stream.shutdown(Shutdown::Write).unwrap(),
                4 => stream.write_all(FIRST).unwrap(),
                _ => stream.write_all(b"\x16\x03\x01 no HTTP at all \0\r\n\r\n").unwrap(),
            }
            stream
        })
        .collect();
    get(addr, "/_mock/health");
    server.shutdown().await;
    for mut stream in crowd {
        let end = stream.read_to_end(&mut Vec::new());
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
    assert!(TcpStream::connect(addr).is_err());
    assert_no_panic();
}

#[test]
fn connections_beyond_the_limit_wait() {
    let server = MockServer::builder().max_connections(1).start().unwrap();
    let addr = server.addr();
    let mut first = connect(addr);
    first.write_all(FIRST).unwrap();
    read_one(&mut first);
    let mut waiting = connect(addr);
    waiting.write_all(WAITING).unwrap();
    for _ in 0..100 {
        first.write_all(FIRST).unwrap();
        read_one(&mut first);
    }
    assert!(
        server.requests().iter().all(|request| request.path == "/api/v1/first"),
        "it is not served yet"
    );
    drop(first);
    assert_eq!(read_reply(&mut waiting).unwrap().status, 404);
}

#[rstest]
#[case::nothing(b"")]
#[case::half_a_line(b"GET /_mock/hea")]
#[case::half_the_headers(b"GET /_mock/health HTTP/1.1\r\nhost")]
fn a_late_request_head_closes_the_connection(#[case] beginning: &[u8]) {
    let limit = Duration::from_millis(20);
    let server = MockServer::builder().read_time_limit(limit).start().unwrap();
    let mut stream = connect(server.addr());
    stream.write_all(beginning).unwrap();
    assert!(read_reply(&mut stream).is_none_or(|reply| reply.status == 408));
}

#[test]
fn a_late_request_body_is_refused() {
    let limit = Duration::from_millis(20);
    let server = MockServer::builder().read_time_limit(limit).start().unwrap();
    let mut stream = connect(server.addr());
    stream.write_all(HALF).unwrap();
    let reply = read_reply(&mut stream).unwrap();
    assert_eq!((reply.status, &reply.json()["error"]), (400, &"missing_params".into()));
}

#[rstest]
#[case::words(b"HELLO\r\n\r\n", 400)]
#[case::nameless_header(b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400)]
#[case::control_bytes_in_path(b"GET /\xff\x00 HTTP/1.1\r\n\r\n", 400)]
#[case::long_path(&request("GET", &b"/long".repeat(20_000), b"", b""), 431)]
fn invalid_http_is_refused_without_a_body(#[case] bytes: &[u8], #[case] status: u16) {
    let server = blocking::MockServer::start();
    let reply = exchange_anything(server.addr(), bytes).unwrap();
    assert_eq!((reply.status, reply.body.len()), (status, 0));
}
