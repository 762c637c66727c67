//! Servers that say whatever a test wants.
#![cfg_attr(not(unix), allow(dead_code, reason = "most who use them are for Unix"))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::Value;

/// What was asked.
pub(crate) struct Request {
    /// The first line and the headers, each with its end.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            // A caller may have gone before it asked anything.
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self { head, body })
    }
}

/// What is answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = b"content-type: application/json\r\n".to_vec();
        Self { status, headers, body: body.to_string().into() }
    }
}

/// A server that answers like this for as long as the tests run. Its address.
pub(crate) fn serve(answer: impl Fn(Request) -> Reply + Send + Sync + 'static) -> String {
    let answer = Arc::new(answer);
    each(move |mut stream| {
        let Some(request) = Request::read(&stream) else { return };
        let Reply { status, headers, body } = answer(request);
        let mut reply = format!(
            "HTTP/1.1 {status} Any\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        for part in [&headers[..], b"\r\n", &body] {
            reply.extend(part);
        }
        // The caller may not want to hear it.
        let _ = stream.write_all(&reply);
    })
}

/// A server that accepts and never answers. Its address.
pub(crate) fn hang() -> String {
    each(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn each(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, handle) = (stream.unwrap(), handle.clone());
            thread::spawn(move || handle(stream));
        }
    });
    url
}

/// What the server at `url` answers to a request that came here.
pub(crate) fn forward(url: &str, request: &Request) -> Reply {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let unwanted = ["host:", "connection:", "content-length:", "accept-encoding:"];
    let mut lines = request.head.split_inclusive("\r\n");
    let mut sent = lines.next().unwrap().as_bytes().to_vec();
    for line in
        lines.filter(|line| !unwanted.iter().any(|name| line.to_lowercase().starts_with(name)))
    {
        sent.extend(line.as_bytes());
    }
    let length = request.body.len();
    let rest = format!("host: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    sent.extend(rest.as_bytes());
    sent.extend(&request.body);
    stream.write_all(&sent).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let status = str::from_utf8(&reply[9..12]).unwrap().parse().unwrap();
    Reply { status, headers: Vec::new(), body: reply[end + 4..].to_vec() }
}
