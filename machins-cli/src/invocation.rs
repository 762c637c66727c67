//! The commands that messages suggest, complete with the flags of this run.

use std::borrow::Cow;

use crate::flags::Global;
use crate::text::without_password;

/// What a command in a message begins with, behind its opening backtick.
const PROGRAM: &str = "machins";

/// Formats the flags that make a suggested command act as the same party on the same services:
/// each is preceded by a blank.
pub(crate) fn flags(global: &Global) -> String {
    let given = [
        ("--profile", global.profile.as_deref()),
        ("--base-url", global.base_url.as_deref()),
        ("--machineid-url", global.machineid_url.as_deref()),
    ];
    let mut flags = String::new();
    for (flag, value) in given {
        let Some(value) = value else { continue };
        let value = &*without_password(value);
        // Quoting fails only for NUL, which no argument or variable can contain.
        let value = shlex::try_quote(value).unwrap_or(Cow::Borrowed(value));
        flags.extend([" ", flag, " ", &value]);
    }
    if global.allow_insecure_http {
        flags.push_str(" --allow-insecure-http");
    }
    flags
}

/// Replaces each command between backticks by the command that can be pasted: with the flags of this
/// run, without the backticks.
pub(crate) fn complete(text: &str, flags: &str) -> String {
    let mut completed = String::new();
    let mut rest = text;
    while let Some((before, from_command)) = rest.split_once('`') {
        completed.push_str(before);
        let command = from_command
            .strip_prefix(PROGRAM)
            .filter(|words| words.starts_with([' ', '`']))
            .and_then(|words| words.split_once('`'));
        rest = if let Some((words, after)) = command {
            completed.extend([PROGRAM, flags, words]);
            after
        } else {
            completed.push('`');
            from_command
        };
    }
    completed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(global: &Global, text: &str) -> String {
        complete(text, &flags(global))
    }

    #[test]
    fn a_command_carries_the_flags_of_this_run() {
        let global = Global {
            profile: Some("bob".into()),
            base_url: Some("http://127.0.0.1:1/api/v1".into()),
            machineid_url: Some("http://127.0.0.1:1".into()),
            ..Global::default()
        };
        assert_eq!(
            completed(&global, "Next: `machins trade t1`, or `machins`"),
            "Next: machins --profile bob --base-url http://127.0.0.1:1/api/v1 \
             --machineid-url http://127.0.0.1:1 trade t1, or machins --profile bob \
             --base-url http://127.0.0.1:1/api/v1 --machineid-url http://127.0.0.1:1"
        );
    }

    #[test]
    fn without_flags_only_the_backticks_go() {
        let text = completed(&Global::default(), "see `machins wallet`; `x` and ` stay");
        assert_eq!(text, "see machins wallet; `x` and ` stay");
    }

    #[test]
    fn values_are_quoted_for_a_shell() {
        let global = Global { profile: Some("it's; rm".into()), ..Global::default() };
        let command = completed(&global, "`machins wallet`");
        let words = shlex::split(&command).unwrap();
        assert_eq!(words, ["machins", "--profile", "it's; rm", "wallet"]);
    }
}
