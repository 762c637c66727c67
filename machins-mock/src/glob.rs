//! Globs over request paths.

use globset::{GlobBuilder, GlobMatcher};

/// The longest glob, in bytes.
const MAX_GLOB: usize = 1024;

/// The text is no glob over paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{glob}` is no glob over paths: {reason}")]
pub struct InvalidGlob {
    glob: String,
    reason: String,
}

/// A matcher for a glob in which `*` stays within a segment and `**` does not.
pub(crate) fn path_glob(glob: &str) -> Result<GlobMatcher, InvalidGlob> {
    let invalid = |reason: String| InvalidGlob { glob: glob.chars().take(80).collect(), reason };
    if glob.len() > MAX_GLOB {
        return Err(invalid(format!("longer than {MAX_GLOB} bytes")));
    }
    GlobBuilder::new(glob)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| invalid(error.kind().to_string()))
}
