//! The line that is completed, and whose values its flags ask for.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use agent_client_core::variable;

use crate::context::Context;
use crate::flags::Global;
use crate::output::Output;

/// Names the shell that asks for candidates.
pub(super) const VARIABLE: &str = "MACHINS_COMPLETE";
/// How long fetching a list in the background may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The words of the line that is completed.
static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Keeps the words of the line, whose flags say whose values are wanted.
pub(super) fn remember(words: &[OsString]) {
    // Once a run.
    let _ = WORDS.set(words.to_vec());
}

/// The words of the line.
pub(super) fn words() -> &'static [OsString] {
    WORDS.get().map_or(&[], Vec::as_slice)
}

/// A context with those flags of the line that say whose values are wanted, and which is silent.
pub(super) fn context() -> Context {
    let words: Vec<&str> = words().iter().filter_map(|word| word.to_str()).collect();
    let before_program = words.iter().take_while(|word| **word != "--");
    let words: Vec<&str> = before_program.copied().collect();
    let value = |flag: &str| {
        let of = |at: usize| {
            let word = words.get(at)?;
            match word.strip_prefix(flag)?.strip_prefix('=') {
                Some(value) => Some(value.to_owned()),
                None if *word == flag => words.get(at + 1).map(|&value| value.to_owned()),
                None => None,
            }
        };
        (0..words.len()).rev().find_map(of).filter(|value| !value.is_empty())
    };
    let from_environment = || variable("MACHINS_PROFILE").ok().flatten();
    let global = Global {
        profile: value("--profile").or_else(from_environment),
        base_url: value("--base-url"),
        machineid_url: value("--machineid-url"),
        allow_insecure_http: words.contains(&"--allow-insecure-http"),
        quiet: true,
        timeout: Some(TIME_LIMIT),
        ..Global::default()
    };
    let out = Output::new(&global);
    Context::new(global, out)
}
