//! The commands, their help, and what is made from it.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::Value;
use snapbox::{assert_data_eq, file};

use crate::run::Home;

/// Every command with its long help, in the order of the overview. The root comes first, and its
/// name is empty.
pub(crate) fn pages() -> &'static [(String, String)] {
    static PAGES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let home = Home::new();
        let help = |command: &str| {
            let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
            home.run(&words).exits(0).stdout
        };
        let root = help("");
        let names = subcommands(&root);
        let mut pages = vec![(String::new(), root)];
        for name in names {
            let page = help(&name);
            let inner = subcommands(&page);
            pages.push((name.clone(), page));
            for child in inner {
                let command = format!("{name} {child}");
                let page = help(&command);
                pages.push((command, page));
            }
        }
        pages
    });
    &PAGES
}

/// The names of a command's subcommands: the first words of the indented lines before its options.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .take_while(|line| !line.starts_with("Options"))
        .filter(|line| line.starts_with("  ") && line[2..].starts_with(char::is_alphabetic))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(Into::into)
        .collect()
}

#[test]
fn the_page_of_commands_shows_the_help_of_each() {
    let mut page = "# The commands of `machins`\n\n\
        <!-- Generated: SNAPSHOTS=overwrite cargo test -p machins-cli --test cli help:: -->\n"
        .to_owned();
    for (command, help) in pages() {
        let heading = match command.split_whitespace().count() {
            0 => "This is the help of the program and of each command.".to_owned(),
            1 => format!("## `machins {command}`"),
            _ => format!("### `machins {command}`"),
        };
        assert!(!help.contains("```"), "{command}: {help}");
        let _ = write!(page, "\n{heading}\n\n```text\n{}\n```\n", help.trim_end());
    }
    assert_data_eq!(page, file!["../../../docs/cli.md"].raw());
}

#[test]
fn flags_for_every_command_may_stand_anywhere() {
    let home = Home::new();
    for words in [
        ["--json", "config", "explain"],
        ["config", "--json", "explain"],
        ["config", "explain", "--json"],
    ] {
        let said = home.run(&words).exits(0).stdout;
        assert!(serde_json::from_str::<Value>(&said).is_ok(), "{words:?}: {said}");
    }
    home.run(&["inbox", "--quiet", "ack-all"]).exits(4);
    let get = ["get", "base_url", "--base-url=https://inner.example"];
    let inner = home.run(&[&["--base-url=https://outer.example", "config"], &get[..]].concat());
    assert_eq!(inner.exits(0).stdout, "https://inner.example\n");
}

#[test]
fn flags_of_a_command_are_not_ignored_by_those_within() {
    let home = Home::new();
    home.run(&["config", "--get", "base_url", "show"]).exits(2);
    home.run(&["inbox", "--unread", "ack-all"]).exits(2);
    home.run(&["inbox", "--limit", "3", "ack-all"]).exits(2);
}

#[test]
fn each_page_has_an_example() {
    for (name, help) in pages() {
        assert!(help.contains("Example") || name.is_empty(), "{name}:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{name}:\n{help}");
        // On a narrow terminal an example that wraps can't be pasted.
        let examples = help.lines().skip_while(|line| !line.starts_with("Example"));
        let overview = help.lines().skip(1).take_while(|line| !line.starts_with("Options"));
        let mut pasted = examples.chain(overview.filter(|_| name.is_empty()));
        assert!(pasted.all(|line| line.chars().count() <= 80), "{name}:\n{help}");
    }
}

#[test]
fn each_command_refuses_a_flag_that_it_does_not_have() {
    let home = Home::new();
    for (command, _) in pages() {
        let words: Vec<&str> = command.split_whitespace().chain(["--no-such-flag"]).collect();
        let error = home.run(&[&["--json"], &words[..]].concat()).exits(2).error();
        assert_eq!(error["kind"], "usage", "{command}");
    }
}

