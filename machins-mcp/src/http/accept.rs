//! Accepting connections.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use machineid_client::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::clients::Clients;
use super::exchange::{Endpoint, READ_TIME};
use super::in_use::InUse;
use super::upstream::HttpServer;
use crate::denial::CallDenied;
use crate::gate::McpGate;

/// How many connections there may be at one time.
const MOST_CONNECTIONS: usize = 1024;

/// How many of the largest messages may be held at one time.
const LARGEST_AT_ONCE: usize = 4;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// How long the last responses may take after a denial that ends the gate.
const LAST_RESPONSES: Duration = Duration::from_secs(1);

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

impl McpGate {
    /// Serves an MCP endpoint at `listener` that passes requests on to a server elsewhere, until `stop` is
    /// cancelled. Then all connections are closed.
    ///
    /// Requests are answered as the server does: with JSON, or with a stream of events that passes as it
    /// comes. Headers pass in both directions, those for authorization and sessions included, but for
    /// those that concern one connection. The endpoint has the path of the server's.
    ///
    /// A request is refused (403) if its `Host` is not a loopback name or address, the address that
    /// `listener` is bound to, or a [permitted](HttpServer::allow_host) name, or if it has an `Origin`
    /// for which that is not so. A redirection by the server is refused (502), as a client that
    /// followed it would pass by the gate.
    ///
    /// ```no_run
    /// use machins_mcp::{HttpServer, McpGate};
    /// use machineid_client::CancellationToken;
    /// use tokio::net::TcpListener;
    ///
    /// # async fn example(gate: McpGate) -> Result<(), Box<dyn std::error::Error>> {
    /// let server = HttpServer::new("https://tools.example/mcp")?;
    /// let listener = TcpListener::bind("127.0.0.1:8090").await?;
    /// gate.serve_http(listener, server, &CancellationToken::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`CallDenied`] if a device may no longer run and the gate stops on a denial.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        server: HttpServer,
        stop: &CancellationToken,
    ) -> Result<(), CallDenied> {
        serve(self, listener, server, stop).await
    }
}

async fn serve(
    gate: &McpGate,
    listener: TcpListener,
    server: HttpServer,
    stop: &CancellationToken,
) -> Result<(), CallDenied> {
    let gate = Arc::new(gate.clone());
    let stopping = CancellationToken::new();
    let stopped_by = Arc::new(Mutex::new(None));
    let mut admission = server.admission.clone();
    admission.bound = listener.local_addr().ok().map(|address| address.ip());
    let endpoint = Arc::new(Endpoint {
        stop: Arc::new({
            let (gate, stopping, stopped_by) =
                (Arc::clone(&gate), stopping.clone(), Arc::clone(&stopped_by));
            move |denied| {
                if gate.stops(&denied) {
                    *stopped_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(denied);
                    stopping.cancel();
                }
            }
        }),
        memory: Arc::new(Semaphore::new(LARGEST_AT_ONCE * gate.max_message)),
        gate,
        server,
        admission,
        clients: Clients::default(),
        in_use: InUse::default(),
    });
    // Dropped at the end, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = stopping.cancelled() => break,
            // One has ended and makes room.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&endpoint), stopping.clone()));
            }
            Err(error) => {
                tracing::debug!(%error, "accepting failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    if stopping.is_cancelled() {
        let all = async { while connections.join_next().await.is_some() {} };
        // What runs longer is cut off.
        let _ = timeout(LAST_RESPONSES, all).await;
    }
    let denied = stopped_by.lock().unwrap_or_else(PoisonError::into_inner).take();
    denied.map_or(Ok(()), Err)
}

async fn connection(stream: TcpStream, endpoint: Arc<Endpoint>, stopping: CancellationToken) {
    // Without it replies still come, only later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIME)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}
