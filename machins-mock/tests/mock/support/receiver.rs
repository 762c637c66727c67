//! A server that webhooks and verifications are posted to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What came in.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How the receiver answers; `None` for never.
pub(crate) type Answer = Option<Response<Full<Bytes>>>;

pub(crate) struct Receiver {
    pub(crate) url: String,
    received: UnboundedReceiver<Received>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An address at which nobody listens, and which nobody else gets as long as this process runs.
pub(crate) fn closed_port() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    std::mem::forget(socket);
    addr
}

#[expect(clippy::unnecessary_wraps, reason = "`None` is an answer too: none at all")]
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    Some(Response::builder().status(status).body(body).unwrap())
}

impl Receiver {
    /// Gives the n-th request, from 0, this answer.
    pub(crate) async fn start(respond: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, received) = unbounded_channel();
        let (respond, count) = (Arc::new(respond), Arc::new(AtomicUsize::new(0)));
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (respond, count, sender) =
                    (Arc::clone(&respond), Arc::clone(&count), sender.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (respond, count, sender) =
                        (Arc::clone(&respond), Arc::clone(&count), sender.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
                        let headers = parts.headers.iter();
                        let received = Received {
                            path: parts.uri.path().to_owned(),
                            headers: headers.map(|(k, v)| (k.to_string(), text(v))).collect(),
                            body: body.collect().await.unwrap().to_bytes(),
                        };
                        let number = count.fetch_add(1, Ordering::SeqCst);
                        let _ = sender.send(received);
                        match respond(number) {
                            Some(response) => Ok::<_, Infallible>(response),
                            None => std::future::pending().await,
                        }
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, received, server }
    }

    /// Accepts everything.
    pub(crate) async fn willing() -> Self {
        Self::start(|_| answer(200, "{}")).await
    }

    pub(crate) async fn next(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }

    /// Everything that has come so far.
    pub(crate) fn so_far(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}
