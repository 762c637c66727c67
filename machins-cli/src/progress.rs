//! What moves while something lasts: on stderr, on a terminal only, and gone afterwards.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::output::Output;

const TURN: Duration = Duration::from_millis(100);

/// A sign of life. Nothing of it is left when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins to show it, where that is wanted.
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
        bar.enable_steady_tick(TURN);
        Self(bar)
    }

    /// Says how far it has come.
    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
    }

    /// Makes room for output while `write` runs.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.suspend(write)
    }
}
