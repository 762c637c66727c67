//! Accepting connections and answering requests.
//!
//! Not `axum::serve`, because a fault must be able to close a connection without any reply.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::fault::{self, ConnectionLost, Fault};
use crate::http::{App, Problem, is_cross_origin, is_infrastructure};
use crate::journal::{Ticket, mask};
use crate::machins;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// How many connections may wait to be accepted: a client whose connection finds no place tries
/// again only after a second.
const BACKLOG: u32 = 4096;

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Four threads keep every test's servers busy; more would only cost memory.
const MAX_THREADS: usize = 4;

/// Carries the tasks of all servers of the process, whatever runtime their owners live in, so that
/// a server can be started and dropped anywhere.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(MAX_THREADS))
        .thread_name("machins-mock")
        .enable_all()
        .build()
});

/// The tasks of one server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    stop: CancellationToken,
    running: TaskTracker,
}

impl Tasks {
    /// Signals every task to end; waits for none.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.running.close();
    }

    /// Does something unless it is to end before it is done.
    pub(crate) async fn unless_stopped(&self, task: impl Future<Output = ()>) {
        self.stop.run_until_cancelled(task).await;
    }

    /// Adds a task, which is dropped when they are stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let tasks = self.clone();
        let task = async move { tasks.unless_stopped(task).await };
        // No server is started without the runtime.
        if let Ok(runtime) = &*RUNTIME {
            self.running.spawn_on(task, runtime.handle());
        }
    }

    /// Waits until the port is closed and every connection is gone.
    pub(crate) async fn stopped(&self) {
        self.running.wait().await;
    }
}

/// Listens at an address, on the runtime of all servers.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let runtime =
        RUNTIME.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let _entered = runtime.enter();
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was stopped a moment ago does not keep its port; elsewhere that is the default.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves a listener until its tasks are stopped.
pub(crate) fn spawn(listener: TcpListener, app: App, tasks: &Tasks) {
    tasks.spawn(accept(listener, app, tasks.clone()));
}

async fn accept(listener: TcpListener, app: App, tasks: Tasks) {
    let router = crate::http::router(Arc::clone(&app));
    // Ends with this task, and every connection with it.
    let mut connections = JoinSet::new();
    let most = app.limits.connections.max(1);
    loop {
        let accepted = tokio::select! {
            // One has ended and makes room.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < most => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection(stream, Arc::clone(&app), router.clone());
        connections.spawn(tasks.running.track_future(connection));
    }
}

async fn connection(stream: TcpStream, app: App, router: Router) {
    // Without it replies still come, only later.
    let _ = stream.set_nodelay(true);
    let read_time = app.limits.read_time;
    let service = service_fn(|request| answer(&app, router.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_time)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "connection ended");
    }
}

/// Answers one request, faults included, and enters it into the journal.
async fn answer(
    app: &App,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response, ConnectionLost> {
    let path = request.uri().path();
    if is_infrastructure(path) {
        if is_cross_origin(request.headers()) {
            let detail = "web pages of other origins can't use the mock's own routes";
            return Ok(Problem::new(403, "CROSS_ORIGIN", detail).into_response());
        }
        let Ok(response) = router.call(request).await;
        return Ok(response);
    }
    let (arrival, fault) = Arrival::note(app, &request);
    let about_machins = fault.is_some() && machins::http::is_machins(path);
    let reply = pin!(router.call(request));
    let result = match fault {
        None => {
            let Ok(response) = reply.await;
            Ok(response)
        }
        // Boxed, because most requests have none, and each would carry the room for it.
        Some(fault) => Box::pin(fault::apply(fault, about_machins, reply)).await,
    };
    arrival.answered(result.as_ref().ok());
    result
}

/// A request under way.
struct Arrival<'a> {
    app: &'a App,
    ticket: Ticket,
    since: Instant,
}

impl<'a> Arrival<'a> {
    /// Enters a request, and looks for the fault that hits it.
    fn note(app: &'a App, request: &Request<Incoming>) -> (Self, Option<Fault>) {
        let since = Instant::now();
        let (method, path) = (request.method(), request.uri().path());
        let now = app.world().clock.now();
        let (fault, ticket) = app.instruments().arrived(method, path, now);
        tracing::debug!(%method, path = mask(path), fault = fault.as_ref().map(Fault::kind), "request");
        (Self { app, ticket, since }, fault)
    }

    fn answered(&self, response: Option<&Response>) {
        let status = response.map(|response| response.status().as_u16());
        let latency = self.since.elapsed();
        if let Some(record) = self.app.instruments().journal.record(self.ticket) {
            record.status = status;
            record.latency = Some(latency);
        }
        tracing::debug!(status, ?latency, "reply");
    }
}
