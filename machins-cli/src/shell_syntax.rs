//! What is written for a shell: that of Unix, or PowerShell and `cmd` on Windows.

use std::iter;
use std::process::Command;

/// Whether commands are printed for PowerShell: on Windows, unless a shell of Unix (Git Bash, MSYS2) has set
/// `SHELL`.
fn is_powershell() -> bool {
    cfg!(windows) && std::env::var_os("SHELL").is_none()
}

/// Returns the command that sets an environment variable. `None` if the value cannot be written as one word.
pub(crate) fn set_variable(name: &str, value: &str) -> Option<String> {
    set_variable_in(is_powershell(), name, value)
}

fn set_variable_in(powershell: bool, name: &str, value: &str) -> Option<String> {
    if powershell {
        // PowerShell takes typographic quotation marks for these, too. Two of them stand for one.
        let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        let doubled = value.chars().flat_map(|c| iter::repeat_n(c, 1 + usize::from(is_quote(c))));
        return Some(format!("$env:{name} = '{}'", doubled.collect::<String>()));
    }
    Some(format!("export {name}={}", shlex::try_quote(value).ok()?))
}

/// Returns the process that runs a command line: by `sh -c`, or by `cmd /C` on Windows.
pub(crate) fn run(line: &str) -> Command {
    #[cfg(windows)]
    let command = {
        let mut command = Command::new("cmd");
        // `/S` removes this pair of quotation marks and no other; `/D` runs no commands of the registry.
        command.args(["/D", "/S", "/C"]);
        std::os::windows::process::CommandExt::raw_arg(&mut command, format!("\"{line}\""));
        command
    };
    #[cfg(not(windows))]
    let command = {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    };
    command
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain(false, "http://[::1]:1/x", "export URL='http://[::1]:1/x'")]
    #[case::quoted(false, "it's", "export URL=\"it's\"")]
    #[case::powershell(true, "http://[::1]:1/x", "$env:URL = 'http://[::1]:1/x'")]
    #[case::powershell_quoted(true, "it's $HOME", "$env:URL = 'it''s $HOME'")]
    #[case::powershell_typographic(true, "it\u{2019}s", "$env:URL = 'it\u{2019}\u{2019}s'")]
    fn a_variable_is_set_in_the_syntax_of_the_shell(
        #[case] powershell: bool,
        #[case] value: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(set_variable_in(powershell, "URL", value).as_deref(), Some(expected));
    }

    #[cfg(windows)]
    #[test]
    fn quotation_marks_reach_the_command() {
        let output = run(r#""cmd" /C echo "a b""#).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "\"a b\"");
    }
}
