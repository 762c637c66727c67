//! `machins`: the MachineID and machins APIs from a shell.
//!
//! The modules in layers, each of which uses only those before it:
//!
//! 1. `text`, `style`, `error`, `flags`, `background`: used by all others.
//! 2. `json`, `table`, `format`, `records`, `jq`, `invocation`, `output`: output. `input`, `editor`, `json_flag`, `naming`, `suggestion`: input. `config`:
//!    the settings. `process`, `runtime`: child processes and waiting. `random`, `shell_syntax`, `store`.
//! 3. `context`: the flags, settings and clients of a command. `progress`, `verbose`, `panic`,
//!    `shown_once`. `hook`: agent runtimes, their events and settings.
//! 4. `list`, `pages`, `lookup`, `once`, `decision_log`: shared by several commands.
//! 5. `cmd`: the commands, and the completions of their arguments.

#![cfg_attr(
    not(feature = "full"),
    allow(dead_code, reason = "it is used by commands that other features have")
)]

mod background;
mod cmd;
mod config;
mod context;
mod decision_log;
mod editor;
mod error;
mod flags;
mod format;
mod hook;
mod input;
mod invocation;
mod jq;
mod json;
mod json_flag;
mod list;
mod lookup;
mod naming;
mod once;
mod output;
mod pages;
mod panic;
mod process;
mod progress;
#[cfg(test)]
mod properties;
mod random;
mod records;
mod runtime;
mod shell_syntax;
mod shown_once;
mod store;
mod style;
mod suggestion;
mod table;
mod text;
mod verbose;

use std::ffi::OsString;

use crate::config::file::ConfigFile;
use crate::config::key::{API_KEY, MACHINEID_ORG_KEY};
use crate::context::Context;
use crate::error::{Exit, ExitCode, Failure};
use crate::flags::Global;
use crate::output::Output;

fn main() {
    // First: this program is executed again as the keeper of a command.
    process_containment::init();
    panic::exit_on_panic();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if cmd::completion::answer(cmd::tree, &arguments) {
        return;
    }
    if cmd::hook::is_run(&arguments) {
        panic::block_on_panic();
    }
    let exit_code = run(&arguments);
    background::flush();
    exit_code.exit();
}

fn run(arguments: &[OsString]) -> ExitCode {
    if let Some((global, text)) = cmd::topics::asked(arguments) {
        let out = Output::new(&global);
        let filtered = out.with_filter(global.jq.as_deref());
        return printed(out, filtered.and_then(|out| out.result(&text, || text.clone())));
    }
    let (global, command) = match cmd::parse(cmd::tree(), arguments) {
        Ok(parsed) => parsed,
        Err(error) => return not_run(&error, arguments),
    };
    let out = Output::new(&global);
    let out = match out.with_filter(global.jq.as_deref()) {
        Ok(out) => out,
        Err(failure) => {
            out.failure(&failure);
            return failure.exit.into();
        }
    };
    verbose::start(global.verbosity.verbose);
    if let Some(timeout) = global.timeout {
        config::file::limit_waits(timeout);
    }
    // A hook answers in time, whatever holds the file.
    let is_hook = cmd::hook::is_run(arguments);
    if !is_hook && let Err(failure) = ConfigFile::recover_all() {
        // Nothing is lost: the original is what is read.
        out.warn(failure.message());
    }
    let context = Context::new(global, out);
    let result = match command {
        Some(command) => command.run(&context),
        None => overview(&context),
    };
    result.unwrap_or_else(|failure| {
        out.failure(&failure);
        failure.exit.into()
    })
}

/// `machins` alone: what to do first for a user who has no key yet, and else the commands in groups.
fn overview(context: &Context) -> Result<ExitCode, Failure> {
    let out = context.out;
    if out.is_json() {
        return Err(Failure::usage("no command given").hint("`machins --help`"));
    }
    let is_new = matches!(
        (context.value(&MACHINEID_ORG_KEY), context.value(&API_KEY)),
        (Ok(None), Ok(None))
    );
    if is_new {
        out.text(&out.commands(cmd::start::FIRST_STEPS))?;
    } else {
        out.text(&cmd::tree().render_help().ansi().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints help or the version, or reports wrong usage.
fn not_run(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let json = flags::last_form(arguments) == Some("json");
    let out = Output::new(&Global { json, ..Global::default() });
    if error.use_stderr() && cmd::hook::is_run(arguments) {
        return cmd::hook::refuse_usage(out, arguments, error);
    }
    if let Some((name, alternative)) = cmd::python::alternative(error) {
        let what = format!(
            "{name} is a command of the Python package only; its endpoint is not documented"
        );
        out.failure(&Failure::usage(what).hint(alternative));
    } else if let Some(failure) = cmd::features::lacking(error) {
        out.failure(&failure);
    } else if json && error.use_stderr() {
        let text = error.render().to_string();
        // Without the usage and where to read more, which are for people.
        let message: Vec<&str> = text
            .trim_start_matches("error: ")
            .lines()
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        out.failure(&Failure::usage(message.join(" ")));
    } else if error.use_stderr() {
        // There is nowhere else to say that stderr is closed.
        let _ = error.print();
    } else {
        return printed(out, out.text(&error.render().ansi().to_string()));
    }
    Exit::Usage.into()
}

/// The exit code after a text that was asked for.
fn printed(out: Output, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}
