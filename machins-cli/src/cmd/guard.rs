//! `machins guard`: runs a command for as long as its device is allowed.

use std::cell::RefCell;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use machineid_client::{Denied, Gate, Permit, Reason};
use process_containment::{Command, Containment, UnknownContainment};

use crate::context::{Context, LastStatus};
use crate::decision_log::DecisionLogFlags;
use crate::error::{Exit, ExitCode, Failure};
use crate::flags::{positive_seconds, seconds};
use crate::output::{Output, to_stderr};
use crate::process::{self, Handle, Job, Signals};
use crate::text::clean;
use crate::{background, panic, runtime};

/// How long a question may take if `--timeout` does not say.
const LONGEST_QUESTION: Duration = Duration::from_secs(10);
/// How much longer than it should take the keeper of the command waits for the next permit.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Run a command for as long as a device is allowed to run
///
/// Registers and validates the device, starts COMMAND, and validates again every --every
/// seconds. On the first denial, COMMAND and everything it has started is terminated (SIGTERM, and
/// SIGKILL after --kill-after seconds), whatever process groups and sessions it made, and guard exits
/// with 3. Otherwise guard exits with the status of the command (128 + n if signal n ended it, 127 if
/// it was not found, 126 if it could not be executed), and terminates the processes that it left
/// running. The same happens if guard is killed, stopped or hangs. Without --timeout a question takes
/// at most 10 seconds, and no answer is a denial.
///
/// The command owns stdin and stdout; guard writes to stderr only, and passes signals on. A process
/// that cannot be ended, because it belongs to another user, is named on stderr ("still running PID")
/// and waited for.
///
/// The command is given MACHINEID_DEVICE_ID, and not MACHINEID_ORG_KEY, with which it could revoke
/// its own denial. A gate of its own inside then needs the key in the config file.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins guard --device agent-01 -- echo working")]
pub(crate) struct Guard {
    /// Id of the device [default: MACHINEID_DEVICE_ID or the setting machineid.device_id]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// How often to validate while the command runs
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = positive_seconds)]
    every: Duration,
    /// How long to retry when there is no decision, before that counts as a denial
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    outage_grace: Duration,
    /// Time between SIGTERM and SIGKILL
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    kill_after: Duration,
    /// How strongly the command must be held at least; see -v for how it is held
    ///
    /// auto takes the strongest that has no side effects. pidns is a PID namespace, which ends even
    /// if guard and the process that watches over it are killed in the same instant; cgroup is a
    /// cgroup (version 2), tree the whole tree of descendants, group the process group alone. guard
    /// exits with 3 if it cannot be had.
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = containment())]
    containment: Containment,
    /// Leave MACHINEID_ORG_KEY in the environment of the command
    #[arg(long)]
    pass_org_key: bool,
    #[command(flatten)]
    log: DecisionLogFlags,
    /// Command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

/// Parses `--containment`.
fn containment() -> impl TypedValueParser<Value = Containment> {
    PossibleValuesParser::new(["auto", "pidns", "cgroup", "tree", "group"])
        .try_map(|name| name.parse::<Containment>().map_err(|error: UnknownContainment| error))
}

