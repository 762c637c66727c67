//! stderr for commands that never wait for its reader.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// How much is kept for a slow reader.
const MAX_BYTES: usize = 256 << 10;

/// How long a reader may take for what is left at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is to be written, once [`start`] has been called.
static QUEUE: OnceLock<Queue> = OnceLock::new();

#[derive(Default)]
struct Queue {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    texts: VecDeque<String>,
    bytes: usize,
    /// How many texts were dropped since the last one that was written.
    dropped: u64,
    /// A text is being written.
    busy: bool,
}

/// From now on a thread of its own writes to stderr. A reader that does not read holds up nothing
/// else; what there is no room for is dropped, the oldest first, and counted.
pub(crate) fn start() -> io::Result<()> {
    thread::Builder::new().name("stderr".to_owned()).spawn(|| {
        write_without_signals();
        let queue = QUEUE.get_or_init(Queue::default);
        loop {
            write_directly(&queue.take());
            queue.lock().busy = false;
            queue.changed.notify_all();
        }
    })?;
    QUEUE.get_or_init(Queue::default);
    Ok(())
}

/// Writes to stderr, by the thread if there is one. Errors are ignored: there is nowhere left to
/// report them.
pub(crate) fn write(text: &str) {
    match QUEUE.get() {
        Some(queue) => queue.put(text),
        None => write_directly(text),
    }
}

/// Waits until all has been written, for one second at most.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.get() {
        let is_pending = |pending: &mut Pending| pending.busy || !pending.texts.is_empty();
        // Whether it was long enough makes no difference.
        let _ = queue.changed.wait_timeout_while(queue.lock(), LAST_WORDS, is_pending);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &str) {
        self.lock().add(text);
        self.changed.notify_all();
    }

    /// Waits for the next text, and tells before it how many were dropped.
    fn take(&self) -> String {
        let waited = self.changed.wait_while(self.lock(), |pending| pending.texts.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).remove()
    }
}

impl Pending {
    fn add(&mut self, text: &str) {
        self.bytes += text.len();
        self.texts.push_back(text.to_owned());
        while self.bytes > MAX_BYTES
            && self.texts.len() > 1
            && let Some(oldest) = self.texts.pop_front()
        {
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
    }

    fn remove(&mut self) -> String {
        self.busy = true;
        let text = self.texts.pop_front().unwrap_or_default();
        self.bytes -= text.len();
        match std::mem::take(&mut self.dropped) {
            0 => text,
            dropped => format!("machins: {dropped} earlier lines were not read in time\n{text}"),
        }
    }
}

fn write_directly(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// A terminal can be told (`stty tostop`) to stop processes that write to it from the background,
/// where this one is while its command has the terminal. It does not do so if they block the signal.
fn write_without_signals() {
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigSet, Signal};

        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTTOU);
        let _ = signals.thread_block();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_texts_make_room_and_are_counted() {
        let mut pending = Pending::default();
        for number in 0..100 {
            pending.add(&format!("{number}{}", "x".repeat(10_000)));
        }
        assert!(pending.bytes <= MAX_BYTES);
        assert!(
            pending.remove().starts_with("machins: 74 earlier lines were not read in time\n74x")
        );
        assert!(pending.remove().starts_with("75x"));
    }

    #[test]
    fn a_text_that_is_too_long_alone_is_kept() {
        let mut pending = Pending::default();
        pending.add("short");
        pending.add(&"x".repeat(MAX_BYTES * 2));
        assert!(pending.remove().ends_with("xxx"));
        assert_eq!((pending.bytes, pending.texts.len()), (0, 0));
    }
}
