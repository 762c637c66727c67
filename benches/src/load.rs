//! A minimal client, for measuring servers.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::Result;
use crate::server::{body, message_length};

/// One connection, kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, reply: Vec::new() })
    }

    /// Sends a request and returns the body of the reply, which must be a success.
    pub(crate) async fn exchange(&mut self, request: &str) -> Result<&[u8]> {
        self.reply.clear();
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let Some(length) = message_length(&self.reply) else { continue };
            if self.reply.len() >= length {
                break;
            }
        }
        if !self.reply.starts_with(b"HTTP/1.1 2") {
            return Err(String::from_utf8_lossy(&self.reply).into());
        }
        Ok(body(&self.reply))
    }

    pub(crate) async fn exchange_json<T: DeserializeOwned>(&mut self, request: &str) -> Result<T> {
        Ok(serde_json::from_slice(self.exchange(request).await?)?)
    }
}

/// A request with a key in this header; with a body it is a POST.
pub(crate) fn request(path: &str, key: (&str, &str), body: Option<&Value>) -> String {
    let (header, key) = key;
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.map(ToString::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{header}: {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
