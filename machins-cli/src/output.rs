//! Where output goes: results to stdout, everything else to stderr.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use anstream::ColorChoice;
use serde::Serialize;

pub(crate) use crate::background::write as to_stderr;
use crate::error::Failure;
use crate::flags::{Color, Format, Global};
use crate::invocation;
use crate::jq::Filter;
use crate::json;
use crate::records::{self, Record};
use crate::style::{BAD, FAINT, WARN};
use crate::text::clean;

/// How to write: set once from the flags, and copied wherever something is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    /// What of a JSON document is printed.
    filter: Option<&'static Filter>,
    /// Whether failures are JSON as well.
    json_failures: bool,
    /// The flags that a suggested command carries.
    flags: &'static str,
}

impl Output {
    /// Takes over the flags. Colours are set for the whole process.
    pub(crate) fn new(global: &Global) -> Self {
        match global.color.unwrap_or_default() {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        // Once a run, for as long as it lasts: so this can be copied.
        let flags = Box::leak(invocation::flags(global).into_boxed_str());
        let json_failures = global.json || global.format == Some(Format::Json);
        Self { format: global.format(), quiet: global.quiet, filter: None, json_failures, flags }
    }

    /// Prints of each JSON document only what this expression of jq yields.
    pub(crate) fn with_filter(self, expression: Option<&str>) -> Result<Self, Failure> {
        let Some(expression) = expression else { return Ok(self) };
        let filter = Filter::parse(expression)
            .map_err(|why| Failure::usage(format!("--jq {expression:?}: {why}")))?;
        // Once a run, for as long as it lasts: so this can be copied.
        Ok(Self { filter: Some(Box::leak(Box::new(filter))), ..self })
    }

    /// The lines that a JSON document is printed as: one, unless it is filtered.
    fn json_lines<T: Serialize>(self, document: &T) -> Result<String, Failure> {
        let line = json::line(document)?;
        let Some(filter) = self.filter else { return Ok(line + "\n") };
        let lines = filter.apply(&line).map_err(|why| {
            Failure::refused(format!("the command was carried out, but --jq failed: {why}"))
        })?;
        Ok(lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect())
    }

    /// Whether results are printed as JSON.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// The form of results.
    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Prints a result that says no more than the exit code does: nothing with `--quiet`, unless
    /// JSON is asked for.
    pub(crate) fn outcome<T: Serialize>(
        self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.quiet && !self.is_json() { Ok(()) } else { self.result(document, human) }
    }

    /// Whether only results and errors are wanted.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Prints the result: with `--json` as a document, else as text.
    pub(crate) fn result<T: Serialize>(
        self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.is_json() { self.document(document) } else { self.text(&human()) }
    }

    /// Prints a JSON document: indented on a terminal, else on one line.
    pub(crate) fn document<T: Serialize>(self, document: &T) -> Result<(), Failure> {
        if self.filter.is_none() && io::stdout().is_terminal() {
            return self.text(&json::indented(document)?);
        }
        self.text(&self.json_lines(document)?)
    }

    /// Prints a JSON document on one line, on a terminal too.
    pub(crate) fn line<T: Serialize>(self, document: &T) -> Result<(), Failure> {
        self.text(&self.json_lines(document)?)
    }

    /// Prints one of a series of results. Returns false when stdout was closed, so the result may
    /// not have been read.
    pub(crate) fn next_result<T: Serialize>(
        self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<bool, Failure> {
        self.next(&if self.is_json() { self.json_lines(document)? } else { human() + "\n" })
    }

    /// Prints what comes before a series of records.
    pub(crate) fn begin_records<T: Record>(self) -> Result<(), Failure> {
        self.text(&records::heading(self.format, T::COLUMNS)?)
    }

    /// As `next_result`, for what has rows, too.
    pub(crate) fn next_record<T: Record>(
        self,
        record: &T,
        human: impl FnOnce() -> String,
    ) -> Result<bool, Failure> {
        if self.format.is_for_programs() {
            return self.next(&records::rows(self.format, T::COLUMNS, &[record])?);
        }
        self.next_result(record, human)
    }

    #[expect(clippy::unused_self, reason = "all output goes through this type")]
    fn next(self, text: &str) -> Result<bool, Failure> {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::local("could not write to stdout", error)),
        }
    }

