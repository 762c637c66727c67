//! Node with Playwright and axe, and a Chromium for it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Where a Chromium may be, unless the variable `CHROMIUM` says it.
const PROGRAMS: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// What the scripts need.
pub(crate) struct Browser {
    program: PathBuf,
    packages: PathBuf,
}

impl Browser {
    /// Returns what the scripts need, or `None` where it cannot be had.
    pub(crate) fn find() -> Option<&'static Self> {
        static FOUND: LazyLock<Result<Browser, String>> = LazyLock::new(|| {
            let program = program().ok_or("there is no Chromium")?;
            Ok(Browser { program, packages: install()? })
        });
        match &*FOUND {
            Ok(browser) => Some(browser),
            Err(why) if env::var_os("REQUIRE_BROWSER").is_some() => panic!("no browser: {why}"),
            Err(why) => {
                eprintln!("SKIPPED: the console cannot be tested here: {why}");
                None
            }
        }
    }

    /// Returns a command that runs a script beside this file with these arguments to Node.
    pub(crate) fn script(&self, name: &str, options: &[&str]) -> Command {
        // A script finds packages in the folders above its own.
        let folder = self.packages.join("scripts");
        fs::create_dir_all(&folder).unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../machins-mock/tests/console");
        for file in ["harness.mjs", name] {
            // Whole or not at all: tests run side by side.
            let unfinished = folder.join(format!("{file}.{name}.unfinished"));
            fs::copy(own.join(file), &unfinished).unwrap();
            fs::rename(unfinished, folder.join(file)).unwrap();
        }
        let mut command = Command::new("node");
        command.args(options).arg(folder.join(name)).env("CHROMIUM", &self.program);
        command
    }
}

fn program() -> Option<PathBuf> {
    let chosen = env::var_os("CHROMIUM").map(PathBuf::from);
    chosen.or_else(|| PROGRAMS.iter().map(PathBuf::from).find(|program| program.exists()))
}

/// Installs the packages into a folder of the build directory, once for all tests and runs.
fn install() -> Result<PathBuf, String> {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folders.join(PACKAGES.join(" ").replace('@', "-"));
    // Each test may be a process of its own: one installs, the others wait.
    let lock = File::create(folders.join("console.lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    if folder.exists() {
        return Ok(folder);
    }
    let unfinished = folders.join("console.unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("package.json"), "{}").unwrap();
    let npm = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&unfinished)
        .args(PACKAGES)
        .output();
    match npm {
        Ok(output) if output.status.success() => {
            fs::rename(unfinished, &folder).unwrap();
            Ok(folder)
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("npm: {error}")),
    }
}
