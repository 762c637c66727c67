//! A minimal server, for measuring clients: it reads a request and sends the same reply every time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::bench::Result;

/// MachineID's decision about a device that may run.
pub(crate) const DECISION: &str = r#"{"handler":"devices/validate","request_id":"9e2a366e-a633-4435-9ed9-82394d6d31bb","status":"ok","deviceId":"agent-01","allowed":true,"code":"ALLOW","planTier":"free","devicesUsed":1,"limit":3,"remaining":2}"#;

/// The decision with a request id that was not given before.
pub(crate) fn decision() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    DECISION.replacen("9ed9-82394d6d31bb", &format!("9ed9-{count:012x}"), 1)
}

/// Serves until the process ends, on a thread of its own. `answer` is given each complete request
/// and returns the body of its reply.
pub(crate) fn start(
    answer: impl Fn(&[u8]) -> String + Send + Sync + 'static,
) -> Result<SocketAddr> {
    start_delayed(Duration::ZERO, answer)
}

/// Starts a server whose replies take this long to arrive; they are created at once.
pub(crate) fn start_delayed(
    distance: Duration,
    answer: impl Fn(&[u8]) -> String + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || runtime.block_on(accept(listener, distance, Arc::new(answer))));
    Ok(address)
}

async fn accept(
    listener: std::net::TcpListener,
    distance: Duration,
    answer: Arc<impl Fn(&[u8]) -> String + Send + Sync + 'static>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, distance, Arc::clone(&answer)));
    }
}

/// Answers the requests of a connection.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    distance: Duration,
    answer: Arc<impl Fn(&[u8]) -> String>,
) -> io::Result<()> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if let Some(length) = message_length(&request)
            && request.len() >= length
        {
            let body = answer(&request);
            request.clear();
            if !distance.is_zero() {
                tokio::time::sleep(distance).await;
            }
            stream.write_all(reply(&body).as_bytes()).await?;
            // TLS keeps what is written until then.
            stream.flush().await?;
        }
    }
}

fn reply(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Returns the part of a message after its head.
pub(crate) fn body(message: &[u8]) -> &[u8] {
    head_length(message).map_or(&[], |head| &message[head..])
}

/// Returns the number that a request's query has for this name, which ends in `=`.
pub(crate) fn parameter(request: &[u8], name: &str) -> Option<u32> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let (_, query) = str::from_utf8(line).ok()?.split_whitespace().nth(1)?.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse().ok())
}

/// Returns the length of an HTTP message, once its head is complete.
pub(crate) fn message_length(message: &[u8]) -> Option<usize> {
    let head = head_length(message)?;
    let mut lines = str::from_utf8(&message[..head]).ok()?.lines();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some(head + length.unwrap_or(0))
}

fn head_length(message: &[u8]) -> Option<usize> {
    Some(memmem::find(message, b"\r\n\r\n")? + 4)
}
