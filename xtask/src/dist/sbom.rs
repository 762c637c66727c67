//! The list of components, in the form of `CycloneDX`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

use super::program::Program;
use crate::project::Project;

pub(super) fn build(
    project: &Project,
    shell: &Shell,
    program: &Program,
    out: &Path,
) -> Result<PathBuf> {
    let Program { target, .. } = program;
    let name = format!("machins-{}-{target}", project.version);
    cmd!(
        shell,
        "cargo cyclonedx --manifest-path machins-cli/Cargo.toml --format json --spec-version 1.5 --features full --target {target} --override-filename {name}.cdx"
    )
    .run()?;
    // One is written beside the manifest of each crate of the workspace.
    let written = |folder: &Path| folder.join(format!("{name}.cdx.json"));
    let text = fs::read_to_string(written(&project.root.join("machins-cli")))?;
    for entry in fs::read_dir(&project.root)? {
        let path = written(&entry?.path());
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    let path = out.join(format!("{name}.cdx.json"));
    // Where the sources were on this machine says nothing to others.
    let root = format!("path+file://{}", project.root.display());
    fs::write(&path, text.replace(&root, "path+file:///machins"))?;
    Ok(path)
}