#[test]
fn alone_it_shows_the_overview() {
    let home = Home::new();
    let alone = home.run(&[]).exits(0);
    assert!(alone.stdout.contains("Devices:"), "{alone:?}");
    let error = home.run(&["--json"]).exits(2).error();
    assert_eq!(error["kind"], "usage");
}

#[test]
fn wrong_usage_is_told_as_asked() {
    let home = Home::new();
    for arguments in [
        &["vlaidate"][..],
        &["validate", "a", "b"],
        &["revoke"],
        &["revoke", "a", "--all"],
        &["devices", "--timeout", "0"],
        &["devices", "--timeout", "soon"],
        &["devices", "--color", "blue"],
        &["guard", "--every", "-1", "--", "true"],
        &["guard", "--outage-grace", "nan", "--", "true"],
        &["guard", "--device", "a"],
        &["mock", "serve", "--addr", "here"],
        &["api", "FETCH", "/api/v1/usage"],
        &["completions", "csh"],
        &["join"],
        &["sell", "--title", "Any"],
        &["sell", "--title", "Any", "--price", "cheap"],
        &["edit", "3f2a9c10"],
        &["browse", "--limit", "0"],
        &["browse", "--limit", "201"],
        &["trades", "--offset", "-1"],
        &["review", "3f2a9c10", "--rating", "6"],
        &["review", "3f2a9c10"],
        &["inbox", "--unread", "ack-all"],
        &["webhook", "verify"],
        &["config", "--set", "a=b", "--get", "a"],
    ] {
        let human = home.run(arguments).exits(2);
        assert!(human.stdout.is_empty() && human.stderr.starts_with("error: "), "{human:?}");
        let json = home.run(&[arguments, &["--json"]].concat());
        // After `--` the flag is the command's.
        if !arguments.contains(&"--") {
            assert_eq!(json.exits(2).error()["status"], Value::Null);
        }
        let json = home.run(&[&["--json"], arguments].concat()).exits(2);
        assert_eq!(json.error()["kind"], "usage", "{arguments:?}");
        assert!(json.stdout.is_empty());
    }
}

#[test]
fn commands_of_the_python_package_alone_are_named_as_calls() {
    let home = Home::new();
    for (command, call) in [
        (&["market-gaps"][..], "machins api GET /public/market-gaps"),
        (&["pipeline", "list"], "machins api GET /pipelines"),
        (&["fulfill", "ocr", "--budget", "5"], "machins api POST /fulfill --body"),
    ] {
        let ran = home.run(command).exits(2);
        assert!(ran.stderr.contains(call), "{ran:?}");
    }
    assert_eq!(home.run(&["trending", "--json"]).exits(2).error()["kind"], "usage");
}

#[test]
fn a_usage_error_says_all_of_it_in_one_line() {
    let error = Home::new().run(&["--json", "remove", "a", "b"]).exits(2).error();
    assert_eq!(error["message"], "unexpected argument 'b' found");
    let error = Home::new().run(&["--json", "checkout"]).exits(2).error();
    assert_eq!(error["message"], "the following required arguments were not provided: <PLAN>");
    let error = Home::new().run(&["--json", "vlaidate"]).exits(2).error();
    assert!(error["message"].to_string().contains("similar subcommand exists: 'validate'"));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let home = Home::new();
    let commands = pages();
    let names = commands.iter().filter_map(|(name, _)| name.split_whitespace().last());
    let words: Vec<&str> = names.chain(["outage-grace"]).collect();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.run(&["completions", shell]).exits(0).stdout;
        for word in &words {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    assert!(home.run(&["man"]).exits(0).stdout.contains(".TH machins 1"));
    home.run(&["man", "--dir", "pages"]).exits(0);
    for (name, _) in commands {
        let file = format!("machins-{name}.1").replace("-.", ".").replace(' ', "-");
        assert!(home.path().join("pages").join(&file).is_file(), "{file}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let home = Home::new();
    for arguments in [&["man"][..], &["--help"], &["completions", "bash"], &[]] {
        let mut child =
            home.machins(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}
