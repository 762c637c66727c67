//! `machins hook`: the gate inside agent runtimes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use machineid_client::{DeviceId, Gate, Permit};
use serde_json::json;

#[cfg(feature = "mock")]
use super::hook_verify;
use crate::background;
use crate::config::key::MACHINEID_BASE_URL;
use crate::context::Context;
use crate::decision_log::DecisionLogFlags;
use crate::error::{ExitCode, Failure};
use crate::flags::Global;
use crate::hook::{self, Answer, Change, RUNTIMES, Refusal, Runtime, Scope, drain, read_event};
use crate::input::confirm;
use crate::output::{Output, to_stderr};
use crate::style::{FAINT, GOOD};
use crate::text::clean;

/// How long the hook takes at most to decide. Runtimes are told to wait much longer.
const LIMIT: Duration = Duration::from_secs(8);
/// How long the runtime may take to read the answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Let tools run in agent runtimes only while a device is allowed
///
/// A runtime runs `machins hook run` before each tool call. Only an ALLOW from MachineID lets
/// the call go on, to the runtime's own permission rules; everything else blocks it.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[command(after_help = "Example:\n  machins hook install claude --device agent-01 --yes")]
pub(crate) enum Hook {
    /// Answer a runtime's event on stdin, within 8 seconds
    ///
    /// For runtimes: `machins hook install` writes this command into their settings. Answer and
    /// exit code are in the runtime's own form. Everything but an ALLOW blocks the tool call:
    /// a missing key, an unreadable config file or event, a service that does not answer.
    #[command(after_help = "Example:\n  machins hook run claude --device agent-01 < event.json")]
    Run {
        /// Runtime that asks
        #[arg(value_name = "RUNTIME", value_parser = by_name())]
        runtime: &'static dyn Runtime,
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        log: DecisionLogFlags,
    },
    /// Add the hook to a runtime's settings, after showing the change
    ///
    /// All else in the settings file stays as it is, and a backup is made beside it. The hook is
    /// installed with --device, --profile, --timeout, --machineid-url and --allow-insecure-http as
    /// they are given here.
    #[command(after_help = "Examples:\n  \
        machins hook install claude --device agent-01 --yes\n  \
        machins hook install codex --scope project --yes")]
    Install {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        device: Device,
    },
    /// Remove the hook from a runtime's settings, after showing the change
    #[command(after_help = "Example:\n  machins hook remove claude --yes")]
    Remove {
        #[command(flatten)]
        place: Place,
    },
    /// Check that an installed hook holds, by running the runtime itself
    ///
    /// Runs each runtime in the current directory with its own settings, a stand-in model that
    /// asks for one shell command, and a mock of MachineID that allows, denies and hangs. Exits
    /// with 3 if the command ran when it should not, and with 1 if nothing could be proven,
    /// for example because the runtime is not installed.
    #[command(after_help = "Example:\n  machins hook verify cursor || echo not proven")]
    Verify {
        /// Runtimes to check [default: all]
        #[arg(value_name = "RUNTIME", value_parser = by_name())]
        runtimes: Vec<&'static dyn Runtime>,
    },
}

// The argument of commands that ask about a device.
#[derive(Debug, Args)]
pub(crate) struct Device {
    /// Id of the device [default: MACHINEID_DEVICE_ID or the setting machineid.device_id]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
}

// The arguments of commands that change settings.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Runtime whose settings to change
    #[arg(value_name = "RUNTIME", value_parser = by_name())]
    runtime: &'static dyn Runtime,
    /// Settings to change: those of the user, or those in the current directory
    #[arg(long, value_name = "SCOPE", default_value = "user")]
    scope: Scope,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// Parses the name of a runtime.
fn by_name() -> impl TypedValueParser<Value = &'static dyn Runtime> {
    PossibleValuesParser::new(RUNTIMES.map(Runtime::name))
        .try_map(|name| hook::named(&name).ok_or("it is not a runtime that has a hook"))
}

impl Hook {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Run { runtime, device, log } => Ok(run(context, runtime, device.device, log)),
            Self::Install { place, device } => {
                // What could never ask is not installed.
                context.check_profile()?;
                let _valid = context.base_url(&MACHINEID_BASE_URL)?;
                let device = device.device.as_deref();
                let command = command_line(context, place.runtime, device)?;
                let change = Change::install(place.runtime, place.path()?, &command)?;
                change_settings(context.out, &place, &change, "installed")
            }
            Self::Remove { place } => {
                let change = Change::remove(place.runtime, place.path()?)?;
                change_settings(context.out, &place, &change, "removed")
            }
            #[cfg(feature = "mock")]
            Self::Verify { runtimes } => hook_verify::run(context.out, &runtimes),
            #[cfg(not(feature = "mock"))]
            Self::Verify { .. } => Err(super::features::not_built("hook verify", "mock")),
        }
    }
}

