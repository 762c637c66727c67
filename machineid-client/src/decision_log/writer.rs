//! A thread that writes to a log, so that nobody who is denied waits for the disk.

use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::lock::{LONGEST_WAIT, PAUSE};

/// How many decisions may wait to be written.
const QUEUE: usize = 1024;
/// The longest wait for what is not written yet.
const LONGEST_DRAIN: Duration = LONGEST_WAIT.saturating_add(Duration::from_secs(1));

type Task = Box<dyn FnOnce() + Send>;

/// The thread, which starts with the first task. Dropping this waits until it has run all tasks.
#[derive(Default)]
pub(super) struct Writer(OnceLock<Option<Thread>>);

struct Thread {
    queue: SyncSender<Task>,
    /// Is disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl Writer {
    /// Lets the thread run a task after those before it. Returns false if too many are waiting.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) -> bool {
        let thread = self.0.get_or_init(Thread::start);
        thread.as_ref().is_some_and(|thread| thread.queue.try_send(Box::new(task)).is_ok())
    }

    /// Waits until the tasks so far have run, for [`LONGEST_DRAIN`] at most.
    pub(super) fn drain(&self) {
        let Some(Some(thread)) = self.0.get() else { return };
        let (done, drained) = mpsc::channel::<()>();
        let deadline = Instant::now() + LONGEST_DRAIN;
        let mut task: Task = Box::new(move || drop(done));
        while let Err(TrySendError::Full(unsent)) = thread.queue.try_send(task) {
            if Instant::now() >= deadline {
                return;
            }
            task = unsent;
            thread::sleep(PAUSE);
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        let _ = drained.recv_timeout(remaining);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(Some(Thread { queue, ended })) = self.0.take() {
            drop(queue);
            let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(LONGEST_DRAIN);
        }
    }
}

impl Thread {
    fn start() -> Option<Self> {
        let (queue, tasks) = mpsc::sync_channel::<Task>(QUEUE);
        let (running, ended) = mpsc::channel::<()>();
        let run = move || {
            let _running = running;
            while let Ok(task) = tasks.recv() {
                task();
            }
        };
        thread::Builder::new().name("decision-log".to_owned()).spawn(run).ok()?;
        Some(Self { queue, ended: Mutex::new(ended) })
    }
}
