//! Cargo's helpers for packages, installed below the build folder in fixed versions.

use std::env;
use std::ffi::OsString;
use std::fs;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::project::Project;

/// A tool: the crate, its version and its features.
type Tool = (&'static str, &'static str, &'static str);

const FOR_PACKAGES: [Tool; 4] = [
    ("cargo-about", "0.9.3", "cli"),
    ("cargo-auditable", "0.7.7", ""),
    ("cargo-cyclonedx", "0.5.9", ""),
    ("cargo-deb", "3.8.0", ""),
];

/// Returns a shell that finds the tools. Missing ones are installed with little optimization:
/// compiling them fully would take longer than they run.
pub(crate) fn for_packages(project: &Project) -> Result<Shell> {
    let shell = project.shell()?;
    let root = project.target.join("tools");
    for (name, version, features) in FOR_PACKAGES {
        let stamp = root.join(format!("{name}-{version}"));
        if stamp.exists() {
            continue;
        }
        eprintln!("installing {name} {version}");
        cmd!(shell, "cargo install --locked --debug --quiet --root {root} --version {version} --features {features} {name}")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .quiet()
            .run()
            .with_context(|| format!("could not install {name}"))?;
        fs::write(stamp, "")?;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [root.join("bin")].into_iter().chain(env::split_paths(&path));
    let path: OsString = env::join_paths(folders)?;
    shell.set_var("PATH", path);
    Ok(shell)
}
