//! Completions: the scripts that shells load, and the candidates that they ask this program for.

mod cache;
mod fetch;
mod line;
mod values;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use agent_client_core::variable;
use clap_complete::engine::{self, CompletionCandidate};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use self::line::VARIABLE;
use crate::text::{clean, is_printable};

/// In bash, the line up to the cursor, and the part of the word that bash replaces.
const LINE: &str = "MACHINS_COMPLETE_LINE";
const WORD: &str = "MACHINS_COMPLETE_WORD";
/// Longer explanations of a value are cut off, in characters.
const LONGEST_ABOUT: usize = 60;

/// The script that makes a shell complete commands.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    match shell {
        Shell::Bash => include_bytes!("machins.bash").to_vec(),
        Shell::Zsh => include_bytes!("machins.zsh").to_vec(),
        Shell::Fish => include_bytes!("machins.fish").to_vec(),
        other => {
            let mut script = Vec::new();
            if let Some(shell) = Shells::builtins().completer(&other.to_string()) {
                // Writing to memory does not fail.
                let _ = shell.write_registration(
                    VARIABLE,
                    "machins",
                    "machins",
                    "machins",
                    &mut script,
                );
            }
            script
        }
    }
}

/// Answers a shell that asks for candidates. Returns false if none does: the variable alone, which may be
/// left over in an environment, must not keep a gate from deciding, so the line must also begin with
/// `--`, as in all scripts. Nothing is ever written to stderr, in the middle of somebody's line.
pub(crate) fn answer(tree: fn() -> clap::Command, arguments: &[OsString]) -> bool {
    let start = Instant::now();
    if arguments.get(1).is_none_or(|word| word != "--") {
        return false;
    }
    let Ok(Some(shell)) = variable(VARIABLE) else { return false };
    let given = || {
        let mut words: Vec<_> = arguments.iter().skip(2).cloned().collect();
        // fish gives the last word as it is typed, after a quotation mark that is open.
        if let Some(last) = words.last_mut().filter(|_| shell == "fish")
            && let Some(text) = last.to_str().and_then(|text| text.strip_prefix(['"', '\'']))
        {
            *last = text.into();
        }
        words
    };
    let typed = variable(LINE).ok().flatten().filter(|_| shell == "bash");
    let words: Vec<OsString> = typed.as_deref().map_or_else(given, split);
    line::remember(&words);
    let tree = move || values::attach(tree(), start);
    let text = match (shell.as_str(), shell.strip_prefix("refresh:")) {
        (_, Some(list)) => {
            cache::refresh(list);
            return true;
        }
        ("bash", _) => bash(&candidates(tree(), words)),
        ("zsh" | "fish", _) => {
            let candidates = candidates(tree(), words);
            candidates.iter().map(|candidate| described(candidate, shell == "zsh")).collect()
        }
        _ => {
            let completed = CompleteEnv::with_factory(tree).var(VARIABLE);
            // What fails here gives no candidates.
            let _ = completed.try_complete(arguments, std::env::current_dir().ok().as_deref());
            return true;
        }
    };
    // A shell that does not read gets nothing.
    let _ = std::io::stdout().write_all(text.as_bytes());
    true
}

/// The candidates for the last word. Flags are offered if the word begins like one, or where nothing
/// else can stand.
fn candidates(mut tree: clap::Command, words: Vec<OsString>) -> Vec<CompletionCandidate> {
    let Some(last) = words.len().checked_sub(1) else { return Vec::new() };
    let is_flag = |text: &OsStr| text.as_encoded_bytes().starts_with(b"-");
    let wants_flags = is_flag(&words[last]);
    let folder = std::env::current_dir().ok();
    let mut found = engine::complete(&mut tree, words, last, folder.as_deref()).unwrap_or_default();
    if !wants_flags && found.iter().any(|candidate| !is_flag(candidate.get_value())) {
        found.retain(|candidate| !is_flag(candidate.get_value()));
    }
    found.retain(|candidate| {
        candidate.get_value().to_str().is_some_and(|text| text.chars().all(is_printable))
    });
    found
}

/// The candidates for bash, a line each: quoted, and without the part of the word that bash keeps.
fn bash(candidates: &[CompletionCandidate]) -> String {
    let line = variable(LINE).ok().flatten().unwrap_or_default();
    let replaced = variable(WORD).ok().flatten().unwrap_or_default();
    let whole = line.rsplit([' ', '\t']).next().unwrap_or_default();
    let kept = whole.strip_suffix(&replaced).unwrap_or_default();
    let is_quoted = replaced.starts_with(['"', '\'']);
    let mut text = String::new();
    for candidate in candidates {
        let value = candidate.get_value().to_string_lossy();
        let rest = value.strip_prefix(kept).unwrap_or(&value);
        let is_path = rest.ends_with('/') || rest.ends_with('=');
        // Writing to a string never fails.
        let _ = match shlex::try_quote(rest) {
            Ok(quoted) if !is_quoted && !is_path => writeln!(text, "{quoted}"),
            _ => writeln!(text, "{rest}"),
        };
    }
    text
}

/// A candidate with its explanation on a line, for zsh or fish.
fn described(candidate: &CompletionCandidate, is_zsh: bool) -> String {
    let value = candidate.get_value().to_string_lossy();
    let value =
        if is_zsh { value.replace('\\', r"\\").replace(':', r"\:") } else { value.into_owned() };
    let about = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    let about = clean(about.lines().next().unwrap_or_default());
    let about = match about.char_indices().nth(LONGEST_ABOUT) {
        Some((end, _)) => format!("{}…", about[..end].trim_end()),
        None => about.into_owned(),
    };
    match (about.is_empty(), is_zsh) {
        (true, _) => format!("{value}\n"),
        (false, true) => format!("{value}:{about}\n"),
        (false, false) => format!("{value}\t{about}\n"),
    }
}

/// Splits a line as a shell does. The last word may be unfinished, or empty.
fn split(line: &str) -> Vec<OsString> {
    let whole = |line: &str| shlex::split(line);
    let words = whole(line)
        .or_else(|| whole(&format!("{line}'")))
        .or_else(|| whole(&format!("{line}\"")))
        .unwrap_or_else(|| line.split_whitespace().map(Into::into).collect());
    let ends = line.ends_with(char::is_whitespace) && !line.ends_with("\\ ");
    words.into_iter().chain(ends.then(String::new)).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_by_a_shell() {
        let words = |line: &str| -> Vec<String> {
            split(line).into_iter().map(|word| word.into_string().unwrap()).collect()
        };
        assert_eq!(words("machins validate svc:pr"), ["machins", "validate", "svc:pr"]);
        assert_eq!(words("machins browse "), ["machins", "browse", ""]);
        assert_eq!(words("machins --profile 'my pro"), ["machins", "--profile", "my pro"]);
        assert_eq!(words("m --x=\"a b"), ["m", "--x=a b"]);
    }

    #[test]
    fn a_value_with_colons_is_escaped_for_zsh() {
        let candidate = CompletionCandidate::new("svc:prod").help(Some("active".into()));
        assert_eq!(described(&candidate, true), "svc\\:prod:active\n");
        assert_eq!(described(&candidate, false), "svc:prod\tactive\n");
        let long = CompletionCandidate::new("x").help(Some("word ".repeat(20).into()));
        assert_eq!(described(&long, false), format!("x\t{}word…\n", "word ".repeat(11)));
    }
}
