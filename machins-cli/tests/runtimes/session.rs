//! A runtime from its npm package, in a home of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::Model;

const PACKAGES: [&str; 3] =
    ["@anthropic-ai/claude-code@2.1.332", "@openai/codex@0.171.0", "@google/gemini-cli@0.61.0"];

/// Returns the folder with the programs of the packages, or `None` if there is no npm to install
/// them.
pub(crate) fn installed() -> Option<&'static Path> {
    static PROGRAMS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    with_npm(PROGRAMS.get_or_init(|| Ok(install(&PACKAGES)?.join(".bin"))))
}

/// Returns the folder of an installation, or `None` if there is no npm.
pub(crate) fn with_npm(installed: &'static Result<PathBuf, String>) -> Option<&'static Path> {
    match installed {
        Ok(folder) => Some(folder),
        Err(why) if env::var_os("REQUIRE_NODE").is_some() => panic!("no npm packages: {why}"),
        Err(why) => {
            eprintln!("SKIPPED: the npm packages of the runtimes cannot be installed here: {why}");
            None
        }
    }
}

/// Installs packages into a folder of their own, once, and returns it.
pub(crate) fn install(packages: &[&str]) -> Result<PathBuf, String> {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let names = packages.iter().map(|package| package.rsplit('/').next().unwrap_or_default());
    let name = names.collect::<Vec<_>>().join(" ");
    let (folder, unfinished) = (folders.join(name), folders.join("npm.unfinished"));
    // Each test may be a process of its own: one installs, the others wait.
    let lock = File::create(folders.join("npm.lock")).unwrap();
    lock.lock().unwrap();
    if !folder.exists() {
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished).unwrap();
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
            .arg(&unfinished)
            .args(packages)
            .output();
        match npm {
            Ok(output) if output.status.success() => fs::rename(&unfinished, &folder).unwrap(),
            Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => return Err(format!("npm: {error}")),
        }
    }
    Ok(folder.join("node_modules"))
}

/// What came of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// The tool ran.
    Tool,
    /// The tool did not run, and the model was told.
    Blocked,
    /// The runtime did not end well.
    Failed,
}

/// A home, a project and an environment for one runtime.
pub(crate) struct Home {
    runtime: &'static str,
    folder: TempDir,
    variables: BTreeMap<String, String>,
    output: RefCell<String>,
}

