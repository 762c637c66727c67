//! Accepting connections.
//!
//! Not `axum::serve`, because a fault must be able to close a connection without any reply.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::answer::answer;
use crate::site;
use crate::tasks::{self, Tasks};
use crate::worlds::Worlds;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// How many connections may wait to be accepted: a client that finds no room tries again only after
/// a second.
const BACKLOG: u32 = 4096;

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Listens at an address, on the runtime of all servers.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let _entered = tasks::enter_runtime()?;
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was stopped a moment ago does not keep its port; elsewhere that is the default.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves a listener until its tasks are stopped.
pub(crate) fn spawn(listener: TcpListener, worlds: Arc<Worlds>, tasks: &Tasks) {
    tasks.spawn(accept(listener, worlds, tasks.clone()));
}

async fn accept(listener: TcpListener, worlds: Arc<Worlds>, tasks: Tasks) {
    let router = site::router();
    // Ends with this task, and every connection with it.
    let mut connections = JoinSet::new();
    let limit = worlds.own().server.limits.connections.max(1);
    loop {
        let accepted = tokio::select! {
            // One has ended and makes room.
            Some(_) = connections.join_next() => continue,
            () = tasks.drained() => break,
            accepted = listener.accept(), if connections.len() < limit => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection(stream, Arc::clone(&worlds), router.clone(), tasks.clone());
        connections.spawn(tasks.track(tasks.track_connection(connection)));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, worlds: Arc<Worlds>, router: Router, tasks: Tasks) {
    // Without it replies still come, only later.
    let _ = stream.set_nodelay(true);
    let read_time = worlds.own().server.limits.read_time;
    let service = service_fn(|request| answer(&worlds, router.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_time)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let served = tokio::select! {
        served = served.as_mut() => served,
        () = tasks.drained() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}
