//! What `-v` shows: the calls being made, on stderr.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Shows nothing, our own calls, or everything below them as well.
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
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE);
    tracing_subscriber::registry().with(targets).with(lines).init();
}