impl Place {
    fn path(&self) -> Result<std::path::PathBuf, Failure> {
        self.runtime.settings(self.scope).ok_or_else(|| {
            Failure::config("this user has no home directory, and so no settings of a runtime")
        })
    }
}

/// Returns whether a command line is one of `hook run`, so that it must end in an answer, whatever
/// else is wrong with it.
pub(crate) fn is_run(arguments: &[OsString]) -> bool {
    after_run(arguments).is_some()
}

/// The words after `hook run`, between which flags may stand. What follows `--` is a command that
/// another one runs.
fn after_run(arguments: &[OsString]) -> Option<&[OsString]> {
    let own = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    let arguments = &arguments[..own];
    let hook = arguments.iter().position(|word| word == "hook")?;
    let run = hook + 1 + arguments.get(hook + 1..)?.iter().position(|word| word == "run")?;
    arguments.get(run + 1..)
}

/// Answers a runtime whose hook has wrong flags: the tool call is blocked.
pub(crate) fn refuse_usage(out: Output, arguments: &[OsString], error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
    let refusal = Refusal::no_decision(format!("the command of this hook is wrong: {message}"));
    if !io::stdin().is_terminal() {
        // A runtime that can't write its event may take that for a failure of its own.
        let _ = within(LIMIT, drain);
    }
    let words = after_run(arguments).unwrap_or_default();
    let runtime = words.iter().filter_map(|word| word.to_str()).find_map(hook::named);
    give(out, runtime, Err(refusal), Failure::usage)
}

/// Runs the hook: asks MachineID, and answers the runtime.
fn run(
    context: &Context,
    runtime: &'static dyn Runtime,
    device: Option<String>,
    log: DecisionLogFlags,
) -> ExitCode {
    let limit = context.global.timeout.map_or(LIMIT, |timeout| timeout.min(LIMIT));
    let global = Global { timeout: Some(limit), ..context.global.clone() };
    let out = context.out;
    // Without it, what is said on stderr waits for its reader.
    let _ = background::start();
    // Everything that can wait is in there: stdin, the config file, name lookup, the service.
    let decision =
        within(limit, move || decide(&Context::new(global, out), runtime, device.as_deref(), &log));
    let decision = decision.unwrap_or_else(|why| Err(Refusal::no_decision(why)));
    within(ANSWER_LIMIT, move || give(out, Some(runtime), decision, Failure::denied))
        .unwrap_or_else(|_| ExitCode::from(hook::BLOCK))
}

/// Reads the event and asks MachineID.
fn decide(
    context: &Context,
    runtime: &dyn Runtime,
    device: Option<&str>,
    log: &DecisionLogFlags,
) -> Result<Permit, Refusal> {
    let text = read_event().map_err(Refusal::no_decision)?;
    let event = runtime.read(&text).map_err(Refusal::no_decision)?;
    // It may hold what the flags and the environment do not say, such as the decision log.
    context.document()?;
    let device = context.device(device)?;
    let client = context.machineid_with_key()?.build().map_err(Failure::from)?;
    let asked_by = format!("hook {}", runtime.name());
    let gate = log.attach(Gate::new(&client, device), context, &asked_by)?;
    // The arguments stay out of the log: nobody has asked for them there.
    Ok(crate::runtime::block_on(gate.check_tool(&event.tool, None))??)
}

/// Answers the runtime in its form, or in the one that all understand if it is not known. Every
/// decision passes here, once. `failure` makes what stderr says if it must.
fn give(
    out: Output,
    runtime: Option<&dyn Runtime>,
    decision: Result<Permit, Refusal>,
    failure: fn(String) -> Failure,
) -> ExitCode {
    let code = decision.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "ALLOW");
    tracing::info!(runtime = runtime.map(Runtime::name), code, "hook answers");
    let is_allowed = decision.is_ok();
    let refusal = decision.err().unwrap_or_else(|| Refusal::no_decision("stdout is closed"));
    let reason = refusal.reason();
    let answer = match runtime {
        Some(runtime) if is_allowed => runtime.allow(),
        Some(runtime) => runtime.deny(&reason),
        None => Answer::Block,
    };
    let failure = failure(reason).code(&*refusal.code).request_id(refusal.request_id.as_deref());
    answer.give(out, &failure)
}

