//! Nonsense for every flag of every command: a clear error or none, and never a bug.

use crate::examples::{World, examples, run};
use crate::help::pages;
use crate::home::{Home, Ran, full_size};

fn nonsense() -> Vec<String> {
    let list = [
        "",
        " ",
        "-",
        "--",
        "=",
        "=x",
        "-1",
        "0",
        "NaN",
        "inf",
        "1e999",
        "0x10",
        "1,5",
        "1.005",
        "null",
        "true",
        "{",
        "[]",
        "\"",
        "{}",
        "../..",
        "/",
        "/dev/null",
        "/no/such/file",
        "a\nb",
        "\t",
        "\u{1b}[2J",
        "\u{202e}x",
        "🦀",
        "http://",
        "https://[::1",
        "javascript:x",
        "a@b",
        "%00",
        "' OR 1",
        "$(x)",
        "18446744073709551616",
    ];
    let long = ["9".repeat(400), "a".repeat(100_000), "[".repeat(100_000), "{\"a\":".repeat(1000)];
    list.map(Into::into).into_iter().chain(long).collect()
}

/// The flags with a value that a page shows, without those that every command has.
fn flags(help: &str) -> Vec<String> {
    help.lines()
        .take_while(|line| !line.starts_with("Global options"))
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .filter_map(|line| line.split_once(" <"))
        .map(|(name, _)| format!("--{name}"))
        .collect()
}

#[track_caller]
fn is_clear(what: &str, ran: &Ran) {
    let code = ran.code.unwrap_or_else(|| panic!("{what}: {ran:?}"));
    assert!((0..=4).contains(&code), "{what}: {ran:?}");
    assert!(!ran.stderr.contains("because of a bug"), "{what}: {ran:?}");
    let is_told = ran.stderr.lines().any(|line| line.starts_with("error: ") && line.len() > 10);
    assert!(code == 0 || is_told, "{what}: {ran:?}");
}

#[test]
fn nonsense_for_a_flag_is_a_clear_error() {
    let world = World::new();
    let (url, nonsense) = (world.shop.server.url(), nonsense());
    let mut tried = 0;
    for example in examples().iter().filter(|example| example.is_first) {
        let command = format!("machins {}", example.command);
        let Some((_, help)) = pages().iter().find(|(name, _)| *name == example.command) else {
            continue;
        };
        // A server listens at 0, too, until it is stopped.
        for flag in flags(help).into_iter().filter(|flag| *flag != "--listen") {
            let script = world.script(example, usize::MAX);
            // A flag may be given once.
            let given = regex::Regex::new(&format!(r#" {flag} ('[^']*'|"[^"]*"|\S+)"#)).unwrap();
            let script = given.replace_all(&script, "");
            let script = script.replacen(&command, &format!("{command} {flag}=\"$NONSENSE\""), 1);
            // Scaled down, each flag meets some of it, and all of it some flags.
            let step = if full_size() { 1 } else { 15 };
            for value in nonsense.iter().skip(tried % step).step_by(step) {
                let home = world.home(&url).with("NONSENSE", value);
                let shown: String = value.chars().take(40).collect();
                is_clear(&format!("{script} with {shown:?}"), &run(&home, example, &script, ""));
            }
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn nonsense_for_a_global_flag_is_a_clear_error() {
    let world = World::new();
    let home = world.home(&world.shop.server.url());
    for flag in ["--base-url", "--machineid-url", "--profile", "--timeout", "--color"] {
        for value in nonsense() {
            let shown: String = value.chars().take(40).collect();
            let ran = home.run(&[&format!("{flag}={value}"), "config", "explain"]);
            is_clear(&format!("{flag} {shown:?}"), &ran);
            if flag.ends_with("url") {
                let ran = home.run(&[&format!("{flag}={value}"), "api", "GET", "/marketplace"]);
                is_clear(&format!("{flag} {shown:?}"), &ran);
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_text_are_a_clear_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    let invalid = OsStr::from_bytes(b"a\xff\x9b31m");
    for command in [&["show"][..], &["join", "--name"], &["api", "GET"], &["--profile"], &[]] {
        let ran = Ran::from(home.machins(command).arg(invalid).output().unwrap());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        is_clear("no text", &ran);
    }
}

/// A key that is meant for a test's server must not go to the service because the address of that
/// server can't be read. It does not matter what a command needs.
#[cfg(unix)]
#[rstest::rstest]
#[case::public("browse")]
#[case::with_a_key("wallet")]
#[case::status("status")]
#[case::gate("validate agent-01")]
#[case::guard("guard --device agent-01 -- echo started")]
#[case::join("join --name Ada")]
#[case::local("config path")]
#[case::hook("hook run claude")]
fn a_variable_that_is_not_utf_8_exits_2(#[case] line: &str) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let world = World::new();
    let home = world.home(&world.shop.server.url());
    let variables = home.run(&["help", "environment"]).exits(0).stdout;
    let names = variables.split_whitespace();
    let ours = |name: &&str| name.starts_with("MACHINS_") || name.starts_with("MACHINEID_");
    let ours: std::collections::BTreeSet<&str> =
        names.filter(ours).filter(|name| !name.contains('=')).collect();
    assert!(ours.len() > 12, "{ours:?}");
    world.shop.server.clear_requests();
    let words: Vec<&str> = line.split(' ').collect();
    for name in ours {
        let mut command = home.machins(&words);
        let ran = Ran::from(command.env(name, OsStr::from_bytes(b"1\xff")).output().unwrap());
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        assert!(ran.stderr.contains(name) && ran.stderr.contains("not UTF-8"), "{ran:?}");
        assert_eq!(ran.stdout, "", "{name}: {ran:?}");
    }
    assert!(world.shop.server.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn an_editor_that_is_not_utf_8_is_not_another() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let home = Home::new().with("EDITOR", "true");
    let mut edit = home.machins(&["config", "edit"]);
    let ran = Ran::from(edit.env("VISUAL", OsStr::from_bytes(b"v\xff")).output().unwrap()).exits(2);
    assert!(ran.stderr.contains("VISUAL"), "{ran:?}");
}

/// It is no matter of the service.
#[test]
fn a_variable_that_is_no_boolean_is_wrong_usage_for_status() {
    let world = World::new();
    let home = world.home(&world.shop.server.url()).with("MACHINS_ALLOW_INSECURE_HTTP", "maybe");
    let ran = home.run(&["--base-url", "http://a.example/api/v1", "status"]).exits(2);
    assert!(ran.stderr.contains("MACHINS_ALLOW_INSECURE_HTTP"), "{ran:?}");
}
