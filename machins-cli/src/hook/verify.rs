//! Proves that the hook that is installed holds: runs the real runtime with a stand-in model, and a
//! mock of MachineID that allows, denies and hangs.

use std::cell::RefCell;
use std::convert::Infallible;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use machineid_client::{ClientBuilder, DeviceId, OrgKey};
use machins_mock::{Fault, MAX_FAULT_DELAY, MockServer, OrgUpdate, Plan};
use process_containment::Command;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::model::Model;
use super::runtime::{Runtime, Scope};
use super::settings::installed;
use crate::error::Failure;
use crate::process::{Job, Signals, interrupted};

/// The device that the hook asks about, unless its settings name another.
const DEVICE: &str = "hook-verify";

/// The path of the question to MachineID.
const VALIDATE: &str = "/api/v1/devices/validate";

/// How long a runtime may take for one prompt. The hook takes up to 8 s of it.
const SESSION: Duration = Duration::from_mins(2);

/// How much of a runtime's own words is shown, in bytes.
const EXCERPT: usize = 300;

/// Whether a runtime's tool can run against MachineID's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The tool ran when allowed, and not otherwise.
    Blocked,
    /// The tool ran though it was denied, or though there was no decision.
    Ran,
    /// The runtime is missing, or could not be made to run a tool at all.
    NotProven,
}

/// What was found out about a runtime.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) runtime: &'static str,
    pub(crate) title: &'static str,
    /// The version that it states. `None` if it was not run.
    pub(crate) version: Option<String>,
    pub(crate) outcome: Outcome,
    /// Whether the tool ran when MachineID allowed it. `None` if that was not tried.
    pub(crate) ran_when_allowed: Option<bool>,
    /// Whether the tool ran when MachineID denied it. `None` if that was not tried.
    pub(crate) ran_when_denied: Option<bool>,
    /// Whether the tool ran when MachineID did not answer. `None` if that was not tried.
    pub(crate) ran_without_answer: Option<bool>,
    /// What this rests on.
    pub(crate) detail: String,
    /// What decides in this runtime whether a hook is run at all.
    pub(crate) switches: &'static str,
}

/// Runs the runtime with what is installed. It is run in this user's own home and in the current
/// directory, since its settings and what it trusts are there.
pub(crate) async fn verify(runtime: &dyn Runtime) -> Result<Finding, Failure> {
    let mut finding = Finding {
        runtime: runtime.name(),
        title: runtime.title(),
        version: None,
        outcome: Outcome::NotProven,
        ran_when_allowed: None,
        ran_when_denied: None,
        ran_without_answer: None,
        detail: String::new(),
        switches: runtime.switches(),
    };
    if let Err(why) = runtime.session(Path::new(runtime.program()), "") {
        why.clone_into(&mut finding.detail);
        return Ok(finding);
    }
    let Some(program) = find(runtime.program()) else {
        finding.detail = format!("{} is not installed here", runtime.program());
        return Ok(finding);
    };
    let trial = Trial::start(runtime, program).await?;
    finding.version = trial.version().await?;
    // A tool that never runs would look like one that is blocked.
    let allowed = match trial.run(Service::Allows).await? {
        Ok(seen) => seen,
        Err(why) => {
            finding.detail = why;
            return Ok(finding);
        }
    };
    finding.ran_when_allowed = Some(allowed.ran);
    if !allowed.ran {
        finding.detail =
            format!("the tool did not run when it was allowed either: {}", trial.excerpt());
        return Ok(finding);
    }
    let (denied, hanging) =
        match (trial.run(Service::Denies).await?, trial.run(Service::Hangs).await?) {
            (Ok(denied), Ok(hanging)) => (denied, hanging),
            (Err(why), _) | (_, Err(why)) => {
                finding.detail = why;
                return Ok(finding);
            }
        };
    finding.ran_when_denied = Some(denied.ran);
    finding.ran_without_answer = Some(hanging.ran);
    (finding.outcome, finding.detail) = if denied.ran || hanging.ran {
        let when = if denied.ran { "it was denied" } else { "there was no answer" };
        let why = if trial.installed.is_empty() {
            "no hook is installed".to_owned()
        } else {
            runtime.switches().to_owned()
        };
        (Outcome::Ran, format!("{when}; {why}"))
    } else if denied.asked && hanging.asked {
        let detail = "the tool ran when allowed, and not when denied or without an answer";
        (Outcome::Blocked, detail.to_owned())
    } else {
        let detail = format!("the tool did not run, but no hook asked: {}", trial.excerpt());
        (Outcome::NotProven, detail)
    };
    Ok(finding)
}

/// What was seen of one prompt.
struct Seen {
    /// Whether the tool ran.
    ran: bool,
    /// Whether the hook asked MachineID.
    asked: bool,
}

/// How the mock of MachineID answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Allows,
    Denies,
    Hangs,
}

/// A runtime, a folder for its traces, and a mock of MachineID.
struct Trial<'a> {
    runtime: &'a dyn Runtime,
    program: PathBuf,
    /// The commands of the hooks that are installed.
    installed: Vec<String>,
    folder: tempfile::TempDir,
    server: MockServer,
    org: machins_mock::Org,
}

