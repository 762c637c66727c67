//! Commands that a build may lack, and the features of this package that have them.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Failure;

/// The commands, the feature of each, and whether this build has it.
const COMMANDS: [(&str, &str, bool); 5] = [
    ("conformance", "mock", cfg!(feature = "mock")),
    ("demo", "mock", cfg!(feature = "mock")),
    ("mcp", "mcp", cfg!(feature = "mcp")),
    ("mock", "mock", cfg!(feature = "mock")),
    ("relay", "relay", cfg!(feature = "relay")),
];

/// Returns the failure of a command that this build lacks, or `None` if the error is another one.
pub(crate) fn lacking(error: &clap::Error) -> Option<Failure> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let is_lacking = |(name, _, is_built): &(&str, &str, bool)| name == given && !is_built;
    let (name, feature, _) = COMMANDS.into_iter().find(is_lacking)?;
    Some(not_built(name, feature))
}

/// Returns the failure of a command that needs a feature which this build lacks.
pub(crate) fn not_built(command: &str, feature: &str) -> Failure {
    let what = format!(
        "{command} is not part of this build of machins: it was built without the feature {feature}"
    );
    Failure::usage(what)
        .hint(format!("build it with `--features {feature}`, or with `--features full` for all"))
}
