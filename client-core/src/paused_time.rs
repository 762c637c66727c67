//! The paused clock of tokio, which must not advance while something outside the program is waited for.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Waits for something that happens outside the program: a reply, a file.
///
/// While a tokio runtime has nothing to do, its paused clock (`#[tokio::test(start_paused = true)]`)
/// advances to the next timer. Every time limit around a request would then pass before the reply
/// arrives. So the clock stands still while this future runs, but for `limit` of real time at most.
/// Does nothing unless the clock is paused.
pub async fn hold_paused_time<F: Future>(limit: Duration, future: F) -> F::Output {
    let _held = PausedTime::hold(limit);
    future.await
}

/// Whether tokio's clock shows another time than the system's.
fn is_paused() -> bool {
    let before = Instant::now();
    let shown = tokio::time::Instant::now().into_std();
    shown < before || shown > Instant::now()
}

/// Lets the paused clock stand still until it is dropped.
pub(crate) struct PausedTime {
    /// The task that holds the clock ends when it is dropped.
    _sender: Sender<()>,
}

impl PausedTime {
    /// Returns `None` unless the clock is paused. See [`hold_paused_time`].
    pub(crate) fn hold(limit: Duration) -> Option<Self> {
        if !is_paused() {
            return None;
        }
        let (sender, dropped) = mpsc::channel::<()>();
        // Tokio's clock does not advance by itself while a blocking task runs.
        tokio::task::spawn_blocking(move || {
            let _: Result<(), RecvTimeoutError> = dropped.recv_timeout(limit);
        });
        Some(Self { _sender: sender })
    }
}
