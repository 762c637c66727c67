//! Other processes: programs to measure, and programs that measure themselves.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bench::Result;

const PACKAGES: [&str; 2] = ["machineid-io==0.1.6", "machins[cli]==0.1.0"];

/// The build directory.
pub(crate) fn target() -> Result<PathBuf> {
    let this = env::current_exe()?;
    let target = this.ancestors().nth(2).ok_or("this program is in no build directory")?;
    Ok(target.to_owned())
}

/// Creates a folder for the benchmarks in the build directory.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let folder = target()?.join("benchmarks").join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Builds the command line as it is given to users: the static program, with every command.
pub(crate) fn machins() -> Result<PathBuf> {
    let triple = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let mut cargo = cargo_build();
    cargo.args(["--release", "--target", &triple]);
    cargo.args(["--package", "machins-cli", "--features", "full"]);
    cargo.env("RUSTFLAGS", "-Crelocation-model=static");
    succeed(cargo.env(format!("CC_{}", triple.replace('-', "_")), "musl-gcc"))?;
    Ok(target()?.join(triple).join("release/machins"))
}

/// Builds a program of this package with the profile for the libraries.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    let mut cargo = cargo_build();
    succeed(cargo.args([
        "--profile",
        "libraries",
        "--package",
        "client-benchmarks",
        "--bin",
        name,
    ]))?;
    Ok(target()?.join("libraries").join(name))
}

fn cargo_build() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

/// Runs a command to its end and returns its output.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Says which program could not be started.
pub(crate) fn not_started(command: &Command, error: &io::Error) -> String {
    format!("cannot start {}: {error}", command.get_program().display())
}

/// Runs the probe, which counts allocations, and returns its result.
pub(crate) fn probe<T: DeserializeOwned>(arguments: &[&str]) -> Result<T> {
    Ok(serde_json::from_str(&succeed(Command::new(tool("probe")?).args(arguments))?)?)
}

/// Returns the folder with the vendors' Python packages.
pub(crate) fn python_packages() -> Result<PathBuf> {
    let packages = folder("python")?;
    if !packages.join("machins").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        succeed(pip.arg(&packages).args(PACKAGES))?;
    }
    Ok(packages)
}

/// Returns the folder with the Node packages that drive a browser.
pub(crate) fn node_packages() -> Result<PathBuf> {
    let packages = folder("node")?;
    if !packages.join("node_modules").exists() {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ]);
        succeed(npm.arg(&packages).arg("playwright-core@1.65.1"))?;
    }
    Ok(packages)
}

/// A program that answers each line with a line.
pub(crate) struct Talker {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talker {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.map_err(|error| not_started(command, &error))?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Self { process, input, output })
    }

    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the program has ended".into());
        }
        Ok(line)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ask(&mut self, question: &str) -> Result<String> {
        writeln!(self.input, "{question}")?;
        self.line()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `machins mock serve`, until dropped.
pub(crate) struct Served {
    process: Talker,
    pub(crate) address: SocketAddr,
}

impl Served {
    pub(crate) fn start(machins: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Ready {
            url: String,
        }

        let mut command = Command::new(machins);
        command.args(["mock", "serve", "--addr", "127.0.0.1:0", "--log", "off", "--json"]);
        let mut process = Talker::start(&mut command)?;
        let Ready { url } = serde_json::from_str(&process.line()?)?;
        let address = url.trim_start_matches("http://").parse()?;
        Ok(Self { process, address })
    }

    /// Returns the resident memory of the process in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        memory(self.process.id(), "VmRSS:")
    }

    /// Returns the most that the resident memory has been, in bytes.
    pub(crate) fn peak(&self) -> Result<f64> {
        Ok(f64::from(u32::try_from(memory(self.process.id(), "VmHWM:")?)?))
    }
}

/// Returns a size in the status of a process, in bytes.
pub(crate) fn memory(process: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines();
    let kibibytes = lines.find_map(|line| line.strip_prefix(field)?.strip_suffix("kB"));
    Ok(kibibytes.ok_or_else(|| format!("no {field}"))?.trim().parse::<u64>()? * 1024)
}