impl Home {
    pub(crate) fn new(runtime: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        let path = env::var("PATH").unwrap();
        Self {
            runtime,
            variables: BTreeMap::from([("PATH".to_owned(), path)]),
            folder,
            output: RefCell::default(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Makes the packages' programs found by name.
    pub(crate) fn path_with(&mut self, programs: &Path) {
        let path = format!("{}:{}", programs.display(), self.variables["PATH"]);
        self.set("PATH", path);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A script of this home. Gives its path.
    pub(crate) fn script(&self, name: &str, line: &str) -> String {
        let path = self.folder.path().join(name);
        // By a process of its own: a file that a process being started holds open is not executed.
        let mut write = Command::new("sh");
        write.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]);
        assert!(write.arg(&path).arg(line).status().unwrap().success());
        path.to_str().unwrap().to_owned()
    }

    /// The settings that hold the hook.
    pub(crate) fn settings(&self) -> PathBuf {
        let file = match self.runtime {
            "claude" => ".claude/settings.json",
            "codex" => ".codex/hooks.json",
            "cursor" => ".cursor/hooks.json",
            _ => ".gemini/settings.json",
        };
        self.folder.path().join(file)
    }

    /// What the runtime printed last.
    pub(crate) fn output(&self) -> String {
        self.output.borrow().clone()
    }

    #[cfg(feature = "mcp")]
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.variables)
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path().join("project"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn machins(&self, arguments: &[&str]) -> Said {
        self.command(env!("CARGO_BIN_EXE_machins")).args(arguments).output().unwrap().into()
    }

    /// The folders in which `machins` is found, too.
    fn programs(&self) -> String {
        let folder = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
        format!("{}:{}", folder.display(), self.variables["PATH"])
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Runs a line of a shell that finds `machins`, in the project, with this on its stdin.
    pub(crate) fn shell(&self, line: &str, stdin: &str) -> Said {
        let mut child = self
            .command("sh")
            .args(["-c", line])
            .env("PATH", self.programs())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that needs none does not read.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    /// Gives the runtime a prompt, and its model a shell command to ask for.
    pub(crate) fn prompt(&self, programs: &Path) -> Ran {
        let trace = self.folder.path().join("trace");
        let _ = fs::remove_file(&trace);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let model =
            runtime.block_on(Model::start(&format!("touch '{}'", trace.display()))).unwrap();
        let url = model.url();
        let mut command = self.command(programs.join(self.runtime));
        match self.runtime {
            "claude" => command
                .args(["--print", "go", "--allowedTools", "Bash"])
                .env("ANTHROPIC_BASE_URL", url)
                .env("ANTHROPIC_API_KEY", "stand-in")
                .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
                .env("DISABLE_AUTOUPDATER", "1"),
            "codex" => command
                .args(["exec", "--skip-git-repo-check", "--dangerously-bypass-hook-trust"])
                .args([
                    "--dangerously-bypass-approvals-and-sandbox",
                    "-c",
                    "model_provider=x",
                    "-c",
                ])
                .arg(format!(
                    r#"model_providers.x={{name="x",base_url="{url}/v1",wire_api="responses"}}"#
                ))
                .arg("go"),
            _ => command
                .args(["--prompt", "go", "--yolo", "--skip-trust", "--model", "gemini-2.5-flash"])
                .env("GOOGLE_GENAI_USE_VERTEXAI", "true")
                .env("GOOGLE_API_KEY", "stand-in")
                .env("GOOGLE_VERTEX_BASE_URL", url),
        };
        let output = command.output().unwrap();
        let text = [&output.stdout[..], &output.stderr].concat();
        *self.output.borrow_mut() = String::from_utf8_lossy(&text).into_owned();
        // The model is done only after it was told what came of its request.
        let is_done = output.status.success() && self.output().contains("Done.");
        match (trace.exists(), is_done) {
            (true, _) => Ran::Tool,
            (false, true) => Ran::Blocked,
            (false, false) => Ran::Failed,
        }
    }

    /// Trusts the hooks of Codex, as a user does under `/hooks`.
    pub(crate) fn trust(&self, programs: &Path) {
        let written = self.app_server(programs, |call| {
            let listed = call("hooks/list", json!({"cwds": [self.project()]}));
            let hooks = listed["data"][0]["hooks"].as_array().unwrap();
            assert_eq!(hooks.len(), 1, "{listed}");
            let states = hooks.iter().map(|hook| {
                let state = json!({"trusted_hash": hook["currentHash"]});
                (hook["key"].as_str().unwrap().to_owned(), state)
            });
            let value = Value::Object(states.collect());
            let edit = json!({"keyPath": "hooks.state", "value": value, "mergeStrategy": "upsert"});
            call("config/batchWrite", json!({"edits": [edit]}))
        });
        assert_eq!(written["status"], "ok", "{written}");
    }

    /// Starts the server that Codex has for editors, and calls its methods.
    pub(crate) fn app_server(
        &self,
        programs: &Path,
        talk: impl FnOnce(&mut dyn FnMut(&str, Value) -> Value) -> Value,
    ) -> Value {
        let mut server = self
            .command(programs.join("codex"))
            .env("PATH", self.programs())
            .arg("app-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut stdin, stdout) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
        let mut lines = BufReader::new(stdout).lines();
        let mut id = 0;
        let mut call = |method: &str, params: Value| -> Value {
            id += 1;
            let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            writeln!(stdin, "{call}").unwrap();
            loop {
                let line = lines.next().unwrap().unwrap();
                let reply: Value = serde_json::from_str(&line).unwrap();
                if reply["id"] == id {
                    return reply["result"].clone();
                }
            }
        };
        let client = json!({"name": "tests", "version": "1"});
        let capabilities = json!({"experimentalApi": true});
        call("initialize", json!({"clientInfo": client, "capabilities": capabilities}));
        let result = talk(&mut call);
        drop(stdin);
        server.kill().unwrap();
        server.wait().unwrap();
        result
    }
}

/// What `machins` said.
#[derive(Debug)]
pub(crate) struct Said {
    code: Option<i32>,
    pub(crate) stdout: String,
    stderr: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
