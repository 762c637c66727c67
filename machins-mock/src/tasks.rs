//! The tasks of all servers of the process, and the runtime that runs them.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::LazyLock;

use tokio::runtime::{EnterGuard, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TrackedFuture;

/// Four threads keep every test's servers busy; more would only cost memory.
const MAX_THREADS: usize = 4;

/// The runtime of the tasks of all servers of the process. It does not belong to the code that
/// starts a server, so that a server can be started and dropped anywhere.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(MAX_THREADS))
        .thread_name("machins-mock")
        .enable_all()
        .build()
});

/// Enters the runtime, so that sockets can be made for it.
pub(crate) fn enter_runtime() -> io::Result<EnterGuard<'static>> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.enter()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}

/// Waits for a future in blocking code.
#[expect(clippy::panic, reason = "documented at each method that waits; a server has a runtime")]
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    match &*RUNTIME {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("the mock server has no runtime: {error}"),
    }
}

/// The tasks of one server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    stop: CancellationToken,
    running: TaskTracker,
    /// Cancelled when connections are to end after the requests under way.
    draining: CancellationToken,
    connections: TaskTracker,
}

impl Tasks {
    /// Returns the tasks of a part of the server, which end with it or before.
    pub(crate) fn part(&self) -> Self {
        Self { stop: self.stop.child_token(), ..self.clone() }
    }

    /// Tells the tasks of a part to end, without waiting for any.
    pub(crate) fn stop_part(&self) {
        self.stop.cancel();
    }

    /// Tells every task to end, without waiting for any.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.running.close();
    }

    /// Lets every connection end after the requests under way, and waits until all have.
    pub(crate) async fn drain(&self) {
        self.draining.cancel();
        self.connections.close();
        self.connections.wait().await;
    }

    /// Waits until connections are to end.
    pub(crate) async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until connections are to end, or this part of the server is stopped.
    pub(crate) async fn ending(&self) {
        tokio::select! {
            () = self.draining.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Runs a future until it is done or the server is stopped.
    pub(crate) async fn unless_stopped(&self, task: impl Future<Output = ()>) {
        self.stop.run_until_cancelled(task).await;
    }

    /// Spawns a task, which is dropped when the server is stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let tasks = self.clone();
        let task = async move { tasks.unless_stopped(task).await };
        // No server is started without the runtime.
        if let Ok(runtime) = &*RUNTIME {
            self.running.spawn_on(task, runtime.handle());
        }
    }

    /// Counts a future that runs elsewhere among the tasks that [`stopped`](Self::stopped) waits
    /// for.
    pub(crate) fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.running.track_future(future)
    }

    /// Counts a future among the connections that [`drain`](Self::drain) waits for.
    pub(crate) fn track_connection<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.connections.track_future(future)
    }

    /// Waits until the port is closed and every connection is gone.
    pub(crate) async fn stopped(&self) {
        self.running.wait().await;
    }
}