/// Runs `work` on a thread of its own. Returns why there is no result if it takes longer than this
/// limit or panics; it is then left alone.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, result) = mpsc::sync_channel(1);
    let work = move || {
        // The receiver may have stopped waiting.
        let _ = sender.send(work());
    };
    let started = thread::Builder::new().name("hook".to_owned()).spawn(work);
    started.map_err(|error| format!("no thread could be started: {error}"))?;
    result.recv_timeout(limit).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => {
            format!("there was no answer within {} s", limit.as_secs_f64())
        }
        mpsc::RecvTimeoutError::Disconnected => "this program has failed".to_owned(),
    })
}

/// The command that a runtime's settings run. A hook that is killed blocks as well: its shell says so.
fn command_line(
    context: &Context,
    runtime: &dyn Runtime,
    device: Option<&str>,
) -> Result<String, Failure> {
    let program = env::current_exe()
        .map_err(|error| Failure::local("could not find the path of this program", error))?;
    let program = text(program.as_os_str())?;
    let mut words = vec![program, "hook", "run", runtime.name()];
    if let Some(device) = device {
        let _valid = DeviceId::new(device)?;
    }
    let global = &context.global;
    let timeout = global.timeout.map(|timeout| timeout.as_secs_f64().to_string());
    let flags = [
        ("--device", device),
        ("--profile", global.profile.as_deref()),
        ("--timeout", timeout.as_deref()),
        ("--machineid-url", global.machineid_url.as_deref()),
    ];
    for (flag, value) in flags {
        words.extend(value.into_iter().flat_map(|value| [flag, value]));
    }
    if context.allows_insecure_http(&MACHINEID_BASE_URL)? {
        words.push("--allow-insecure-http");
    }
    let command = shlex::try_join(words)
        .map_err(|error| Failure::usage(format!("this can't be given to a shell: {error}")))?;
    Ok(format!("{command} || {{ echo denied >&2; exit 2; }}"))
}

fn text(path: &OsStr) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::usage("the path of this program is not UTF-8, so no settings file can hold it")
    })
}

/// Shows a change of settings, asks, and makes it.
fn change_settings(
    out: Output,
    place: &Place,
    change: &Change,
    done: &str,
) -> Result<ExitCode, Failure> {
    let path = change.path().display().to_string();
    let mut backup = None;
    if !change.is_empty() {
        let diff: Vec<_> = change.diff().lines().map(|line| clean(line).into_owned()).collect();
        to_stderr(&format!("{}\n", diff.join("\n")));
        confirm(&format!("Change {path}"), place.yes)?;
        backup = change.apply()?;
    }
    let runtime = place.runtime.name();
    let document = json!({
        "runtime": runtime,
        "path": path,
        "changed": !change.is_empty(),
        "backup": backup.as_ref().map(|backup| backup.display().to_string()),
    });
    out.result(&document, || {
        let path = clean(&path);
        if change.is_empty() {
            return format!("unchanged  {runtime}  {path} is already as it should be");
        }
        let mut text = format!("{GOOD}{done}{GOOD:#}  {runtime}  {path}");
        if let Some(backup) = &backup {
            let _ =
                write!(text, "  {FAINT}(before: {}){FAINT:#}", clean(&backup.to_string_lossy()));
        }
        text
    })?;
    if done == "installed" {
        out.note(&format!("{}.", place.runtime.switches()));
        out.note(&format!("Check that it holds: `machins hook verify {runtime}`"));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_or_fails_is_no_result() {
        assert_eq!(within(LIMIT, || 7), Ok(7));
        let slow = within(Duration::from_millis(1), thread::park);
        assert!(slow.unwrap_err().contains("no answer within 0.001 s"));
        let failed = within(LIMIT, || std::hint::black_box(None::<u8>).unwrap());
        assert_eq!(failed, Err("this program has failed".to_owned()));
    }

    #[test]
    fn a_hook_is_recognised_whatever_its_flags() {
        let is_run = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            is_run(&words)
        };
        for line in ["machins hook run", "machins --json hook -v run codex", "m hook --x y run z"] {
            assert!(is_run(line), "{line}");
        }
        let others = [
            "machins hook install claude",
            "machins validate run",
            "machins run hook",
            "machins guard --bad -- git hook run",
            "machins hook install -- run",
        ];
        for line in others {
            assert!(!is_run(line), "{line}");
        }
    }
}
