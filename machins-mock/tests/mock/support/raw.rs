//! Connections on which every byte is the test's own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Longer than any test has to wait.
const PATIENCE: Duration = Duration::from_secs(60);

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics of the servers' own threads from now on.
pub(crate) fn watch_for_panics() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().name() == Some("machins-mock") {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            report(panic);
        }));
    });
}

pub(crate) fn assert_no_panic() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "the server has panicked");
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A reply, as far as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the reply is JSON")
    }
}

/// Sends a whole request and reads until the server closes. `None` when it has closed without a
/// word.
pub(crate) fn exchange(addr: SocketAddr, request: &[u8]) -> Option<Reply> {
    let mut stream = connect(addr);
    // A server that has heard enough may close before it has read everything.
    let _ = stream.write_all(request);
    read_reply(&mut stream)
}

/// The same for what may be no whole request: says that no more follows.
pub(crate) fn exchange_anything(addr: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut stream = connect(addr);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    read_reply(&mut stream)
}

/// Reads until the server closes.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Option<Reply> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(closed, "no answer: {error}");
    }
    let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(Reply { status, body: bytes.split_off(end + 4) })
}

/// A whole request, after which the connection closes.
pub(crate) fn request(method: &str, target: &[u8], headers: &[u8], body: &[u8]) -> Vec<u8> {
    let mut request = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\nhost: mock\r\n"].concat();
    request.extend_from_slice(b"connection: close\r\n");
    request.extend_from_slice(headers);
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

/// A plain GET that has to be answered.
pub(crate) fn get(addr: SocketAddr, path: &str) -> Reply {
    let reply = exchange(addr, &request("GET", path.as_bytes(), b"", b"")).expect("a reply");
    assert_eq!(reply.status, 200, "{path}");
    reply
}
