//! The packages that the tests need.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const PYTHON: [&str; 2] = ["mcp==2.3.0", "fastmcp==4.2.3"];
const NODE: [&str; 2] =
    ["@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/server-everything@2026.8.31"];

const INSPECTOR: [&str; 1] = ["@modelcontextprotocol/inspector@2.12.0"];

/// The folder with the inspector, or `None` where it cannot be installed.
pub(crate) fn inspector() -> Option<&'static Path> {
    static FOLDER: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| install("mcp-inspector", &INSPECTOR, |folder| npm(folder, &INSPECTOR)));
    folder(&FOLDER, "REQUIRE_NODE")
}

/// The folder with the Python packages, or `None` where they cannot be installed.
pub(crate) fn python() -> Option<&'static Path> {
    static FOLDER: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        install("mcp-python", &PYTHON, |folder| {
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .arg("--target")
                .arg(folder)
                .args(PYTHON)
                .output()
        })
    });
    folder(&FOLDER, "REQUIRE_PYTHON")
}

/// The folder with the Node packages, or `None` where they cannot be installed.
pub(crate) fn node() -> Option<&'static Path> {
    static FOLDER: LazyLock<Result<PathBuf, String>> =
        LazyLock::new(|| install("mcp-node", &NODE, |folder| npm(folder, &NODE)));
    folder(&FOLDER, "REQUIRE_NODE")
}

fn npm(folder: &Path, packages: &[&str]) -> std::io::Result<Output> {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("package.json"), "{}").unwrap();
    Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
        .arg("--prefix")
        .arg(folder)
        .args(packages)
        .output()
}

fn folder(installed: &'static Result<PathBuf, String>, variable: &str) -> Option<&'static Path> {
    match installed {
        Ok(folder) => Some(folder),
        Err(why) if env::var_os(variable).is_some() => panic!("the packages are missing: {why}"),
        Err(why) => {
            eprintln!("SKIPPED: the official packages cannot be installed here: {why}");
            None
        }
    }
}

/// Installs packages into a folder of their own, once for all tests and runs.
fn install(
    name: &str,
    packages: &[&str],
    run: impl FnOnce(&Path) -> std::io::Result<Output>,
) -> Result<PathBuf, String> {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let versions = packages.join(" ").replace(['/', '@'], "-");
    let folder = folders.join(format!("{name} {versions}"));
    // Each test may be a process of its own: one installs, the others wait.
    let lock = File::create(folders.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if folder.exists() {
        return Ok(folder);
    }
    let unfinished = folders.join(format!("{name}.unfinished"));
    let _ = fs::remove_dir_all(&unfinished);
    match run(&unfinished) {
        Ok(output) if output.status.success() => {
            fs::rename(unfinished, &folder).unwrap();
            Ok(folder)
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}
