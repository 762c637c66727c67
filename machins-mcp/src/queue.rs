//! What waits to be written to one side: bounded in number and in bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many messages may wait.
const MOST: usize = 256;

/// Something that waits, and its share of the bytes that may.
pub(crate) struct Queued<T> {
    pub(crate) item: T,
    _bytes: OwnedSemaphorePermit,
}

/// The end of a queue at which messages are added.
pub(crate) struct Queue<T> {
    sender: mpsc::Sender<Queued<T>>,
    budget: Arc<Semaphore>,
    bytes: usize,
}

/// The end of a queue at which messages are taken.
pub(crate) type QueueEnd<T> = mpsc::Receiver<Queued<T>>;

impl<T> Queue<T> {
    /// Creates a queue for up to this number of bytes.
    pub(crate) fn new(bytes: usize) -> (Self, QueueEnd<T>) {
        let (sender, receiver) = mpsc::channel(MOST);
        (Self { sender, budget: Arc::new(Semaphore::new(bytes)), bytes }, receiver)
    }

    /// Waits for a place and adds an item of this size. Returns false if nobody takes it any more.
    pub(crate) async fn add(&self, item: T, size: usize) -> bool {
        // A message with its line end may be larger than all bytes that may wait; then it waits alone.
        let share = u32::try_from(size.clamp(1, self.bytes)).unwrap_or(u32::MAX);
        let Ok(bytes) = Arc::clone(&self.budget).acquire_many_owned(share).await else {
            return false;
        };
        self.sender.send(Queued { item, _bytes: bytes }).await.is_ok()
    }
}
