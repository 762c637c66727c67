//! The package for Debian and its descendants. What it holds is listed in `machins-cli/Cargo.toml`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use super::program::Program;

pub(super) fn build(shell: &Shell, program: &Program, out: &Path) -> Result<PathBuf> {
    let Program { target, .. } = program;
    let path = cmd!(
        shell,
        "cargo deb --locked --no-build --no-strip --package machins-cli --target {target} --output {out}"
    )
    .read()?;
    Ok(PathBuf::from(path))
}
