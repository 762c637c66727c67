//! The command tree, its help, and what is made from it.

use std::fmt::Write;

use serde_json::Value;
use snapbox::{assert_data_eq, file};

use crate::run::Home;

/// The names of a command's subcommands, from its help.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(Into::into)
        .collect()
}

/// Every command with its long help, the root first.
fn pages(home: &Home) -> Vec<(String, String)> {
    let root = home.run(&["--help"]).exits(0).stdout;
    let names: Vec<String> = root
        .lines()
        .skip_while(|line| *line != "Start:")
        .take_while(|line| !line.starts_with("Options"))
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .map(Into::into)
        .collect();
    let mut pages = vec![(String::new(), root)];
    for name in names {
        let help = home.run(&[&name, "--help"]).exits(0).stdout;
        let inner = subcommands(&help);
        pages.push((name.clone(), help));
        for child in inner {
            let help = home.run(&[&name, &child, "--help"]).exits(0).stdout;
            pages.push((format!("{name} {child}"), help));
        }
    }
    pages
}

#[test]
fn the_whole_tree_is_as_written_down() {
    let home = Home::new();
    let mut text = String::new();
    for (name, help) in pages(&home) {
        let _ = writeln!(text, "━━━ machins {name}\n{help}");
    }
    assert_data_eq!(text, file!["tree.txt"]);
}

#[test]
fn each_page_has_an_example() {
    for (name, help) in pages(&Home::new()) {
        assert!(help.contains("Example") || name.is_empty(), "{name}:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{name}:\n{help}");
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
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.run(&["completions", shell]).exits(0).stdout;
        for word in ["validate", "outage-grace", "org"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    assert!(home.run(&["man"]).exits(0).stdout.contains(".TH machins 1"));
    home.run(&["man", "--dir", "pages"]).exits(0);
    for (name, _) in pages(&home) {
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

/// The ids that the examples name, and what they stand for in a world that has all of it.
#[cfg(unix)]
fn examples_world() -> (crate::shop::Shop, Vec<(&'static str, String)>) {
    use crate::shop::{Shop, id};

    let shop = Shop::new();
    let sell = ["sell", "--title", "Bob's", "--price", "3", "--slug", "bob-sells", "--json"];
    let theirs = id(&shop.bob.run(&sell).exits(0));
    let ours = shop.offer();
    let bought = |deeds: &[&str]| {
        let trade = id(&shop.ada.run(&["buy", &theirs, "--json"]).exits(0));
        for deed in deeds {
            let more: &[&str] = if *deed == "deliver" { &["--result", "1"] } else { &[] };
            shop.bob.run(&[&[*deed, &trade], more].concat()).exits(0);
        }
        trade
    };
    let reviewed = bought(&["accept", "deliver"]);
    shop.ada.run(&["confirm", &reviewed]).exits(0);
    let hook = ["subscribe", "new_agent", "https://agent.example/hook", "--json"];
    let ids = vec![
        ("3f2a9c10", theirs.clone()),
        ("8d41e7b2", ours.clone()),
        ("a1b2c3d4", shop.proposed(&ours)),
        ("b7e69f58", shop.accepted(&ours)),
        ("c05d7e36", bought(&["accept", "deliver"])),
        ("d9f80a7b", bought(&["accept", "deliver"])),
        ("e2c4a6b8", reviewed),
        ("77aa88bb-99cc-4dd0-8ee1-0ff122334455", id(&shop.ada.run(&hook).exits(0))),
    ];
    let claim_url = std::fs::read_to_string(shop.ada.path().join("claim_url")).unwrap();
    let claim = ["claim", &claim_url, "--email", "ada@example.com"];
    shop.ada.run_with_stdin(&claim, "correct horse\n").exits(0);
    shop.ada
        .run_with_stdin(&["owner", "login", "--email", "ada@example.com"], "correct horse\n")
        .exits(0);
    (shop, ids)
}

#[cfg(unix)]
#[test]
fn each_example_works_when_pasted() {
    use std::path::Path;

    use machins_mock::Plan;

    let program = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let (shop, ids) = examples_world();
    let claim_url = std::fs::read_to_string(shop.bob.path().join("claim_url")).unwrap();
    let (market, config) = (shop.server.snapshot(), shop.ada.read_config());
    let mut count = 0;
    for (name, help) in pages(&Home::new()) {
        let examples = help
            .lines()
            .skip_while(|line| !line.starts_with("Example"))
            .skip(1)
            .map(str::trim)
            .filter(|line| !line.is_empty());
        for example in examples {
            // These go on until they are stopped; tests of their own do that.
            if name == "mock serve" || example.contains("--watch") {
                continue;
            }
            shop.server.restore(&market);
            let org = shop.server.create_org(Plan::Free);
            let home = Home::against(&shop.server, &org)
                .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
                .with("MACHINS_WEBHOOK_SECRET", "shared")
                .with("CLAIM_URL", &claim_url)
                .with("PATH", &path);
            home.write_config(&config);
            home.run(&["register", "agent-01"]).exits(0);
            let script = ids.iter().fold(example.to_owned(), |script, (named, id)| {
                script.replace(named, &id[..named.len().max(8)])
            });
            let ran = home.run_program("sh", &["-c", &script], "correct horse\n");
            assert_eq!(ran.code, Some(0), "{example}: {ran:?}");
            count += 1;
        }
    }
    assert!(count > 70, "{count}");
}
