//! The output of `-v` on stderr: the calls being made.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::output::to_stderr;
use crate::text::clean;

/// Starts logging: nothing at 0, the clients' calls at 1, everything below them from 2 on.
pub(crate) fn start(verbosity: u8) {
    let targets = match verbosity {
        0 => return,
        1 => Targets::new()
            .with_target("agent_client_core", Level::DEBUG)
            .with_target("machineid_client", Level::DEBUG)
            .with_target("machins_client", Level::DEBUG),
        _ => Targets::new().with_default(Level::TRACE),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Lines)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(targets).with(lines).init();
}

/// Writes each event on one line that is safe to show: it may quote what a server sent.
struct Lines;

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        to_stderr(&format!("{}\n", clean(text.trim_end())));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