impl Guard {
    /// Whatever fails on this machine before or while the command runs is a denial.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        panic::deny_on_panic();
        self.guard(context).map_err(Failure::denying)
    }

    fn guard(self, context: &Context) -> Result<ExitCode, Failure> {
        process::hold_suspensions();
        background::start().map_err(|error| Failure::local("could not start a thread", error))?;
        process::reserve_descriptors()
            .map_err(|error| Failure::local("guard may not open enough files", error))?;
        process::hide_environment();
        context.limit_each_call();
        let question = context.time_limit_or(LONGEST_QUESTION);
        let device = context.device(self.device.as_deref())?;
        let status = LastStatus::default();
        let client = context.machineid_with_key()?.build()?.with(status.watch());
        let decisions = Arc::new(Decisions::new(context.out, self.outage_grace));
        let (results, outages) = (Arc::clone(&decisions), Arc::clone(&decisions));
        let gate = Gate::new(&client, device)
            .outage_grace(self.outage_grace)
            .register_on_start()
            .observer(move |result| results.decided(result))
            .outage_observer(move |denied| outages.outage_begins(denied));
        let gate = self.log.attach(gate, context, "guard")?;
        let silence = [question, self.outage_grace, TOLERANCE]
            .iter()
            .fold(self.every, |sum, part| sum.saturating_add(*part));
        let command = self.described(&gate)?.heartbeat(silence);
        let says_how = context.global.verbosity.verbose > 0;

        runtime::block_on(async {
            // Until the job takes them over.
            let signals = RefCell::new(Some(Signals::of_a_job()?));
            let work = gate.supervise_gracefully(self.every, Duration::MAX, async |stop| {
                let signals =
                    signals.take().ok_or_else(|| Failure::usage("it has been started"))?;
                context.out.note(&format!("guard: {} is allowed", gate.device()));
                let job = Job::spawn(command, signals)
                    .map_err(|error| process::not_started(&error, Exit::Denied))?;
                decisions.job_started(job.handle());
                if says_how {
                    to_stderr(&format!("guard: {}\n", job.description()));
                }
                let may_resume = async || gate.check().await.map(drop);
                let outcome = job.run(&stop, self.kill_after, may_resume).await?;
                process::exit_code(outcome, Exit::Denied)
            });
            tokio::select! {
                biased;
                result = work => result.map_err(|denied| match denied.reason() {
                    Reason::NotRegistered(_) => Failure::from(denied).status(status.get()),
                    _ => denied.into(),
                })?,
                signal = process::interrupted(&signals) => Ok(process::signalled(signal)),
            }
        })?
    }

    /// The command as it is to be started.
    fn described(&self, gate: &Gate) -> Result<Command, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage("no command given"));
        };
        let command = Command::new(program)
            .args(arguments)
            .env("MACHINEID_DEVICE_ID", gate.device().as_str())
            .containment(self.containment)
            .leftover_grace(self.kill_after);
        Ok(if self.pass_org_key { command } else { command.env_remove("MACHINEID_ORG_KEY") })
    }
}

/// Where every decision passes: those before the start, while the command runs, and after it was
/// suspended.
struct Decisions {
    out: Output,
    outage_grace: Duration,
    /// The outage that a check is outlasting has been reported.
    is_outage: AtomicBool,
    /// A denial has been reported. After Ctrl-Z two checks may find it.
    is_denied: AtomicBool,
    /// The command, once it has been started.
    job: OnceLock<Handle>,
}

impl Decisions {
    fn new(out: Output, outage_grace: Duration) -> Self {
        Self {
            out,
            outage_grace,
            is_outage: AtomicBool::new(false),
            is_denied: AtomicBool::new(false),
            job: OnceLock::new(),
        }
    }

    fn job_started(&self, job: Handle) {
        // Only one is started.
        let _ = self.job.set(job);
    }

    /// A check has found an outage, and asks again.
    fn outage_begins(&self, denied: &Denied) {
        self.is_outage.store(true, Ordering::Relaxed);
        let (grace, why) = (self.outage_grace.as_secs_f64(), format!("{denied:#}"));
        self.out.note(&format!(
            "guard: no decision, asking again for {grace} s before that is a denial: {}",
            clean(&why)
        ));
    }

    /// A check has ended.
    fn decided(&self, result: Result<&Permit, &Denied>) {
        let was_outage = self.is_outage.swap(false, Ordering::Relaxed);
        match result {
            // Nothing but a permit keeps the command alive: the keeper ends it if none comes in time.
            Ok(_permit) => {
                if let Some(job) = self.job.get() {
                    job.beat();
                }
                if was_outage {
                    self.out.note("guard: there are decisions again: allowed");
                }
            }
            Err(denied) => {
                let what = match (was_outage, denied.is_outage()) {
                    (true, true) => "still no decision at the end of the outage grace",
                    (true, false) => "there are decisions again: denied",
                    (false, _) => "denied",
                };
                let is_news = !self.is_denied.swap(true, Ordering::Relaxed);
                if is_news && (was_outage || self.job.get().is_some()) {
                    let code = clean(denied.code().as_str()).into_owned();
                    self.out.note(&format!("guard: {what} ({code})"));
                }
            }
        }
    }
}
