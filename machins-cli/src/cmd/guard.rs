//! `machins guard`: runs a command for as long as its device is allowed.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::{Args, ValueHint};
use machineid_client::Gate;

use crate::context::Context;
use crate::decision_log::DecisionLogFlags;
use crate::error::Failure;
use crate::flags::{positive_seconds, seconds};
use crate::process::{self, Job};
use crate::{panic, runtime};

/// Run a command for as long as a device is allowed to run
///
/// Registers and validates the device, starts COMMAND, and validates again every --every
/// seconds. On the first denial, the command's whole process group is terminated (SIGTERM, and
/// SIGKILL after 10 seconds) and guard exits with 3. Otherwise guard exits with the status of
/// the command (128 + n if signal n ended it, 127 if it was not found, 126 if it could not be
/// executed), and terminates the processes that it left running in its group.
///
/// The command owns stdin and stdout; guard writes to stderr only, and passes signals on. A
/// process that leaves the group (setsid) is not terminated.
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
    #[command(flatten)]
    log: DecisionLogFlags,
    /// Command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Guard {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        panic::deny_on_panic();
        let device = context.device(self.device.as_deref())?;
        let client = context.machineid_with_key()?.build()?;
        let gate = Gate::new(&client, device).outage_grace(self.outage_grace).register_on_start();
        let gate = self.log.attach(gate, context)?;
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage("no command given"));
        };
        let mut command = Command::new(program);
        command.args(arguments);

        runtime::block_on(async {
            let job = Job::new(command).watched();
            let running = async {
                context.out.note(&format!("guard: {} is allowed", gate.device()));
                job.run().await
            };
            match process::accompany(&job, gate.supervise(self.every, running)).await? {
                Ok(Ok(Ok(status))) => Ok(process::exit_code(status)),
                Ok(Ok(Err(error))) => Err(process::not_started(program, &error)),
                Ok(Err(denied)) => Err(Failure::from(denied)),
                Err(interrupted) => Ok(interrupted.into()),
            }
        })?
    }
}
