//! The user's editor.

use std::fs;
use std::io::Write;
use std::process::Command;

use agent_client_core::variable;

use crate::error::Failure;

/// The editor of a user who has chosen none.
const FALLBACK: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Opens a text in `$VISUAL`, `$EDITOR` or `vi`, and returns what was saved.
pub(crate) fn edit(text: &str) -> Result<String, Failure> {
    let set = |name| variable(name).map_err(|error| Failure::usage(error.message().to_owned()));
    let chosen = set("VISUAL")?.map_or_else(|| set("EDITOR"), |command| Ok(Some(command)))?;
    let command = chosen.unwrap_or_else(|| FALLBACK.to_owned());
    let words = shlex::split(&command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::usage(format!("the editor {command:?} is not a command")));
    };
    let failed = |error: std::io::Error| Failure::local("could not edit a copy of the file", error);
    // Only its owner can read it: tempfile creates its files with mode 0600.
    let mut copy =
        tempfile::Builder::new().prefix("machins-").suffix(".json").tempfile().map_err(failed)?;
    copy.write_all(text.as_bytes()).and_then(|()| copy.flush()).map_err(failed)?;
    let status =
        Command::new(program).args(arguments).arg(copy.path()).status().map_err(|error| {
            Failure::local(format!("could not start the editor {program}"), error)
        })?;
    if !status.success() {
        return Err(Failure::refused(format!("the editor failed ({status}); nothing was changed")));
    }
    fs::read_to_string(copy.path()).map_err(failed)
}
