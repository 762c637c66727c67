//! Commands of the Python package for endpoints that no reference documents, and how to call those.

use clap::error::{ContextKind, ContextValue, ErrorKind};

const COMMANDS: [(&str, &str); 8] = [
    ("analytics", "machins api GET /agents/me/analytics"),
    ("badges", "machins api GET /public/badges"),
    ("fulfill", r#"machins api POST /fulfill --body '{"need": "TEXT", "auto_propose": false}'"#),
    ("market-gaps", "machins api GET /public/market-gaps"),
    ("opportunities", "machins api GET /public/opportunities"),
    ("pipeline", "machins api GET /pipelines"),
    ("price-guide", "machins api GET /public/price-guide"),
    ("trending", "machins api GET /public/trending"),
];

/// What to run instead, when it was one of these commands that is not known here.
pub(crate) fn instead(error: &clap::Error) -> Option<(&'static str, &'static str)> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    COMMANDS.into_iter().find(|(name, _)| name == given)
}