    /// Whether to show progress: only on a terminal, where it can be erased.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.is_json() && io::stderr().is_terminal()
    }

    /// Prints text, without its colours if they are not wanted.
    #[expect(clippy::unused_self, reason = "all output goes through this type")]
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write!(stdout, "{text}{newline}")
            .and_then(|()| stdout.flush())
            .or_else(ignore_closed_pipe)
            .map_err(|error| Failure::local("could not write to stdout", error))
    }

    /// Prints bytes as they are, for generated files.
    #[expect(clippy::unused_self, reason = "all output goes through this type")]
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .or_else(ignore_closed_pipe)
            .map_err(|error| Failure::local("could not write to stdout", error))
    }

    /// Prints a note on stderr, unless `--quiet` or `--json` is given. Commands between backticks are
    /// completed.
    pub(crate) fn note(self, text: &str) {
        if self.shows_notes() {
            to_stderr(&format!("{}\n", self.commands(text)));
        }
    }

    /// Reports a change that has no result: on stdout as a document with `--json`, else as a note.
    pub(crate) fn change<T: Serialize>(self, document: &T, note: &str) -> Result<(), Failure> {
        self.note(note);
        if self.is_json() { self.document(document) } else { Ok(()) }
    }

    /// Whether notes are shown.
    pub(crate) fn shows_notes(self) -> bool {
        !self.quiet && !self.is_json()
    }

    /// Completes the commands between backticks, so that they can be pasted.
    pub(crate) fn commands(self, text: &str) -> String {
        invocation::complete(text, self.flags)
    }

    /// Prints a warning on stderr, unless `--quiet` or `--json` is given.
    pub(crate) fn warn(self, text: &str) {
        if !self.quiet && !self.is_json() {
            to_stderr(&format!("{WARN}warning:{WARN:#} {}\n", self.commands(text)));
        }
    }

    /// Prints a warning on stderr even with `--quiet`, and with `--json` as a document.
    pub(crate) fn warn_always(self, text: &str) {
        if self.is_json() {
            let line = json::line(&serde_json::json!({"warning": {"message": text}}));
            to_stderr(&format!("{}\n", line.unwrap_or_default()));
        } else {
            to_stderr(&format!("{WARN}warning:{WARN:#} {}\n", clean(text)));
        }
    }

    /// Prints a failure on stderr: with `--json` as a document, else as text.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json_failures {
            let line = json::line(&failure.document()).unwrap_or_default();
            to_stderr(&format!("{line}\n"));
            return;
        }
        let mut text = format!("{BAD}error:{BAD:#} {}\n", clean(failure.message()));
        for line in failure.lines().unwrap_or_default().lines() {
            let _ = writeln!(text, "  {line}");
        }
        if let Some(advice) = failure.advice()
            && !self.quiet
        {
            for (at, line) in self.commands(advice).lines().enumerate() {
                let before =
                    if at == 0 { format!("{FAINT}  next:{FAINT:#} ") } else { "    ".into() };
                let _ = writeln!(text, "{before}{}", clean(line));
            }
        }
        to_stderr(&text);
    }
}

/// Waits until stdout is a pipe or socket that nobody reads from any more.
pub(crate) async fn reader_gone() {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::time::Duration;

        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

        const LOOK_AGAIN: Duration = Duration::from_millis(100);

        loop {
            let stdout = io::stdout();
            let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            let is_gone = poll(&mut polled, PollTimeout::ZERO).is_ok_and(|count| count > 0)
                && polled[0]
                    .revents()
                    .is_some_and(|now| now.intersects(PollFlags::POLLERR | PollFlags::POLLHUP));
            if is_gone {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    #[cfg(not(unix))]
    std::future::pending().await
}

/// A closed pipe is no error: the reader has seen enough (`machins devices | head -1`).
fn ignore_closed_pipe(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}
