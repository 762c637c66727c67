//! Folders below the build folder in which packages are put together.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::notices;
use crate::project::Project;

/// Returns an empty folder.
pub(super) fn empty(project: &Project, name: &str) -> Result<PathBuf> {
    let folder = project.target.join("staging").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Returns a folder with these files of a package's, and the licences.
pub(super) fn folder(
    project: &Project,
    package: &str,
    files: &[&str],
    third_party: Option<&Path>,
) -> Result<PathBuf> {
    let folder = empty(project, package)?;
    let source = project.root.join("packages").join(package);
    for file in files {
        for entry in WalkDir::new(source.join(file)) {
            let entry = entry?;
            let is_cache = entry.path().components().any(|part| part.as_os_str() == "__pycache__");
            if entry.file_type().is_file() && !is_cache {
                copy(entry.path(), &folder.join(entry.path().strip_prefix(&source)?))?;
            }
        }
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&project.root.join(name), &folder.join(name))?;
    }
    if let Some(third_party) = third_party {
        copy(third_party, &folder.join(notices::NAME))?;
    }
    Ok(folder)
}

/// Copies a file into a folder that may have to be created.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    fs::copy(from, to).with_context(|| format!("could not copy {}", from.display()))?;
    Ok(())
}

/// Moves the only file of a folder into another, and returns where it is now.
pub(super) fn move_only_file(from: &Path, into: &Path) -> Result<PathBuf> {
    let files: Vec<_> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
    let [file] = files.as_slice() else { bail!("{} holds {} files", from.display(), files.len()) };
    let path = into.join(file.file_name());
    copy(&file.path(), &path)?;
    Ok(path)
}
