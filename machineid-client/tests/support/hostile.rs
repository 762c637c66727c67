//! Replies of every kind to a validate request, a server that sends them, and the rule of which of
//! them allow, written a second time from the reference. Nothing here uses the client's code or its
//! JSON parser.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; not every test uses all of it")]

use std::fmt;
use std::sync::{Arc, Mutex};

use json_event_parser::{JsonEvent, SliceJsonParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest body that the client of these tests reads.
pub const MAX_BODY: usize = 4096;

/// How a server marks the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length,
    Chunked,
    UntilClose,
    /// The connection is closed before the announced length is sent.
    Short,
    /// The last chunk never comes.
    Unfinished,
}

#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    /// Whole lines, which may be malformed. None announces the length of the body.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    pub framing: Framing,
    /// The number of bytes that are written at a time.
    pub piece: usize,
}

impl Reply {
    /// Whether this reply allows: it is a success, complete, plain JSON and not labelled as anything
    /// else, and a decision that has only one meaning.
    pub fn allows(&self) -> bool {
        // A 204 never has a body, whatever is sent.
        (200..300).contains(&self.status)
            && self.status != 204
            && !matches!(self.framing, Framing::Short | Framing::Unfinished)
            && self.headers.len() < 90
            && self.headers.iter().all(|line| is_harmless(line))
            && self.body.len() <= MAX_BODY
            && is_exact(&self.body)
    }

    /// Whether the connection is closed after the reply. This is also necessary if the status
    /// permits no body, since one is sent: it could be taken for the beginning of the next reply.
    fn closes(&self) -> bool {
        !matches!(self.framing, Framing::Length | Framing::Chunked)
            || matches!(self.status, 100..200 | 204 | 304)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} X\r\n", self.status).into_bytes();
        for line in &self.headers {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        if self.closes() {
            bytes.extend_from_slice(b"connection: close\r\n");
        }
        let length = self.body.len();
        match self.framing {
            Framing::Length => {
                bytes.extend(format!("content-length: {length}\r\n\r\n").bytes());
                bytes.extend_from_slice(&self.body);
            }
            Framing::Short => {
                bytes.extend(format!("content-length: {}\r\n\r\n", length + 1).bytes());
                bytes.extend_from_slice(&self.body);
            }
            Framing::UntilClose => {
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&self.body);
            }
            Framing::Chunked | Framing::Unfinished => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(7) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
        }
        if self.framing == Framing::Chunked {
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
        bytes
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {:?} {body}", self.status, self.headers, self.framing)
    }
}

/// Whether a header is well-formed and does not say that the body is anything but plain JSON.
fn is_harmless(line: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let kind = value.split(';').next().unwrap_or_default().trim();
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control())
        && match name.to_ascii_lowercase().as_str() {
            "content-type" => kind.eq_ignore_ascii_case("application/json"),
            "content-encoding" => kind.eq_ignore_ascii_case("identity"),
            _ => true,
        }
}

/// The device that the client asks about.
const DEVICE: &str = "agent-01";

/// Whether a body is one JSON object in which no name stands twice, `allowed` is `true`, `code` is
/// `"ALLOW"`, and `deviceId`, if present, is the device that the client asks about.
pub fn is_exact(body: &[u8]) -> bool {
    // RFC 8259, section 8.1: no byte order mark. The parser ignores one.
    !body.starts_with("\u{feff}".as_bytes()) && read_names(body) == Some([true; 3])
}

fn read_names(body: &[u8]) -> Option<[bool; 3]> {
    let mut parser = SliceJsonParser::new(body);
    let (mut allowed, mut code, mut device) = (false, false, true);
    let mut names = Vec::new();
    let mut depth = 0;
    loop {
        match parser.parse_next().ok()? {
            JsonEvent::Eof => return (depth == 0).then_some([allowed, code, device]),
            JsonEvent::StartObject => depth += 1,
            JsonEvent::StartArray if depth > 0 => depth += 1,
            JsonEvent::EndObject | JsonEvent::EndArray => depth -= 1,
            JsonEvent::ObjectKey(name) if depth == 1 => {
                if names.contains(&name) {
                    return None;
                }
                device &= name != "deviceId";
                names.push(name);
            }
            _ if depth == 0 => return None,
            JsonEvent::Boolean(true) if depth == 1 => allowed |= names.last()? == "allowed",
            JsonEvent::String(text) if depth == 1 => {
                code |= names.last()? == "code" && text == "ALLOW";
                device |= names.last()? == "deviceId" && text == DEVICE;
            }
            _ => {}
        }
    }
}

/// A server that answers every request with the reply that was set last.
pub struct Server {
    pub url: String,
    next: Arc<Mutex<Option<Reply>>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let next = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer)));
            }
        });
        Self { url, next }
    }

    pub fn answer_with(&self, reply: Reply) {
        *self.next.lock().unwrap() = Some(reply);
    }
}

/// Serves one connection until either side closes it.
async fn serve(mut stream: TcpStream, next: Arc<Mutex<Option<Reply>>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        read_request(&mut stream).await?;
        let reply = next.lock().unwrap().clone()?;
        for piece in reply.bytes().chunks(reply.piece.max(1)) {
            stream.write_all(piece).await.ok()?;
            tokio::task::yield_now().await;
        }
        if reply.closes() {
            return stream.shutdown().await.ok();
        }
    }
}

/// Reads one request, whose body is a JSON object without nested braces.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

/// What a [`raw`] server does after its reply.
#[derive(Debug, Clone, Copy)]
pub enum AfterReply {
    Close,
    /// Sends nothing more and keeps the connection open.
    Hang,
    /// Sends this text for ever.
    Repeat(&'static str),
}

/// Starts a server that answers with these bytes, and returns its URL.
pub async fn raw(reply: Vec<u8>, after: AfterReply) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.ok()?;
        read_request(&mut stream).await?;
        stream.write_all(&reply).await.ok()?;
        match after {
            AfterReply::Close => {}
            AfterReply::Hang => std::future::pending().await,
            // In large pieces, to reach a limit of size before one of time.
            AfterReply::Repeat(text) => {
                while stream.write_all(text.repeat(1024).as_bytes()).await.is_ok() {}
            }
        }
        Some(())
    });
    url
}
