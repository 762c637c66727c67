//! How long the mock server does something that it enters a span for: holding the marketplace's lock, or
//! keeping its journal.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bench::Result;

/// What is measured, by the name of its span.
#[derive(Clone, Copy)]
pub(crate) enum Held {
    Marketplace = 1,
    Journal = 2,
}

static NANOS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs some work and returns the total time that was spent in these spans meanwhile.
pub(crate) fn during<T>(what: Held, work: impl FnOnce() -> T) -> Result<(T, Duration)> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| tracing::subscriber::set_global_default(Stopwatch).is_ok()) {
        return Err("another subscriber listens already".into());
    }
    let nanos = &NANOS[what as usize];
    let before = nanos.load(Ordering::Relaxed);
    let result = work();
    let held = nanos.load(Ordering::Relaxed) - before;
    Ok((result, Duration::from_nanos(held)))
}

/// Subscribes to these spans only, so that nothing else is slowed down.
struct Stopwatch;

impl Subscriber for Stopwatch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && matches!(metadata.name(), "machins" | "journal")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let held = match span.metadata().name() {
            "machins" => Held::Marketplace,
            _ => Held::Journal,
        };
        Id::from_u64(held as u64)
    }

    fn enter(&self, _: &Id) {
        SINCE.set(Some(Instant::now()));
    }

    fn exit(&self, span: &Id) {
        if let Some(since) = SINCE.take() {
            let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let which = usize::try_from(span.into_u64()).unwrap_or(0);
            NANOS[which].fetch_add(nanos, Ordering::Relaxed);
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}
