//! `machins doctor`.

mod check;
mod local;
mod service;

use clap::Args;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use self::check::{Check, Status};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Global;
use crate::output::Output;
use crate::progress::Progress;
use crate::style::{BAD, FAINT, GOOD, Style, WARN};
use crate::text::clean;

/// Check config, network, keys and services, and say what to do
///
/// Looks at the version, the config file and its permissions, the environment, the proxy, the name,
/// connection, certificate and clock of both services, the keys, the device and the decision log.
/// Nothing is changed. Each service is given 10 seconds, or as many as --timeout says.
///
/// Exits with 0 if nothing failed, also if there are warnings; with 4 if the config or a key is what
/// failed, and else with 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins doctor\n  machins doctor --json")]
pub(crate) struct Doctor;

/// The columns of a line.
const WIDTH: usize = 80;
/// The columns of the status of a check.
const STATUS_WIDTH: usize = 9;
/// The columns of the name of a check.
const NAME_WIDTH: usize = 23;

/// All checks, and whether none failed.
#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

impl Doctor {
    #[expect(clippy::unused_self, reason = "the command has no arguments")]
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let progress = Progress::start(context.out, "Checking…");
        // What would be a warning of another command is a check of this one.
        let global = Global { quiet: true, ..context.global.clone() };
        let silent = Context::new(global.clone(), Output::new(&global));
        silent.limit_each_call();
        let mut checks = local::all(&silent);
        progress.say("Asking machins…".to_owned());
        checks.extend(service::machins(&silent));
        progress.say("Asking MachineID…".to_owned());
        checks.extend(service::machineid(&silent));
        drop(progress);
        let failed = checks.iter().filter(|check| check.status == Status::Failed);
        let (failures, is_setup) = (failed.clone().count(), failed.clone().any(Check::is_setup));
        for cure in checks.iter_mut().filter_map(|check| check.cure.as_mut()) {
            *cure = context.out.commands(cure);
        }
        let report = Report { ok: failures == 0, checks };
        context.out.result(&report, || {
            report.checks.iter().map(|check| line(context.out, check)).collect()
        })?;
        match failures {
            0 => Ok(()),
            1 => Err(failure(is_setup, "1 check failed")),
            count => Err(failure(is_setup, &format!("{count} checks failed"))),
        }
    }
}

fn failure(is_setup: bool, what: &str) -> Failure {
    if is_setup { Failure::config(what) } else { Failure::refused(what) }
}

fn line(out: Output, check: &Check) -> String {
    let (word, style): (&str, Style) = match check.status {
        Status::Ok => ("ok", GOOD),
        Status::Warning => ("warning", WARN),
        Status::Failed => ("failed", BAD),
        Status::Skipped => ("skipped", FAINT),
    };
    let pad = STATUS_WIDTH - word.len();
    let message = wrapped(&clean(&out.commands(&check.message)), STATUS_WIDTH + NAME_WIDTH);
    let text = format!(
        "{style}{word}{style:#}{:pad$}{:width$}{message}\n",
        "",
        check.name,
        width = NAME_WIDTH
    );
    // Not wrapped: it may be a command to paste.
    match &check.cure {
        Some(cure) => format!("{text}{:STATUS_WIDTH$}{FAINT}next:{FAINT:#} {}\n", "", clean(cure)),
        None => text,
    }
}

/// Breaks a text between words, so that no line is wider than [`WIDTH`] when all are indented by this
/// many columns. The first line is not indented.
fn wrapped(text: &str, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut room = WIDTH - indent;
    for word in text.split(' ') {
        let width = word.width();
        if !wrapped.is_empty() {
            if width < room {
                wrapped.push(' ');
                room -= 1;
            } else {
                wrapped.push('\n');
                wrapped.extend(std::iter::repeat_n(' ', indent));
                room = WIDTH - indent;
            }
        }
        wrapped.push_str(word);
        room = room.saturating_sub(width);
    }
    wrapped
}
