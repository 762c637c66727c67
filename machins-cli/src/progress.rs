//! Progress on stderr while a command waits: on a terminal only, and erased afterwards.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::output::Output;

const TICK: Duration = Duration::from_millis(100);

/// A spinner with a message, erased when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shows the spinner if progress is wanted.
    pub(crate) fn start(out: Output, what: &str) -> Self {
        if !out.shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(what.to_owned())
            .with_finish(ProgressFinish::AndClear);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Changes the message.
    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// Hides the spinner while `write` prints something.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.suspend(write)
    }
}
