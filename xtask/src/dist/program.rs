//! The program itself: statically linked, with the list of its dependencies inside and no path of
//! this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::project::Project;

/// The largest size of the static program, in bytes.
const MAX_SIZE: usize = 20 << 20;
/// The largest size of one without its default features, in bytes.
const MAX_CLIENT_SIZE: u64 = 6 << 20;

/// Cargo's flags, as `cargo auditable` passes them on to its wrapper.
const AUDITABLE_ARGUMENTS: &str =
    r#"{"offline": false, "locked": true, "frozen": false, "config": []}"#;

/// Shells that completions are packaged for, and how each names the file.
const COMPLETIONS: [(&str, &str); 4] = [
    ("bash", "machins.bash"),
    ("zsh", "_machins"),
    ("fish", "machins.fish"),
    ("powershell", "_machins.ps1"),
];

pub(super) struct Program {
    /// The triple that it was built for.
    pub(super) target: String,
    pub(super) path: PathBuf,
    /// Where what accompanies it is gathered. cargo-deb finds it as `target/release/package`.
    pub(super) documents: PathBuf,
    /// The platforms that it runs on, as wheels name them.
    pub(super) wheel_platforms: String,
}

impl Program {
    /// Builds the static release.
    pub(super) fn build(project: &Project, shell: &Shell) -> Result<Self> {
        let build = StaticBuild::new(project, shell)?;
        let path = build.run(shell, &["--features", "full"])?;
        let StaticBuild { architecture, target, paths, .. } = build;
        let bytes = fs::read(&path)?;
        let contains = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let size = bytes.len();
        ensure!(size <= MAX_SIZE, "the program has {size} bytes, more than {MAX_SIZE}");
        ensure!(contains(".dep-v0"), "the program has no list of its dependencies");
        for (hidden, _) in &paths {
            ensure!(!contains(hidden), "the program contains the path {hidden}");
        }
        Ok(Self {
            documents: path.with_file_name("package"),
            path,
            // Without libc it runs on every Linux, so on the oldest that these tags name.
            wheel_platforms: format!(
                "manylinux_2_17_{architecture}.manylinux2014_{architecture}.musllinux_1_1_{architecture}"
            ),
            target,
        })
    }

    /// Builds for this machine, quickly.
    pub(super) fn build_debug(project: &Project, shell: &Shell) -> Result<Self> {
        cmd!(shell, "cargo build --locked --package machins-cli --features full").run()?;
        let target = host(shell)?;
        let architecture = target.split('-').next().unwrap_or_default();
        let folder = project.target.join("debug");
        Ok(Self {
            path: folder.join("machins"),
            documents: folder.join("package"),
            wheel_platforms: format!("linux_{architecture}"),
            target,
        })
    }

    /// Lets the program write its completions and manual pages.
    pub(super) fn write_documents(&self, shell: &Shell) -> Result<()> {
        let Self { path, documents, .. } = self;
        let completions = documents.join("completions");
        fs::create_dir_all(&completions)?;
        for (name, file) in COMPLETIONS {
            fs::write(completions.join(file), cmd!(shell, "{path} completions {name}").read()?)?;
        }
        let pages = documents.join("man1");
        let _ = fs::remove_dir_all(&pages);
        cmd!(shell, "{path} man --dir {pages}").run()?;
        Ok(())
    }

    /// The name of the operating system and that of the processor, as Node gives them.
    pub(super) fn node_platform(&self) -> Result<(&'static str, &'static str)> {
        let processor = match self.target.split('-').next() {
            Some("x86_64") => "x64",
            Some("aarch64") => "arm64",
            _ => bail!("no npm package is made for {}", self.target),
        };
        Ok(("linux", processor))
    }
}

/// Requires that the program without its default features, a client alone, is small.
pub(super) fn check_client_alone(project: &Project, shell: &Shell) -> Result<()> {
    let path = StaticBuild::new(project, shell)?.run(shell, &["--no-default-features"])?;
    let size = fs::metadata(path)?.len();
    ensure!(size <= MAX_CLIENT_SIZE, "the client has {size} bytes, more than {MAX_CLIENT_SIZE}");
    Ok(())
}

