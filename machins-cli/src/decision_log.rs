//! The decision log of the commands that ask whether a device may run.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::path::{Path, PathBuf};

use agent_client_core::home_folder;
use clap::{Args, ValueHint};
use machineid_client::Gate;
use machineid_client::decision_log::{DecisionLog, LogError};

use crate::config::file::ConfigFile;
use crate::config::key::{
    Key, MACHINEID_DECISION_LOG, MACHINEID_DECISION_LOG_MAX_BYTES, MACHINEID_DECISION_LOG_REQUIRED,
};
use crate::config::settings::{Origin, Setting};
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::flags::bytes;

// The flags of commands that write to a decision log.
#[derive(Debug, Args)]
pub(crate) struct DecisionLogFlags {
    /// File to append each decision to [default: MACHINEID_DECISION_LOG or the setting
    /// machineid.decision_log]
    #[arg(long = "decision-log", value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Deny if an ALLOW cannot be written to the decision log
    #[arg(long = "decision-log-required")]
    required: bool,
    /// Rename the decision log and begin a new file before it is longer than this
    #[arg(long = "decision-log-max-bytes", value_name = "BYTES", value_parser = bytes)]
    max_bytes: Option<u64>,
}

impl DecisionLogFlags {
    /// Makes a gate write to the decision log, if there is one, as the command `asked_by`.
    pub(crate) fn attach(
        &self,
        gate: Gate,
        context: &Context,
        asked_by: &str,
    ) -> Result<Gate, Failure> {
        Ok(match self.open(context, asked_by)? {
            Some(log) => gate.decision_log(log),
            None => gate,
        })
    }

    /// Prepares the decision log that the flags or the settings name. `None` if they name none.
    pub(crate) fn open(
        &self,
        context: &Context,
        asked_by: &str,
    ) -> Result<Option<DecisionLog>, Failure> {
        match context.document() {
            // Nothing needs a decision log.
            Err(failure) if failure.exit == Exit::Setup => context.out.warn(&format!(
                "{}; a decision log that it names is not written",
                failure.message()
            )),
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
        let configured = match &self.file {
            None => configured_path(context)?,
            Some(_) => None,
        };
        let required = || setting(context, &MACHINEID_DECISION_LOG_REQUIRED);
        let is_required = self.required || required()?.as_deref() == Some("true");
        let Some(path) = self.file.clone().or(configured) else {
            if is_required {
                return Err(Failure::usage("a decision log is required, but none is named")
                    .hint("add --decision-log FILE"));
            }
            return Ok(None);
        };
        let max_bytes = match self.max_bytes {
            None => setting(context, &MACHINEID_DECISION_LOG_MAX_BYTES)?
                .and_then(|text| bytes(&text).ok()),
            given => given,
        };
        let log = DecisionLog::new(path).asked_by(asked_by);
        let log = max_bytes.into_iter().fold(log, DecisionLog::max_bytes);
        let log = if is_required { log.required() } else { log };
        // Whether anything else is wrong with the file shows when a decision is written.
        if let Err(error @ LogError::NotALog { .. }) = log.check() {
            return Err(Failure::usage(error.to_string()).hint("name another file"));
        }
        let out = context.out;
        Ok(Some(log.on_failure(move |record, error| {
            // With --json, stderr holds only the error of a denial. An allow that is refused for want
            // of a line is reported as such.
            let is_reported = is_required && record.is_allowed();
            if !is_reported && (record.is_allowed() || !out.is_json()) {
                out.warn_always(&format!("this decision is not logged: {error}"));
            }
        })))
    }
}

/// The decision log that the environment or the config file names. `None` if there is none.
pub(crate) fn configured_path(context: &Context) -> Result<Option<PathBuf>, Failure> {
    let Some(Setting { value, origin }) = optional(context, &MACHINEID_DECISION_LOG)? else {
        return Ok(None);
    };
    if let Some(rest) = value.strip_prefix("~/") {
        let home = home_folder()
            .ok_or_else(|| Failure::config(format!("{value}: this user has no home directory")))?;
        return Ok(Some(home.join(rest)));
    }
    // A path in the config file means the same wherever the program is started.
    let folder = match origin {
        Origin::File | Origin::Profile(_) => {
            ConfigFile::locate()?.path().parent().map(Path::to_owned).unwrap_or_default()
        }
        _ => PathBuf::new(),
    };
    Ok(Some(folder.join(value)))
}

/// The value of a setting, which is valid.
fn setting(context: &Context, key: &Key) -> Result<Option<String>, Failure> {
    let Some(Setting { value, origin }) = optional(context, key)? else {
        return Ok(None);
    };
    match key.check(&value) {
        Ok(()) => Ok(Some(value)),
        Err(why) => Err(Failure::config(format!("{} {why} (from {origin})", key.name))),
    }
}

/// A setting that nothing needs. `None` also if the config file cannot be used.
fn optional(context: &Context, key: &Key) -> Result<Option<Setting>, Failure> {
    match context.setting(key) {
        Err(failure) if failure.exit == Exit::Setup => Ok(None),
        result => result,
    }
}
