//! The npm package `machins-mock`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use super::program::Program;
use super::staging;
use crate::project::Project;

const FILES: [&str; 3] = ["README.md", "lib", "package.json"];

pub(super) fn build(
    project: &Project,
    shell: &Shell,
    program: &Program,
    third_party: Option<&Path>,
    out: &Path,
) -> Result<PathBuf> {
    let folder = staging::folder(project, "node", &FILES, third_party)?;
    staging::copy(&program.path, &folder.join("bin/machins"))?;
    let (system, processor) = program.node_platform()?;
    let manifest = folder.join("package.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(&manifest)?)?;
    document["version"] = project.version.as_str().into();
    document["homepage"] = project.homepage.as_str().into();
    document["repository"] = json!({"type": "git", "url": project.repository});
    document["os"] = json!([system]);
    document["cpu"] = json!([processor]);
    for only_here in ["scripts", "devDependencies"] {
        document.as_object_mut().map(|fields| fields.shift_remove(only_here));
    }
    fs::write(manifest, serde_json::to_string_pretty(&document)?)?;
    let name = cmd!(shell, "npm pack --silent --pack-destination {out} {folder}").read()?;
    Ok(out.join(name))
}
