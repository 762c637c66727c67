//! Runs the program away from the user's own settings.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use machins_mock::{MockServer, Org};
use serde_json::Value;
use tempfile::TempDir;

/// Whether the long tests run at their full size: `FULL_SIZE=1 cargo test -p machins-cli`.
pub(crate) fn full_size() -> bool {
    std::env::var_os("FULL_SIZE").is_some()
}

/// A home of its own for the program.
pub(crate) struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// With the address of a mock and the key of an org on it.
    pub(crate) fn against(server: &MockServer, org: &Org) -> Self {
        Self::new()
            .with("MACHINEID_BASE_URL", &server.machineid_base_url())
            .with("MACHINEID_ORG_KEY", org.key())
    }

    /// With this environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join(".machins").join("config.json")
    }

    /// Compiles a C file beside this one to a library for `LD_PRELOAD`.
    #[cfg(target_os = "linux")]
    pub(crate) fn preload(&self, name: &str) -> PathBuf {
        let source = format!("{}/tests/cli/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let library = self.path().join(name).with_extension("so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o", library.to_str().unwrap(), &source, "-ldl"]);
        assert!(compiler.status().unwrap().success(), "the C compiler that the project needs");
        library
    }

    pub(crate) fn write_config(&self, text: &str) {
        let path = self.config();
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        set_mode(folder, 0o700);
        #[cfg(unix)]
        set_mode(&path, 0o600);
    }

    pub(crate) fn read_config(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    /// Any program, in this home.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let ours = |name: &str| {
            let other = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"];
            name.starts_with("MACHINS_") || name.starts_with("MACHINEID_") || other.contains(&name)
        };
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command
            .env("HOME", self.path())
            .env("USERPROFILE", self.path())
            .envs(self.environment.iter().cloned())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// `machins` with these arguments.
    pub(crate) fn machins(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_machins"));
        command.args(arguments);
        command
    }

    /// What `machins` with these arguments said.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.machins(arguments).output().unwrap().into()
    }

    /// The same with something on stdin.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], input: &str) -> Ran {
        self.run_program(env!("CARGO_BIN_EXE_machins"), arguments, input)
    }

    /// What any program said, with something on stdin.
    pub(crate) fn run_program(&self, program: &str, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses early does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap().into()
    }
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// stdout as the one document it must be.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// stderr as the one error document it must be.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        let fields: Vec<_> = document["error"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["kind", "message", "status", "code", "request_id"]);
        document["error"].clone()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Copies a program that is to be executed. By a process of its own: as long as a process that another
/// thread has just started holds the copy open for writing, the system does not execute it.
#[cfg(unix)]
pub(crate) fn copy_program(program: impl AsRef<Path>, to: &Path) {
    let mut copy = Command::new("cp");
    assert!(copy.arg(program.as_ref()).arg(to).status().unwrap().success());
}

/// Writes a script that is to be executed. By a process of its own, as [`copy_program`] does.
#[cfg(unix)]
pub(crate) fn write_script(path: &Path, text: &str) {
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).arg(text);
    assert!(write.status().unwrap().success());
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