impl<'a> Trial<'a> {
    async fn start(runtime: &'a dyn Runtime, program: PathBuf) -> Result<Self, Failure> {
        let failed = |error| Failure::local("could not start the mock server", error);
        let server = MockServer::builder().start().map_err(failed)?;
        let org = server.create_org(Plan::Pro);
        let scopes = [Scope::User, Scope::Project];
        let paths = scopes.into_iter().filter_map(|scope| runtime.settings(scope));
        let installed: Vec<String> = paths.flat_map(|path| installed(runtime, &path)).collect();
        let key = OrgKey::new(org.key())?;
        let client =
            ClientBuilder::default().org_key(key).base_url(server.machineid_base_url()).build()?;
        let named = installed.iter().filter_map(|command| device(command));
        for device in named.chain([DEVICE.to_owned()]) {
            if let Ok(device) = DeviceId::new(&device) {
                let _registered = client.register(&device).await?;
            }
        }
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::local("could not create a folder", error))?;
        Ok(Self { runtime, program, installed, folder, server, org })
    }

    /// Runs the runtime once. Returns what was seen, or why the runtime can't be run.
    async fn run(&self, service: Service) -> Result<Result<Seen, String>, Failure> {
        let failed = |error: io::Error| Failure::local("could not run the runtime", error);
        let _ = self.org.update(OrgUpdate::new().execution_enabled(service != Service::Denies));
        self.server.clear_requests();
        let hang = Fault::delay(MAX_FAULT_DELAY).path(VALIDATE);
        let _hanging = match service {
            Service::Hangs => self.server.fault_scoped(hang).ok(),
            _ => None,
        };
        let trace = self.folder.path().join("the-tool-ran");
        let _ = fs::remove_file(&trace);
        let path = trace.to_string_lossy();
        let path = shlex::try_quote(&path).unwrap_or_default();
        let model = Model::start(&format!("touch {path}")).await.map_err(failed)?;
        let command = match self.runtime.session(&self.program, model.url()) {
            Ok(command) => command,
            Err(why) => return Ok(Err(why.to_owned())),
        };
        if let Err(error) = self.finish(self.gate(command)).await? {
            return Ok(Err(format!("{} could not be started: {error}", self.program.display())));
        }
        let asked = self.server.requests().iter().any(|request| request.path == VALIDATE);
        Ok(Ok(Seen { ran: trace.exists(), asked }))
    }

    /// The version that the program states. `None` if it states none.
    async fn version(&self) -> Result<Option<String>, Failure> {
        let ended = self.finish(Command::new(&self.program).arg("--version")).await?;
        let text = ended.ok().and_then(|()| fs::read_to_string(self.log()).ok());
        // Warnings come first.
        let line =
            text.and_then(|text| text.trim().lines().last().map(|line| line.trim().to_owned()));
        Ok(line.filter(|line| !line.is_empty()))
    }

    /// Runs a command to its end, or for as long as a runtime may take, and keeps what it prints.
    async fn finish(
        &self,
        command: Command,
    ) -> Result<Result<(), process_containment::Error>, Failure> {
        let failed = |error: io::Error| Failure::local("could not write a file", error);
        let log = File::create(self.log()).map_err(failed)?;
        let stderr = log.try_clone().map_err(failed)?;
        // Its other end is closed.
        let (empty, _) = io::pipe().map_err(failed)?;
        let command = command.stdin(empty).stdout(log).stderr(stderr);
        let job = match Job::spawn(command, Signals::of_a_job()?) {
            Ok(job) => job,
            Err(error) => return Ok(Err(error)),
        };
        let signals = RefCell::new(Some(Signals::new()?));
        let stop = CancellationToken::new();
        let resume = async || Ok::<_, Infallible>(());
        let mut ended = pin!(job.run(&stop, Duration::ZERO, resume));
        let is_interrupted = tokio::select! {
            _ended = &mut ended => return Ok(Ok(())),
            _signal = interrupted(&signals) => true,
            () = sleep(SESSION) => false,
        };
        stop.cancel();
        let Ok(_outcome) = ended.await;
        if is_interrupted {
            return Err(Failure::interrupted("interrupted; nothing was proven"));
        }
        Ok(Ok(()))
    }

    /// Makes the hook ask the mock server, whatever this user's own settings are.
    fn gate(&self, mut command: Command) -> Command {
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("MACHINEID_")
                || text.starts_with("MACHINS_") && text != "MACHINS_CONFIG"
            {
                command = command.env_remove(&name);
            }
        }
        command
            .env("MACHINEID_BASE_URL", self.server.machineid_base_url())
            .env("MACHINEID_ORG_KEY", self.org.key())
            .env("MACHINEID_DEVICE_ID", DEVICE)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The last words of the runtime.
    fn excerpt(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text =
            String::from_utf8_lossy(&text[text.len().saturating_sub(EXCERPT)..]).into_owned();
        match text.trim() {
            "" => "it printed nothing".to_owned(),
            text => format!("its last words were: {text}"),
        }
    }
}

/// The device that a hook's command names.
fn device(command: &str) -> Option<String> {
    let words = shlex::split(command)?;
    let at = words.iter().position(|word| word == "--device")?;
    words.get(at + 1).cloned()
}

/// Finds a program as a shell does.
fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
