//! `machins`: the MachineID and machins APIs from a shell.
//!
//! One file a group of commands; [`args`] is the command tree, [`output`] where results go,
//! [`error`] what goes wrong and its exit code, [`config`] the settings.

mod api;
mod args;
mod config;
mod config_command;
mod context;
mod demo;
mod devices;
mod error;
mod guard;
mod json;
mod mock;
mod org;
mod output;
mod panic;
mod process;
mod runtime;
mod shell;
mod table;
mod text;
mod verbose;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::{Cli, Command, Global};
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    #[cfg(unix)]
    if arguments.get(1).is_some_and(|word| word == process::watchdog::ARGUMENT) {
        return process::watchdog::run();
    }
    panic::guarded(|| run(&arguments))
}

fn run(arguments: &[OsString]) -> ExitCode {
    let parsed = args::tree()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return not_run(&error, arguments),
    };
    let out = Output::new(&cli.global);
    verbose::start(cli.global.verbose);
    match dispatch(cli, out) {
        Ok(code) => code,
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli, out: Output) -> Result<ExitCode, Failure> {
    let context = Context::new(cli.global, out);
    let Some(command) = cli.command else {
        return shell::overview(out).map(done);
    };
    match command {
        Command::Demo => demo::run(out).map(done),
        Command::Register(device) => devices::register(&context, &device).map(done),
        Command::Validate(device) => {
            panic::deny_on_panic();
            devices::validate(&context, &device).map_err(Failure::denying).map(done)
        }
        Command::Guard(guard) => {
            panic::deny_on_panic();
            guard::run(&context, &guard)
        }
        Command::Devices => devices::list(&context).map(done),
        Command::Revoke(devices) => devices::revoke(&context, &devices).map(done),
        Command::Unrevoke(devices) => devices::unrevoke(&context, &devices).map(done),
        Command::Remove(device) => devices::remove(&context, &device).map(done),
        Command::Usage => org::usage(&context).map(done),
        Command::Checkout { plan } => org::checkout(&context, &plan).map(done),
        Command::Org(command) => org::run(&context, &command).map(done),
        Command::Config { command } => config_command::run(&context, command).map(done),
        Command::Mock(command) => mock::run(out, &command),
        Command::Api(api) => api::run(&context, api).map(done),
        Command::Completions { shell } => shell::completions(out, shell).map(done),
        Command::Man { dir } => shell::man(out, dir.as_deref()).map(done),
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Help and version go where they belong; anything else was wrong usage.
fn not_run(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        // The rest is for people: how it is used, and where to read more.
        let message: Vec<&str> = text
            .trim_start_matches("error: ")
            .lines()
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let out = Output::new(&Global { json, ..Global::default() });
        out.failure(&Failure::usage(message.join(" ")));
    } else {
        // Nobody is left to tell when the pipe is closed.
        let _ = error.print();
    }
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}
