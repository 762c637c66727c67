//! How long the mock server's world is locked: the time in the span that it enters meanwhile.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bench::Result;

static HELD_NANOS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs some work and returns the total time for which locks were held meanwhile.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> Result<(T, Duration)> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| tracing::subscriber::set_global_default(Stopwatch).is_ok()) {
        return Err("another subscriber listens already".into());
    }
    let before = HELD_NANOS.load(Ordering::Relaxed);
    let result = work();
    let held = HELD_NANOS.load(Ordering::Relaxed) - before;
    Ok((result, Duration::from_nanos(held)))
}

/// Subscribes to one kind of span only, so that nothing else is slowed down.
struct Stopwatch;

impl Subscriber for Stopwatch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "machins"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn enter(&self, _: &Id) {
        SINCE.set(Some(Instant::now()));
    }

    fn exit(&self, _: &Id) {
        if let Some(since) = SINCE.take() {
            let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            HELD_NANOS.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}
