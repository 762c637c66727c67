//! The project: its folder, its version and its addresses.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use toml_edit::DocumentMut;
use xshell::{Shell, cmd};

pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// One version for everything that is published.
    pub(crate) version: String,
    pub(crate) repository: String,
    pub(crate) homepage: String,
    metadata: Value,
}

impl Project {
    pub(crate) fn read() -> Result<Self> {
        let shell = Shell::new()?;
        // At run time: clones that share a target directory share this program.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask has no parent")?;
        shell.change_dir(root);
        let metadata = cmd!(shell, "cargo metadata --locked --format-version 1").quiet().read()?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let manifest: DocumentMut = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
        let setting = |name: &str| {
            let value = manifest["workspace"]["package"].get(name).and_then(|value| value.as_str());
            value.map(str::to_owned).with_context(|| format!("Cargo.toml has no {name}"))
        };
        let target = metadata["target_directory"].as_str().context("no target directory")?;
        Ok(Self {
            root: root.to_owned(),
            target: PathBuf::from(target),
            version: setting("version")?,
            repository: setting("repository")?,
            homepage: setting("homepage")?,
            metadata,
        })
    }

    /// Returns a shell in the project's folder.
    pub(crate) fn shell(&self) -> Result<Shell> {
        let shell = Shell::new()?;
        shell.change_dir(&self.root);
        Ok(shell)
    }

    /// Returns the folder of a dependency's source.
    pub(crate) fn dependency(&self, name: &str) -> Result<PathBuf> {
        let packages = self.metadata["packages"].as_array().into_iter().flatten();
        let manifest = packages
            .filter(|package| package["name"] == name)
            .find_map(|package| package["manifest_path"].as_str())
            .with_context(|| format!("{name} is not a dependency"))?;
        Ok(Path::new(manifest).parent().context("a manifest without a folder")?.to_owned())
    }

    /// Returns who maintains the Debian package.
    pub(crate) fn maintainer(&self) -> Result<&str> {
        let packages = self.metadata["packages"].as_array().into_iter().flatten();
        packages
            .filter(|package| package["name"] == "machins-cli")
            .find_map(|package| package["metadata"]["deb"]["maintainer"].as_str())
            .context("machins-cli has no maintainer")
    }

    /// Returns the time that packages bear, in seconds since 1970: that of the last commit, so that
    /// two builds give the same bytes.
    pub(crate) fn source_date(&self) -> Result<String> {
        if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH") {
            return Ok(date);
        }
        let shell = self.shell()?;
        let date = cmd!(shell, "git log -1 --format=%ct").quiet().ignore_stderr().read();
        // Without history, the earliest time that a zip file can hold.
        Ok(date.unwrap_or_else(|_| "315532800".to_owned()))
    }
}
