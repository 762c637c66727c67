//! Secrets that a user types: never an argument, never shown.

use std::io::{self, BufRead, IsTerminal};

use machins_client::Secret;

use crate::error::Failure;

/// A password: asked for on a terminal (twice when it is a new one), else the first line of stdin.
pub(crate) fn password(is_new: bool) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return from_stdin("password");
    }
    let password = ask("Password: ")?;
    if is_new && ask("The same again: ")? != password {
        return Err(Failure::usage("the two passwords differ; nothing was sent"));
    }
    taken("password", &password)
}

/// The first line of stdin.
pub(crate) fn from_stdin(what: &str) -> Result<Secret, Failure> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::local("could not read stdin", error))?;
    taken(what, line.trim_end_matches(['\r', '\n']))
}

/// Asks at the terminal, whatever stdin is.
pub(crate) fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::local("could not ask at a terminal", error))
}

fn taken(what: &str, text: &str) -> Result<Secret, Failure> {
    if text.is_empty() {
        return Err(Failure::usage(format!("no {what} on stdin")));
    }
    Ok(Secret::new(text))
}
