//! The lines that wait to be written to the client: bounded in number and in bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many lines may wait.
const MOST: usize = 256;

/// A line that waits, and its share of the bytes that may.
pub(crate) struct Queued {
    pub(crate) line: Bytes,
    _bytes: OwnedSemaphorePermit,
}

/// The end of a queue at which lines are added.
pub(crate) struct Queue {
    sender: mpsc::Sender<Queued>,
    budget: Arc<Semaphore>,
    bytes: usize,
}

/// The end of a queue at which lines are taken.
pub(crate) type QueueEnd = mpsc::Receiver<Queued>;

impl Queue {
    /// Creates a queue for up to this number of bytes.
    pub(crate) fn new(bytes: usize) -> (Self, QueueEnd) {
        let (sender, receiver) = mpsc::channel(MOST);
        (Self { sender, budget: Arc::new(Semaphore::new(bytes)), bytes }, receiver)
    }

    /// Waits for a place and adds a line. Returns false if nobody takes it any more.
    pub(crate) async fn add(&self, line: Bytes) -> bool {
        // A message with its line end may be larger than all bytes that may wait; then it waits alone.
        let share = u32::try_from(line.len().clamp(1, self.bytes)).unwrap_or(u32::MAX);
        let Ok(bytes) = Arc::clone(&self.budget).acquire_many_owned(share).await else {
            return false;
        };
        self.sender.send(Queued { line, _bytes: bytes }).await.is_ok()
    }
}