/// How static programs are built.
struct StaticBuild {
    architecture: String,
    target: String,
    /// Folders of this machine, and what the program says instead.
    paths: Vec<(String, &'static str)>,
    folder: PathBuf,
}

impl StaticBuild {
    fn new(project: &Project, shell: &Shell) -> Result<Self> {
        let host = host(shell)?;
        let Some(architecture) = host.strip_suffix("-unknown-linux-gnu") else {
            bail!(
                "the static program is built on Linux with the GNU toolchain, and this is {host}"
            );
        };
        let target = format!("{architecture}-unknown-linux-musl");
        require_musl(shell, &target)?;
        let paths = paths_to_hide(project, shell)?;
        let folder = project.target.join(&target).join("release");
        Ok(Self { architecture: architecture.to_owned(), target, paths, folder })
    }

    /// Builds the program with these features, and returns its path.
    fn run(&self, shell: &Shell, features: &[&str]) -> Result<PathBuf> {
        let Self { target, paths, .. } = self;
        let hidden =
            paths.iter().map(|(path, name)| format!("'--remap-path-prefix={path}={name}'"));
        // A fixed address: nothing in the program has to be relocated at each start, which otherwise
        // writes to a tenth of the pages that a short command touches.
        let flags = hidden.chain(["'-Crelocation-model=static'".to_owned()]);
        let c_flags = paths.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}"));
        // These are added to those that the user has configured, which an environment variable would
        // replace.
        let flags = flags.collect::<Vec<_>>().join(", ");
        let flags = format!("target.{target}.rustflags=[{flags}]");
        let c_flags = c_flags.collect::<Vec<_>>().join(" ");
        let compiler = format!("CC_{}", target.replace('-', "_"));
        // As `cargo auditable build`, but for the name of the wrapper: that is its path, which would become a
        // part of each symbol's name, so that the bytes would depend on the folder.
        cmd!(shell, "cargo build --config {flags} --release --locked --package machins-cli {features...} --target {target}")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTC_WORKSPACE_WRAPPER", "cargo-auditable")
            .env("CARGO_AUDITABLE_ORIG_ARGS", AUDITABLE_ARGUMENTS)
            .env("CFLAGS", c_flags)
            .env(compiler, "musl-gcc")
            .run()?;
        Ok(self.folder.join("machins"))
    }
}

fn host(shell: &Shell) -> Result<String> {
    let version = cmd!(shell, "rustc -vV").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

fn require_musl(shell: &Shell, target: &str) -> Result<()> {
    let sysroot = PathBuf::from(cmd!(shell, "rustc --print sysroot").quiet().read()?);
    if !sysroot.join("lib/rustlib").join(target).join("lib").exists() {
        cmd!(shell, "rustup target add {target}").run().with_context(|| {
            format!("the standard library for {target} is missing, and rustup has not installed it")
        })?;
    }
    cmd!(shell, "musl-gcc --version").quiet().ignore_stdout().run().context(
        "musl-gcc is missing, which compiles the C code of the TLS library: install musl-tools",
    )?;
    Ok(())
}

/// The folders of this machine, and what the program says instead. The longest is last, since the
/// compilers use the last that fits.
fn paths_to_hide(project: &Project, shell: &Shell) -> Result<Vec<(String, &'static str)>> {
    let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;
    let cargo = env::var_os("CARGO_HOME")
        .map_or_else(|| env::home_dir().unwrap_or_default().join(".cargo"), PathBuf::from);
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is not UTF-8");
    let mut paths = vec![
        (text(&project.root)?, "/machins"),
        (text(&project.target)?, "/target"),
        (text(&cargo)?, "/cargo"),
        (sysroot, "/rust"),
    ];
    paths.sort_by_key(|(path, _)| path.len());
    Ok(paths)
}
