//! `machins guard`: a command that runs for as long as its device is allowed.

use std::process::{Command, ExitCode};

use machineid_client::Gate;

use crate::args::Guard;
use crate::context::Context;
use crate::error::Failure;
use crate::process::{self, Job};
use crate::runtime;

/// `machins guard`.
pub(crate) fn run(context: &Context, guard: &Guard) -> Result<ExitCode, Failure> {
    let device = context.device(guard.device.as_deref())?;
    let client = context.machineid_with_key()?.build()?;
    let gate = Gate::new(&client, device).outage_grace(guard.outage_grace).register_on_start();
    let Some((program, arguments)) = guard.command.split_first() else {
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
        match process::accompany(&job, gate.supervise(guard.every, running)).await? {
            Ok(Ok(Ok(status))) => Ok(process::exit_code(status)),
            Ok(Ok(Err(error))) => Err(process::not_started(program, &error)),
            Ok(Err(denied)) => Err(Failure::from(denied)),
            Err(interrupted) => Ok(interrupted.into()),
        }
    })?
}
