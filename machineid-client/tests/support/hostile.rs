//! Replies of every kind to a validate request, a server that sends them, and the rule of which of
//! them allow, written a second time from the reference. Nothing here uses the client's code or its
//! JSON parser.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; not every test uses all of it")]

use std::collections::{HashMap, VecDeque};
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
    /// The length is announced, and the body is sent in chunks.
    LengthAndChunked,
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
    /// The request id of this reply if it allows: its status is 200 or 201, it is complete, plain
    /// JSON, not labelled as anything else or as stored, and a decision that has only one meaning.
    pub fn allowing_id(&self) -> Option<String> {
        let is_whole = matches!(self.status, 200 | 201)
            && matches!(self.framing, Framing::Length | Framing::Chunked | Framing::UntilClose)
            && self.headers.len() < 90
            && self.headers.iter().all(|line| is_harmless(line))
            && self.body.len() <= MAX_BODY;
        if is_whole { allowing_id(&self.body) } else { None }
    }

    /// Whether the connection is closed after the reply. This is also necessary if the status
    /// permits no body, since one is sent: it could be taken for the beginning of the next reply.
    fn closes(&self) -> bool {
        matches!(self.framing, Framing::UntilClose | Framing::Short | Framing::Unfinished)
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
            Framing::Chunked | Framing::LengthAndChunked | Framing::Unfinished => {
                if self.framing == Framing::LengthAndChunked {
                    bytes.extend(format!("content-length: {length}\r\n").bytes());
                }
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(7) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
        }
        if matches!(self.framing, Framing::Chunked | Framing::LengthAndChunked) {
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

/// Whether a header is well-formed and does not say that the body is stored or anything but plain
/// JSON.
fn is_harmless(line: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let value = value.trim();
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control())
        && match name.to_ascii_lowercase().as_str() {
            "content-type" => is_json_type(value),
            "content-encoding" => value.eq_ignore_ascii_case("identity"),
            "age" => value.parse() == Ok(0_u64) && !value.starts_with('+'),
            _ => true,
        }
}

fn is_json_type(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let (kind, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let is_utf_8 = |parameter: &str| match parameter.trim().strip_prefix("charset") {
        Some(charset) => matches!(charset, "=utf-8" | "=\"utf-8\""),
        None => true,
    };
    kind.trim() == "application/json" && parameters.split(';').all(is_utf_8)
}

/// The device that the client asks about.
const DEVICE: &str = "agent-01";

/// The words that say that a device may not run.
const REFUSALS: [&str; 22] = [
    "revoked",
    "blocked",
    "error",
    "not_found",
    "limit_reached",
    "denied",
    "disabled",
    "suspended",
    "frozen",
    "expired",
    "inactive",
    "unauthorized",
    "forbidden",
    "org_disabled",
    "system_unavailable",
    "plan_frozen",
    "entitlement_expired",
    "device_revoked",
    "device_not_found",
    "org_not_found",
    "invalid_org_key",
    "invalid_device_id",
];

/// The documented endpoints but validate, with one kind of separator.
const OTHERS: [&str; 10] = [
    "devices/register",
    "devices/list",
    "devices/revoke",
    "devices/unrevoke",
    "devices/revoke/batch",
    "devices/unrevoke/batch",
    "devices/remove",
    "usage",
    "billing/checkout",
    "org/create",
];

/// The value of a field.
#[derive(PartialEq)]
enum Field {
    True,
    False,
    Text(String),
    Other,
}

/// The request id of a body that allows: one JSON object in which no name stands twice, `allowed` is
/// `true`, `code` is `"ALLOW"`, there is a `request_id` and no `error`, and neither status, `revoked`,
/// device nor handler say otherwise.
pub fn allowing_id(body: &[u8]) -> Option<String> {
    // RFC 8259, section 8.1: no byte order mark. The parser ignores one.
    let fields = if body.starts_with("\u{feff}".as_bytes()) { None } else { read_fields(body) }?;
    let text = |name: &str| match fields.get(name) {
        None => Some(None),
        Some(Field::Text(text)) => Some(Some(text.as_str())),
        Some(_) => None,
    };
    let is_asked = |name| text(name).is_some_and(|text| text.is_none_or(|text| text == DEVICE));
    let status = text("status")?.unwrap_or("ok").trim().to_ascii_lowercase();
    let handler = text("handler")?.unwrap_or_default().to_ascii_lowercase();
    let handler = handler.trim().replace(['.', '-', '_'], "/").trim_matches('/').to_owned();
    let handler = handler.trim_start_matches("api/v1/");
    let allows = fields.get("allowed") == Some(&Field::True)
        && text("code")? == Some("ALLOW")
        && !fields.contains_key("error")
        && matches!(fields.get("revoked"), None | Some(Field::False))
        && !REFUSALS.contains(&status.as_str())
        && is_asked("deviceId")
        && is_asked("device_id")
        && !OTHERS.contains(&handler);
    let id = text("request_id")??;
    (allows && !id.trim().is_empty()).then(|| id.to_owned())
}

/// The fields of a JSON object in which no name stands twice.
fn read_fields(body: &[u8]) -> Option<HashMap<String, Field>> {
    let mut parser = SliceJsonParser::new(body);
    let mut fields = HashMap::new();
    let mut last = String::new();
    let mut depth = 0;
    loop {
        let event = parser.parse_next().ok()?;
        let value = match event {
            JsonEvent::Eof => return (depth == 0).then_some(fields),
            JsonEvent::StartObject | JsonEvent::StartArray => {
                // The outermost value is an object.
                if depth == 0 && event == JsonEvent::StartArray {
                    return None;
                }
                depth += 1;
                continue;
            }
            JsonEvent::EndObject | JsonEvent::EndArray => {
                depth -= 1;
                continue;
            }
            JsonEvent::ObjectKey(name) if depth == 1 => {
                last = name.into_owned();
                if fields.insert(last.clone(), Field::Other).is_some() {
                    return None;
                }
                continue;
            }
            _ if depth == 0 => return None,
            JsonEvent::Boolean(true) if depth == 1 => Field::True,
            JsonEvent::Boolean(false) if depth == 1 => Field::False,
            JsonEvent::String(text) if depth == 1 => Field::Text(text.into_owned()),
            _ => continue,
        };
        fields.insert(last.clone(), value);
    }
}

/// Stands in a body for a request id that was never used.
pub const NEW_ID: &str = "NEW-ID";

/// Stands in a body for the request id of the last permit.
pub const STORED_ID: &str = "STORED-ID";

/// How many of the last permits' request ids may not come again. A client remembers more, but also
/// those of denials.
const REMEMBERED: usize = 16;

/// Judges the permits of one client.
#[derive(Default)]
pub struct Judge {
    replies: u64,
    permits: usize,
    /// The request ids of the last permits, the last one at the end.
    permitted: VecDeque<String>,
}

impl Judge {
    /// The number of permits so far.
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Fills in the request id.
    pub fn with_new_id(&mut self, mut reply: Reply) -> Reply {
        self.replies += 1;
        let stored = self.permitted.back().cloned().unwrap_or_default();
        for (name, id) in [(NEW_ID, &self.new_id()), (STORED_ID, &stored)] {
            let at = reply.body.windows(name.len()).position(|part| part == name.as_bytes());
            if let Some(at) = at {
                reply.body.splice(at..at + name.len(), id.bytes());
            }
        }
        reply
    }

    fn new_id(&self) -> String {
        format!("id-{}", self.replies)
    }

    /// Says what is wrong with giving, or not giving, a permit for this reply.
    pub fn judge(&mut self, reply: &Reply, permit: Option<&str>) -> Result<(), &'static str> {
        match (permit, reply.allowing_id()) {
            (Some(_), None) => Err("a permit for a reply that does not allow"),
            (None, Some(id)) if id == self.new_id() => Err("no permit for a reply that allows"),
            (None, _) => Ok(()),
            (Some(permit), Some(id)) => {
                if permit != id || self.permitted.contains(&id) {
                    return Err("a permit for a request id that is not this one, or is not new");
                }
                self.permits += 1;
                self.permitted.push_back(id);
                if self.permitted.len() > REMEMBERED {
                    self.permitted.pop_front();
                }
                Ok(())
            }
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
