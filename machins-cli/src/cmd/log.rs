//! `machins log`: verifies and shows a decision log.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};
use machineid_client::decision_log::{Entry, LogError, Problem, Verifier, entries};
use serde::Serialize;

use crate::context::Context;
use crate::decision_log::configured_path;
use crate::error::Failure;
use crate::format::{counted, time};
use crate::list::{List, show_list};
use crate::records::Record;
use crate::style::{BAD, FAINT, GOOD};
use crate::table::{Table, cell, fields, styled};

/// Verify and show the decision log of validate and guard
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[command(after_help = "Example:\n  machins log show decisions.jsonl")]
pub(crate) enum Log {
    /// Check that no decision was changed, removed, inserted or moved
    ///
    /// Prints the number of decisions and the head, which is the hash of the last one. Lines cut off
    /// at the end are found only if an earlier head that was kept elsewhere is given with --expect.
    /// Files that the log was continued from are searched in the same folder. Exits with 1 and names
    /// the line if something is wrong.
    #[command(after_help = "Example:\n  machins log verify decisions.jsonl")]
    Verify {
        #[command(flatten)]
        file: LogFile,
        /// Hash that the log must have: its head at an earlier time
        #[arg(long, value_name = "HASH", value_parser = hash)]
        expect: Option<String>,
        /// Hash after which the log begins, if older files were moved elsewhere
        #[arg(long, value_name = "HASH", value_parser = hash)]
        after: Option<String>,
    },
    /// Show the decisions, the oldest first
    #[command(after_help = "Example:\n  machins log show decisions.jsonl --denied --since 7d")]
    Show {
        #[command(flatten)]
        file: LogFile,
        #[command(flatten)]
        filter: Filter,
        /// Show only the last N
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LogFile {
    /// The decision log [default: MACHINEID_DECISION_LOG or the setting machineid.decision_log]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Show only decisions about this device
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Show only decisions with this code, for example DEVICE_REVOKED
    #[arg(long, value_name = "CODE", conflicts_with = "denied")]
    code: Option<String>,
    /// Show only denials
    #[arg(long)]
    denied: bool,
    /// Show only decisions from this time on: 2026-03-01, 2026-03-01T12:00:00Z, or an age like 90m
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
}

impl Log {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Verify { file, expect, after } => {
                verify(context, &file, expect.as_deref(), after.as_deref())
            }
            Self::Show { file, filter, limit } => show(context, &file, &filter, limit),
        }
    }
}

impl LogFile {
    fn path(&self, context: &Context) -> Result<PathBuf, Failure> {
        let configured = || configured_path(context).transpose();
        self.file.clone().map(Ok).or_else(configured).unwrap_or_else(|| {
            Err(Failure::usage("no decision log is named").hint(
                "name the file, or save its name: \
                 `machins config set machineid.decision_log decisions.jsonl`",
            ))
        })
    }
}

/// The result of `machins log verify`.
#[derive(Serialize)]
struct Verification {
    ok: bool,
    entries: u64,
    head: String,
    files: Vec<PathBuf>,
}

fn verify(
    context: &Context,
    file: &LogFile,
    expect: Option<&str>,
    after: Option<&str>,
) -> Result<(), Failure> {
    let verifier = Verifier::new(file.path(context)?);
    let verifier = expect.into_iter().fold(verifier, Verifier::expect);
    let verifier = after.into_iter().fold(verifier, Verifier::after);
    let checked = verifier.verify().map_err(|error| {
        let failure = Failure::broken_log(error.to_string());
        match error {
            LogError::Broken { problem: Problem::NoBeginning(hash), .. } => failure.hint(format!(
                "if older files were moved elsewhere on purpose, add --after {hash}"
            )),
            _ => failure,
        }
    })?;
    let document = Verification {
        ok: true,
        entries: checked.entries,
        head: checked.head,
        files: checked.files,
    };
    context.out.result(&document, || {
        let count = counted(document.entries, "decision");
        let files = counted(document.files.len() as u64, "file");
        fields(&[
            ("ok", styled(&format!("{count} in {files}, none changed"), GOOD)),
            ("head", cell(&document.head)),
        ])
    })
}

