//! Where a store works: on a thread of its own, so that locks are kept and released whatever the callers'
//! runtimes do.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use machins_client::{Error, ErrorKind};
use tokio::runtime::{Builder, Handle, Runtime};

/// How long the end of a store waits for locks that are being released.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// A runtime of its own. When it is dropped, it waits until the locks that are being released are.
pub(super) struct Background {
    runtime: Option<Runtime>,
    worker: Worker,
}

/// The way to a [`Background`] for locks, which may outlive it.
#[derive(Clone)]
pub(super) struct Worker {
    handle: Handle,
    releasing: Arc<Releasing>,
}

#[derive(Default)]
struct Releasing {
    count: Mutex<usize>,
    is_less: Condvar,
}

impl Background {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("machins-store")
            .enable_all()
            .build()?;
        let worker = Worker { handle: runtime.handle().clone(), releasing: Arc::default() };
        Ok(Self { runtime: Some(runtime), worker })
    }

    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let Releasing { count, is_less } = &*self.worker.releasing;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        // What is not released by then runs out.
        drop(is_less.wait_timeout_while(count, RELEASE_LIMIT, |count| *count > 0));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Worker {
    /// Runs a task to its end, whether the caller waits for it or not.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        task: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Result<R, Error> {
        self.handle.spawn(task).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Storage, "the store was dropped; nothing was sent"))
        })
    }

    pub(super) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// Runs a task that the end of the store waits for.
    pub(super) fn release(&self, task: impl Future<Output = ()> + Send + 'static) {
        *self.releasing.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let counted = Counted(Arc::clone(&self.releasing));
        self.handle.spawn(async move {
            task.await;
            drop(counted);
        });
    }
}

/// A release that is under way.
struct Counted(Arc<Releasing>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.is_less.notify_all();
    }
}
