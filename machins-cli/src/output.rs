//! Where output goes: results to stdout, everything else to stderr.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use anstream::ColorChoice;
use anstyle::AnsiColor;
pub(crate) use anstyle::Style;
use serde::Serialize;

use crate::args::{Color, Global};
use crate::error::Failure;
use crate::json;
use crate::text::clean;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What was refused or went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What needs a second look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What one reads last.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What one looks for first.
pub(crate) const STRONG: Style = Style::new().bold();

/// How this run writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// As the flags say. Colour is a matter of the whole process.
    pub(crate) fn new(global: &Global) -> Self {
        match global.color.unwrap_or_default() {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        Self { json: global.json, quiet: global.quiet }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// The result: as a document with `--json`, else as text for a person.
    pub(crate) fn result<T: Serialize>(
        self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { self.document(document) } else { self.text(&human()) }
    }

    /// A JSON document on stdout: indented where a person may be looking, else one line.
    pub(crate) fn document<T: Serialize>(self, document: &T) -> Result<(), Failure> {
        let text = if io::stdout().is_terminal() {
            json::indented(document)
        } else {
            json::line(document)
        };
        self.text(&text.map_err(|error| Failure::local("could not write JSON", error))?)
    }

    /// A JSON document on one line of stdout, wherever that is.
    pub(crate) fn line<T: Serialize>(self, document: &T) -> Result<(), Failure> {
        let text = json::line(document);
        self.text(&text.map_err(|error| Failure::local("could not write JSON", error))?)
    }

    /// One of a series of results, on a line or lines of its own. `false` when nobody reads any
    /// more, and what was shown may not have been seen.
    pub(crate) fn next_result<T: Serialize>(
        self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<bool, Failure> {
        let mut text = if self.json {
            json::line(document).map_err(|error| Failure::local("could not write JSON", error))?
        } else {
            human()
        };
        text.push('\n');
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::local("could not write to stdout", error)),
        }
    }

    /// Whether to show that something is going on: only where it can be taken back.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Text on stdout, as it is but for colours that are not wanted.
    #[expect(clippy::unused_self, reason = "output goes through the one value that stands for it")]
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write!(stdout, "{text}{newline}")
            .and_then(|()| stdout.flush())
            .or_else(ignore_closed_pipe)
            .map_err(|error| Failure::local("could not write to stdout", error))
    }

    /// Bytes on stdout: generated files.
    #[expect(clippy::unused_self, reason = "output goes through the one value that stands for it")]
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .or_else(ignore_closed_pipe)
            .map_err(|error| Failure::local("could not write to stdout", error))
    }

    /// A remark for a person, on stderr.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet && !self.json {
            to_stderr(&format!("{text}\n"));
        }
    }

    /// What a person should know although the command goes on, on stderr.
    pub(crate) fn warn(self, text: &str) {
        if !self.quiet && !self.json {
            to_stderr(&format!("{WARN}warning:{WARN:#} {text}\n"));
        }
    }

    /// The one report of a failure, on stderr.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
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
            let _ = writeln!(text, "{FAINT}  next:{FAINT:#} {}", clean(advice));
        }
        to_stderr(&text);
    }
}

/// Nobody is left to tell when stderr is gone.
pub(crate) fn to_stderr(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// A reader that has seen enough (`machins devices | head -1`) is no error.
fn ignore_closed_pipe(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}