fn show(
    context: &Context,
    file: &LogFile,
    filter: &Filter,
    limit: Option<u32>,
) -> Result<(), Failure> {
    let path = file.path(context)?;
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut decisions = VecDeque::new();
    let (mut unreadable, mut matching) = (0, 0);
    let unread = |error: &LogError| Failure::local("the log could not be shown", error);
    for entry in entries(&path).map_err(|error| unread(&error))? {
        match entry {
            Ok(entry) if filter.matches(&entry) => {
                matching += 1;
                decisions.push_back(entry);
            }
            Ok(_) => {}
            Err(LogError::Broken { .. }) => unreadable += 1,
            Err(error) => return Err(unread(&error)),
        }
        if decisions.len() > limit {
            decisions.pop_front();
        }
    }
    if unreadable > 0 {
        let lines = counted(unreadable, "line");
        let path = path.to_string_lossy();
        // Quoting fails only for NUL, which no path can contain.
        let path = shlex::try_quote(&path).unwrap_or(Cow::Borrowed(&path));
        context
            .out
            .warn(&format!("{lines} could not be read; to see which: `machins log verify {path}`"));
    }
    let list = List::end("decision", decisions.into(), matching);
    let table = Table::<Entry>::new()
        .column("TIME", |entry| time(Some(&entry.time), ""))
        .column("DEVICE", |entry| {
            entry.device.as_deref().map_or_else(|| styled("none", FAINT), cell)
        })
        .column("CODE", |entry| styled(&entry.code, if entry.allowed { GOOD } else { BAD }))
        .column("ASKED BY", |entry| cell(&entry.asked_by))
        .column("FOLLOWED", |entry| cell(&entry.followed));
    let table = if list.items.iter().any(|entry| entry.tool.is_some()) {
        table.column("TOOL", |entry| cell(entry.tool.as_deref().unwrap_or_default()))
    } else {
        table
    };
    let table =
        table.optional("REQUEST", |entry| cell(entry.request_id.as_deref().unwrap_or_default()));
    show_list(context.out, &list, "No such decisions.", &table)
}

impl Filter {
    fn matches(&self, entry: &Entry) -> bool {
        let is_since = |since: &Timestamp| {
            entry.time.as_str().parse::<Timestamp>().is_ok_and(|time| time >= *since)
        };
        self.device.as_ref().is_none_or(|device| entry.device.as_ref() == Some(device))
            && self.code.as_ref().is_none_or(|code| entry.code.eq_ignore_ascii_case(code))
            && (!self.denied || !entry.allowed)
            && self.since.as_ref().is_none_or(is_since)
    }
}

/// Parses the hash of a line.
fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_owned()) } else { Err("must be 64 hexadecimal digits".into()) }
}

/// Parses a time, a date or an age.
fn since(text: &str) -> Result<Timestamp, String> {
    time_or_age(text, Timestamp::now())
}

fn time_or_age(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let date = || text.parse::<civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let age = || {
        let age = text.parse::<Span>().ok()?.abs();
        now.to_zoned(TimeZone::UTC).checked_sub(age).ok()
    };
    let time = date().or_else(age).map(|time| time.timestamp());
    time.ok_or_else(|| "must be like 2026-03-01, 2026-03-01T12:00:00Z, 90m or 7d".into())
}

impl Record for Entry {
    const COLUMNS: &'static [&'static str] =
        &["request_id", "time", "device", "code", "followed", "tool"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_ages_are_understood() {
        let now = "2026-03-08T12:00:00Z".parse().unwrap();
        let time = |text| time_or_age(text, now).map(|time| time.to_string());
        assert_eq!(time("2026-03-01T12:00:00+01:00").unwrap(), "2026-03-01T11:00:00Z");
        assert_eq!(time("2026-03-01").unwrap(), "2026-03-01T00:00:00Z");
        assert_eq!(time("7d").unwrap(), "2026-03-01T12:00:00Z");
        assert_eq!(time("90m").unwrap(), "2026-03-08T10:30:00Z");
        for bad in ["", "soon", "2026-13-01", "12"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_has_64_digits() {
        assert!(hash(&"a1".repeat(32)).is_ok());
        assert!(hash("").is_err() && hash(&"g".repeat(64)).is_err());
    }
}
