//! The wheel `machins-mock`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml_edit::{DocumentMut, value};
use xshell::{Shell, cmd};

use super::program::Program;
use super::staging;
use crate::project::Project;

const FILES: [&str; 4] = ["README.md", "hatch_build.py", "pyproject.toml", "src"];

pub(super) fn build(
    project: &Project,
    shell: &Shell,
    program: &Program,
    third_party: Option<&Path>,
    out: &Path,
) -> Result<PathBuf> {
    let folder = staging::folder(project, "python", &FILES, third_party)?;
    staging::copy(&program.path, &folder.join("src/machins_mock/bin/machins"))?;
    let manifest = folder.join("pyproject.toml");
    let mut document: DocumentMut = fs::read_to_string(&manifest)?.parse()?;
    document["project"]["version"] = value(&project.version);
    document["project"]["urls"]["Homepage"] = value(&project.homepage);
    document["project"]["urls"]["Repository"] = value(&project.repository);
    fs::write(manifest, document.to_string())?;
    let built = staging::empty(project, "wheel")?;
    cmd!(
        shell,
        "python3 -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir {built} {folder}"
    )
    .env("MACHINS_MOCK_PLATFORM_TAG", &program.wheel_platforms)
    .run()?;
    staging::move_only_file(&built, out)
}
