//! Input from the user: standard input, passwords and other secrets.

use std::io::{self, BufRead, IsTerminal, Read};

use machins_client::Secret;

use crate::error::Failure;
use crate::output::to_stderr;

/// Reads stdin to its end as text.
pub(crate) fn stdin_text() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Reads stdin to its end as bytes.
pub(crate) fn stdin_bytes() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Reads a password: on a terminal by asking (twice for a new one), else from a line of stdin.
pub(crate) fn password(is_new: bool) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return stdin_secret("password");
    }
    let password = ask("Password: ")?;
    if is_new && ask("Repeat the password: ")? != password {
        return Err(Failure::usage("the two passwords differ; nothing was sent"));
    }
    not_empty("password", &password)
}

/// Reads a line that is no secret: on a terminal by asking, else from stdin. `what` names it.
pub(crate) fn line(what: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        to_stderr(&format!("{what}: "));
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
    match without_mark(&line).trim() {
        "" => Err(Failure::usage(format!("no {what} on stdin"))),
        line => Ok(line.to_owned()),
    }
}

/// Reads a secret: on a terminal by asking, else from a line of stdin. `what` names it.
pub(crate) fn secret(what: &str) -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        return not_empty(what, &ask(&format!("{what}: "))?);
    }
    stdin_secret(what)
}

/// What some editors and shells begin a text with, and which is no part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Reads a secret from the first line of stdin. `what` names it in errors.
pub(crate) fn stdin_secret(what: &str) -> Result<Secret, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
    not_empty(what, without_mark(&line).trim_end_matches(['\r', '\n']))
}

/// Asks for a secret at the terminal, even if stdin is something else.
pub(crate) fn ask(prompt: &str) -> Result<String, Failure> {
    // rpassword shows the prompt first: what is typed at once would be shown as well.
    #[cfg(unix)]
    let _silence = silence::Silence::begin();
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::local("could not ask for it at a terminal", error))
}

/// Asks at the terminal whether to do `what`, which begins a sentence, unless `yes` answers already.
/// Without a terminal it refuses.
pub(crate) fn confirm(what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage(format!(
            "{what}: this needs confirmation, and there is no terminal to ask at"
        ))
        .hint("add --yes to confirm"));
    }
    to_stderr(&format!("{what}? [y/N] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(unreadable)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::refused("not confirmed; nothing was changed")),
    }
}

/// Asks a person at the terminal whether to do `what`, which begins a sentence. Nothing else can
/// answer; without a terminal it refuses.
pub(crate) fn confirm_in_person(what: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::refused(format!(
            "{what}: only a person at a terminal can do this; nothing was changed"
        )));
    }
    confirm(what, false)
}

#[cfg(unix)]
mod silence {
    use std::fs::{File, OpenOptions};

    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

    /// The terminal, which shows nothing of what is typed until this is dropped.
    pub(super) struct Silence {
        terminal: File,
        before: Termios,
    }

    impl Silence {
        /// Returns `None` if there is no terminal.
        pub(super) fn begin() -> Option<Self> {
            let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
            let before = tcgetattr(&terminal).ok()?;
            let mut silent = before.clone();
            silent.local_flags.remove(LocalFlags::ECHO);
            tcsetattr(&terminal, SetArg::TCSANOW, &silent).ok()?;
            Some(Self { terminal, before })
        }
    }

    impl Drop for Silence {
        fn drop(&mut self) {
            // Nothing can be done about a terminal that is gone.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        }
    }
}

fn not_empty(what: &str, text: &str) -> Result<Secret, Failure> {
    if text.is_empty() {
        return Err(Failure::usage(format!("no {what} on stdin")));
    }
    Ok(Secret::new(text))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::local("could not read stdin", error)
}
