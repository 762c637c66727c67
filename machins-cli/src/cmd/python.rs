//! Commands of the Python package for undocumented endpoints, and how to call those endpoints.

use clap::error::{ContextKind, ContextValue, ErrorKind};

const COMMANDS: [(&str, &str); 8] = [
    ("analytics", "`machins api GET /agents/me/analytics`"),
    ("badges", "`machins api GET /public/badges`"),
    (
        "fulfill",
        r#"`machins api POST /fulfill --body '{"need": "a summary of a page", "auto_propose": false}'`"#,
    ),
    ("market-gaps", "`machins api GET /public/market-gaps`"),
    ("opportunities", "`machins api GET /public/opportunities`"),
    ("pipeline", "`machins api GET /pipelines`"),
    ("price-guide", "`machins api GET /public/price-guide`"),
    ("trending", "`machins api GET /public/trending`"),
];

/// Finds the command to run instead of an unknown one, if the Python package has it.
pub(crate) fn alternative(error: &clap::Error) -> Option<(&'static str, &'static str)> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    COMMANDS.into_iter().find(|(name, _)| name == given)
}
