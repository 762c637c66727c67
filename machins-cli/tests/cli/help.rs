//! The commands, their help, and what is made from it.

use std::process::Stdio;
use std::sync::LazyLock;

use rstest::rstest;
use serde_json::Value;

use crate::home::{Home, Ran};

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
            add_pages(&mut pages, &name, &help);
        }
        pages
    });
    &PAGES
}

/// Adds the help of a command and of all commands below it.
fn add_pages(pages: &mut Vec<(String, String)>, command: &str, help: &impl Fn(&str) -> String) {
    let page = help(command);
    let inner = page.split_once("\nCommands:\n").map(|(_, list)| subcommands(list));
    pages.push((command.to_owned(), page));
    for child in inner.into_iter().flatten() {
        add_pages(pages, &format!("{command} {child}"), help);
    }
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

/// The section of docs/cli.md with the help of a command.
fn section(command: &str, help: &str) -> String {
    let heading = match command.split_whitespace().count() {
        0 => "This is the help of the program with all features, and of each command.".to_owned(),
        1 => format!("## `machins {command}`"),
        _ => format!("### `machins {command}`"),
    };
    assert!(!help.contains("```"), "{command}: {help}");
    format!("\n{heading}\n\n```text\n{}\n```\n", help.trim_end())
}

#[cfg(feature = "full")]
#[test]
fn the_page_of_commands_shows_the_help_of_each() {
    let mut page = "# The commands of `machins`\n\n\
        <!-- Generated: SNAPSHOTS=overwrite cargo test -p machins-cli --features full --test cli -->\n"
        .to_owned();
    page.extend(pages().iter().map(|(command, help)| section(command, help)));
    snapbox::assert_data_eq!(page, snapbox::file!["../../../docs/cli.md"].raw());
}

/// The page is that of a build with all features.
#[cfg(not(feature = "full"))]
#[test]
fn the_page_of_commands_shows_the_help_of_each() {
    let page = include_str!("../../../docs/cli.md");
    for (command, help) in pages().iter().filter(|(command, _)| !command.is_empty()) {
        let section = section(command, help);
        assert!(
            page.contains(&section),
            "not in docs/cli.md, which `--features full` writes: {section}"
        );
    }
}

#[rstest]
#[case::before(&["--json", "config", "explain"])]
#[case::between(&["config", "--json", "explain"])]
#[case::after(&["config", "explain", "--json"])]
fn global_flags_may_stand_anywhere(#[case] arguments: &[&str]) {
    Home::new().run(arguments).exits(0).document();
}

#[test]
fn the_inner_of_two_global_flags_wins() {
    let get = ["get", "base_url", "--base-url=https://inner.example"];
    let arguments = [&["--base-url=https://outer.example", "config"], &get[..]].concat();
    assert_eq!(Home::new().run(&arguments).exits(0).stdout, "https://inner.example\n");
}

#[test]
fn a_global_flag_may_stand_within_a_group() {
    Home::new().run(&["inbox", "--quiet", "ack-all"]).exits(4);
}

#[rstest]
#[case::config(&["config", "--get", "base_url", "show"])]
#[case::switch(&["inbox", "--unread", "ack-all"])]
#[case::value(&["inbox", "--limit", "3", "ack-all"])]
fn flags_of_a_group_are_refused_before_its_subcommands(#[case] arguments: &[&str]) {
    Home::new().run(arguments).exits(2);
}

#[test]
fn each_page_has_an_example() {
    for (name, help) in pages() {
        assert!(help.contains("Example") || name.is_empty(), "{name}:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{name}:\n{help}");
        // On a narrow terminal an example that wraps cannot be pasted.
        let examples = help.lines().skip_while(|line| !line.starts_with("Example"));
        let overview = help.lines().skip(1).take_while(|line| !line.starts_with("Options"));
        let mut pasted = examples.chain(overview.filter(|_| name.is_empty()));
        assert!(pasted.all(|line| line.chars().count() <= 80), "{name}:\n{help}");
    }
}

#[test]
fn each_command_refuses_an_unknown_flag() {
    let home = Home::new();
    for (command, _) in pages() {
        let words: Vec<&str> = command.split_whitespace().chain(["--no-such-flag"]).collect();
        let error = home.run(&[&["--json"], &words[..]].concat()).exits(2).error();
        assert_eq!(error["kind"], "usage", "{command}");
    }
}

#[test]
fn on_a_new_machine_five_lines_say_what_to_do() {
    let home = Home::new();
    let alone = home.run(&[]).exits(0);
    assert_eq!(alone.stdout.lines().count(), 5, "{alone:?}");
    assert!(alone.stdout.lines().all(|line| line.len() <= 80), "{alone:?}");
}

#[test]
fn with_a_key_and_no_arguments_it_prints_the_overview() {
    let home = Home::new();
    let mut machins = home.machins(&[]);
    let alone = Ran::from(machins.env("MACHINEID_ORG_KEY", "org_any").output().unwrap()).exits(0);
    assert!(alone.stdout.contains("Devices:"), "{alone:?}");
    let error = home.run(&["--json"]).exits(2).error();
    assert_eq!(error["kind"], "usage");
}

#[rstest]
#[case::unknown_command(&["vlaidate"])]
#[case::two_devices(&["validate", "a", "b"])]
#[case::no_device(&["revoke"])]
#[case::device_and_all(&["revoke", "a", "--all"])]
#[case::timeout_0(&["devices", "--timeout", "0"])]
#[case::timeout_as_word(&["devices", "--timeout", "soon"])]
#[case::unknown_colour(&["devices", "--color", "blue"])]
#[case::negative_interval(&["guard", "--every", "-1", "--", "true"])]
#[case::grace_is_no_number(&["guard", "--outage-grace", "nan", "--", "true"])]
#[case::no_command(&["guard", "--device", "a"])]
#[case::invalid_address(&["mock", "serve", "--addr", "here"])]
#[case::unknown_method(&["api", "FETCH", "/api/v1/usage"])]
#[case::unknown_shell(&["completions", "csh"])]
#[case::no_name(&["join"])]
#[case::no_price(&["sell", "--title", "Any"])]
#[case::price_as_word(&["sell", "--title", "Any", "--price", "cheap"])]
#[case::no_change(&["edit", "3f2a9c10"])]
#[case::limit_0(&["browse", "--limit", "0"])]
#[case::limit_201(&["browse", "--limit", "201"])]
#[case::negative_offset(&["trades", "--offset", "-1"])]
#[case::rating_6(&["review", "3f2a9c10", "--rating", "6"])]
#[case::no_rating(&["review", "3f2a9c10"])]
#[case::flag_of_the_group(&["inbox", "--unread", "ack-all"])]
#[case::no_signature(&["webhook", "verify"])]
#[case::set_and_get(&["config", "--set", "a=b", "--get", "a"])]
fn wrong_usage_exits_2(#[case] arguments: &[&str]) {
    let home = Home::new();
    let human = home.run(arguments).exits(2);
    assert!(human.stdout.is_empty() && human.stderr.starts_with("error: "), "{human:?}");
    // After `--` the flag is the command's.
    if !arguments.contains(&"--") {
        let json = home.run(&[arguments, &["--json"]].concat());
        assert_eq!(json.exits(2).error()["status"], Value::Null);
    }
    let json = home.run(&[&["--json"], arguments].concat()).exits(2);
    assert_eq!(json.error()["kind"], "usage");
    assert!(json.stdout.is_empty());
}

#[rstest]
#[case::market_gaps(&["market-gaps"], "machins api GET /public/market-gaps")]
#[case::pipeline(&["pipeline", "list"], "machins api GET /pipelines")]
#[case::fulfill(&["fulfill", "ocr", "--budget", "5"], "machins api POST /fulfill --body")]
fn commands_of_the_python_package_are_suggested_as_calls(
    #[case] command: &[&str],
    #[case] call: &str,
) {
    let ran = Home::new().run(command).exits(2);
    assert!(ran.stderr.contains(call), "{ran:?}");
}

#[test]
fn a_command_of_the_python_package_is_wrong_usage() {
    let error = Home::new().run(&["trending", "--json"]).exits(2).error();
    assert_eq!(error["kind"], "usage");
}

#[test]
fn a_usage_error_is_one_line_in_json() {
    let error = Home::new().run(&["--json", "register", "a", "b"]).exits(2).error();
    assert_eq!(error["message"], "unexpected argument 'b' found");
    let error = Home::new().run(&["--json", "checkout"]).exits(2).error();
    assert_eq!(error["message"], "the following required arguments were not provided: <PLAN>");
    let error = Home::new().run(&["--json", "validat"]).exits(2).error();
    assert!(error["message"].to_string().contains("similar subcommand exists: 'validate'"));
}

#[rstest]
fn each_shell_has_a_script(#[values("bash", "zsh", "fish", "powershell", "elvish")] shell: &str) {
    let script = Home::new().run(&["completions", shell]).exits(0).stdout;
    assert!(script.contains("MACHINS_COMPLETE") && script.contains(shell), "{script}");
}

#[test]
fn completions_know_every_command_and_flag() {
    let home = Home::new();
    for (command, help) in pages() {
        let complete = |word: &str| {
            let mut machins = home.machins(&["--", "machins"]);
            machins.args(command.split_whitespace()).arg(word).env("MACHINS_COMPLETE", "fish");
            Ran::from(machins.output().unwrap()).exits(0).stdout
        };
        let flags = complete("--");
        // What is indented further is the explanation of a flag.
        let options = help.lines().skip_while(|line| !line.contains("ptions"));
        let lines = options.filter(|line| line.len() - line.trim_start().len() <= 6);
        let own = lines.filter_map(|line| {
            line.split_whitespace()
                .take(2)
                .find(|word| word.starts_with("--"))
                .map(|word| word.trim_end_matches('.'))
        });
        for flag in own.filter(|flag| flag.len() > 2) {
            assert!(flags.contains(flag), "{command}: {flag}: {flags}");
        }
        if let Some((parent, name)) = command.rsplit_once(' ').or(Some(("", command))) {
            let mut machins = home.machins(&["--", "machins"]);
            machins.args(parent.split_whitespace()).arg(name).env("MACHINS_COMPLETE", "fish");
            let names = Ran::from(machins.output().unwrap()).exits(0).stdout;
            assert!(names.contains(name), "{command}: {names}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let home = Home::new();
    assert!(home.run(&["man"]).exits(0).stdout.contains(".TH machins 1"));
    home.run(&["man", "--dir", "pages"]).exits(0);
    for (name, _) in pages() {
        let file = format!("machins-{name}.1").replace("-.", ".").replace(' ', "-");
        assert!(home.path().join("pages").join(&file).is_file(), "{file}");
    }
}

#[rstest]
#[case::man(&["man"])]
#[case::help(&["--help"])]
#[case::completions(&["completions", "bash"])]
#[case::overview(&[])]
fn a_closed_pipe_is_no_error(#[case] arguments: &[&str]) {
    let home = Home::new();
    let mut child =
        home.machins(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[rstest]
#[case::environment("environment", &["MACHINS_PROFILE", "MACHINEID_ORG_KEY", "MACHINS_API_KEY"])]
#[case::exit_codes("exit-codes", &["0", "1", "2", "3", "4", "n"])]
#[case::config("config", &["machineid.decision_log_required", "default_profile", "config.json"])]
fn a_help_topic_names_all_there_is(#[case] topic: &str, #[case] words: &[&str]) {
    let text = Home::new().run(&["help", topic]).exits(0).stdout;
    for word in words {
        assert!(text.split_whitespace().any(|part| part.contains(word)), "{word}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_help_of_config_set_names_all_settings() {
    let home = Home::new();
    let help = home.run(&["config", "set", "--help"]).exits(0).stdout;
    let explained = home.run(&["config", "explain", "--json"]).exits(0).document();
    for setting in explained["settings"].as_array().unwrap() {
        assert!(help.contains(setting["key"].as_str().unwrap()), "{setting}: {help}");
    }
}

#[test]
fn a_manual_page_has_the_usual_sections() {
    let home = Home::new();
    let page = home.run(&["man", "guard"]).exits(0).stdout;
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        page.starts_with(&format!(".TH machins-guard 1 \"\" \"machins {version}\" \"\"\n")),
        "{page}"
    );
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    assert_eq!(
        headings,
        [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"GLOBAL OPTIONS\"",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "\"SEE ALSO\"",
        ]
    );
    assert!(page.contains("machins guard [OPTIONS] \\-\\- <COMMAND>...\n"), "{page}");
    let of_the_program = home.run(&["man"]).exits(0).stdout;
    for heading in ["SUBCOMMANDS", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
        assert!(of_the_program.contains(&format!("\n.SH {heading}\n")), "{heading}");
    }
    let typo = home.run(&["man", "inbx"]).exits(2);
    assert!(typo.stderr.contains("inbox"), "{typo:?}");
}

#[rstest]
#[case::profile("--profile nobody help environment")]
#[case::color("help exit-codes --color never")]
#[case::quiet("-q help config -v")]
fn a_topic_takes_the_flags_of_every_command(#[case] line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let topic = words[words.iter().position(|word| *word == "help").unwrap() + 1];
    let home = Home::new();
    let shown = home.run(&words).exits(0);
    assert_eq!(shown.stdout, home.run(&["help", topic]).exits(0).stdout);
}

#[rstest]
#[case::before("--json help environment")]
#[case::after("help environment --json")]
fn a_topic_as_json_is_a_document(#[case] line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let document = Home::new().run(&words).exits(0).document();
    assert!(document.as_str().unwrap().contains("MACHINS_API_KEY"), "{document}");
}

#[test]
fn what_is_no_topic_is_refused() {
    let home = Home::new();
    home.run(&["help", "nothing"]).exits(2);
    home.run(&["environment"]).exits(2);
    home.run(&["help", "environment", "more"]).exits(2);
    home.run(&["help", "environment", "--no-such-flag"]).exits(2);
    assert!(
        home.run(&["help", "inbox", "ack"]).exits(0).stdout.contains("Usage: machins inbox ack")
    );
}

#[rstest]
fn a_topic_fits_into_80_columns(#[values("environment", "exit-codes", "config")] topic: &str) {
    let text = Home::new().run(&["help", topic]).exits(0).stdout;
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn without_profiles_the_next_step_is_shown() {
    let none = Home::new().run(&["profile", "list"]).exits(0).stderr;
    assert!(none.contains(": machins join --help\n"), "{none}");
    assert!(none.lines().all(|line| line.chars().count() <= 80), "{none}");
}
