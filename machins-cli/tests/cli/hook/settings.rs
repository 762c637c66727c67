//! `machins hook install` and `remove`: the settings files, and nothing else in them.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::Value;

use super::RUNTIMES;
use crate::home::{Home, copy_program};

/// Where the settings of a runtime are, in a home or a project.
fn file(runtime: &str) -> &'static str {
    match runtime {
        "claude" => ".claude/settings.json",
        "codex" => ".codex/hooks.json",
        "gemini" => ".gemini/settings.json",
        _ => ".cursor/hooks.json",
    }
}

/// The event before each tool call, as the settings name it.
fn first_event(runtime: &str) -> &'static str {
    match runtime {
        "gemini" => "BeforeTool",
        "cursor" => "preToolUse",
        _ => "PreToolUse",
    }
}

fn written(home: &Home, runtime: &str, text: &str) -> PathBuf {
    let path = home.path().join(file(runtime));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn install(home: &Home, runtime: &str) {
    home.run(&["hook", "install", runtime, "--device", "agent-01", "--yes"]).exits(0);
}

fn remove(home: &Home, runtime: &str) {
    home.run(&["hook", "remove", runtime, "--yes"]).exits(0);
}

/// The files below a folder, with their content.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.clone(), String::new()));
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// The handler in the settings.
fn handler(document: &Value, runtime: &str) -> Value {
    let entry = &document["hooks"][first_event(runtime)][0];
    if runtime == "cursor" { entry.clone() } else { entry["hooks"][0].clone() }
}

#[rstest]
fn a_new_file_holds_the_wrapped_command(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
) {
    let home = Home::new();
    let ran = home.run(&["hook", "install", runtime, "--device", "agent-01", "--yes"]).exits(0);
    assert!(ran.stderr.contains("+++ ") && ran.stderr.contains("hook run"), "{ran:?}");
    let text = fs::read_to_string(home.path().join(file(runtime))).unwrap();
    let handler = handler(&serde_json::from_str(&text).unwrap(), runtime);
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_machins")).unwrap();
    assert_eq!(
        handler["command"],
        format!(
            "{} hook run {runtime} --device agent-01 || {{ echo denied >&2; exit 2; }}",
            program.display()
        )
    );
    let timeout = if runtime == "gemini" { 30_000 } else { 30 };
    assert_eq!(handler["timeout"], timeout);
    match runtime {
        "claude" => assert_eq!(handler["onFailure"], "block"),
        "cursor" => assert_eq!(handler["failClosed"], true),
        _ => {}
    }
    remove(&home, runtime);
    assert_eq!(files(home.path()), []);
}

#[rstest]
#[case::plain("{\n  \"model\": \"x\",\n  \"z\": [1, 2.50],\n  \"a\": {}\n}\n")]
#[case::one_line("{\"model\":\"x\",\"permissions\":{\"deny\":[\"Bash(rm *)\"]}}")]
#[case::tabs("{\n\t\"model\": \"x\"\n}")]
#[case::windows("{\r\n  \"model\": \"x\"\r\n}\r\n")]
#[case::comments("// mine\n{\n  // why\n  \"model\": \"x\", /* and */\n}\n")]
#[case::other_hooks(
    "{\"hooks\": {\"EVENT\": [{\"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]}],\n \"Stop\": []}}"
)]
#[case::empty_object("{}")]
#[case::empty_hooks("{\"hooks\": {}, \"version\": 1}\n")]
#[case::empty_list("{\"hooks\": {\"EVENT\": []}}\n")]
#[case::empty("")]
#[case::blank("\n")]
fn all_else_stays_and_removing_undoes_exactly(#[case] text: &str) {
    for runtime in RUNTIMES {
        let text = text.replace("EVENT", first_event(runtime));
        let home = Home::new();
        let path = written(&home, runtime, &text);
        let before = files(home.path());
        install(&home, runtime);
        let with = fs::read_to_string(&path).unwrap();
        assert!(with.contains(&format!("hook run {runtime}")), "{with}");
        // What was there is there, in its order; the hook stands in between.
        let mut rest = with.chars();
        let missing = text.chars().find(|c| !c.is_whitespace() && !rest.any(|other| other == *c));
        assert_eq!(missing, None, "{runtime}: {with}");
        // Once is enough.
        let again = home
            .run(&["hook", "install", runtime, "--device", "agent-01", "--json"])
            .exits(0)
            .document();
        assert_eq!(again["changed"], false);
        assert_eq!(fs::read_to_string(&path).unwrap(), with);
        // Another device, and back.
        home.run(&["hook", "install", runtime, "--device", "agent-02", "--yes"]).exits(0);
        let moved = fs::read_to_string(&path).unwrap();
        assert!(moved.contains("agent-02") && !moved.contains("agent-01"), "{moved}");
        remove(&home, runtime);
        assert_eq!(files(home.path()), before, "{runtime}");
    }
}

#[rstest]
fn what_was_added_since_survives_removing(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
) {
    let home = Home::new();
    let path = written(&home, runtime, "{\n  \"model\": \"x\" // mine\n}\n");
    install(&home, runtime);
    let with = fs::read_to_string(&path).unwrap();
    let later = with.replacen("{\n", "{\n  \"later\": true, // this too\n", 1);
    fs::write(&path, later).unwrap();
    remove(&home, runtime);
    let text = fs::read_to_string(&path).unwrap();
    for part in ["\"later\": true, // this too", "\"model\": \"x\"", "// mine"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("machins") && !text.contains("hook run"), "{text}");
    remove(&home, runtime);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn hooks_of_others_in_the_same_entry_survive() {
    let home = Home::new();
    install(&home, "claude");
    let path = home.path().join(file("claude"));
    let mut document: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mine = serde_json::json!({"type": "command", "command": "mine"});
    document["hooks"]["PreToolUse"][0]["hooks"].as_array_mut().unwrap().push(mine.clone());
    fs::write(&path, document.to_string()).unwrap();
    remove(&home, "claude");
    let document: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(document["hooks"]["PreToolUse"][0]["hooks"], serde_json::json!([mine]));
}

#[rstest]
#[case::not_json("{\"model\": ", "")]
#[case::list("[]", "not a JSON object")]
#[case::hooks_as_text("{\"hooks\": \"none\"}", "\"hooks\" is not an object")]
#[case::event_as_object("{\"hooks\": {\"PreToolUse\": {}}}", "is not a list")]
#[case::no_commas("{\"a\": 1 \"b\": 2}", "")]
fn a_file_that_is_not_understood_is_left_alone(#[case] text: &str, #[case] says: &str) {
    let home = Home::new();
    written(&home, "claude", text);
    let before = files(home.path());
    let ran = home.run(&["hook", "install", "claude", "--yes"]).exits(4);
    assert!(ran.stderr.contains(says) && ran.stderr.contains("settings.json"), "{ran:?}");
    assert_eq!(files(home.path()), before);
}

#[test]
fn the_diff_shows_no_secrets_of_other_settings() {
    let home = Home::new();
    let text = r#"{
  "env": {
    "SERVICE": "hidden-1"
  },
  "apiKeyHelper": "hidden-2",
  "list": [{"authorization": "hidden-3"}],
  "model": "shown", "x-token": "hidden-4"
}"#;
    let path = written(&home, "claude", text);
    let ran = home.run(&["hook", "install", "claude", "--yes"]).exits(0);
    assert!(ran.stderr.contains("shown") && !ran.stderr.contains("hidden"), "{ran:?}");
    let with = fs::read_to_string(path).unwrap();
    assert_eq!(with.matches("hidden-").count(), 4, "{with}");
}

#[test]
fn without_a_terminal_it_asks_for_yes() {
    for command in ["install", "remove"] {
        let home = Home::new();
        if command == "remove" {
            install(&home, "codex");
        }
        let before = files(home.path());
        let ran = home.run(&["hook", command, "codex"]).exits(2);
        assert!(ran.stderr.contains("--yes") && ran.stderr.contains("hook run"), "{ran:?}");
        assert_eq!(files(home.path()), before);
    }
}

#[test]
fn a_backup_is_made_and_named() {
    let home = Home::new();
    let path = written(&home, "gemini", "{\"model\": {}}");
    let done = home.run(&["hook", "install", "gemini", "--yes", "--json"]).exits(0).document();
    let backup = done["backup"].as_str().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), "{\"model\": {}}");
    assert_eq!(done["path"], path.display().to_string());
}

#[test]
fn the_project_has_settings_of_its_own() {
    let home = Home::new();
    let project = home.path().join("project");
    fs::create_dir(&project).unwrap();
    for runtime in RUNTIMES {
        let flags = ["hook", "install", runtime, "--scope", "project", "--yes"];
        let ran = home.machins(&flags).current_dir(&project).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(project.join(file(runtime)).is_file());
        assert!(!home.path().join(file(runtime)).exists());
    }
}

#[rstest]
#[case::claude("claude", "CLAUDE_CONFIG_DIR", "settings.json")]
#[case::codex("codex", "CODEX_HOME", "hooks.json")]
#[case::gemini("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json")]
fn a_runtimes_own_variable_moves_its_settings(
    #[case] runtime: &str,
    #[case] variable: &str,
    #[case] file: &str,
) {
    let home = Home::new();
    let folder = home.path().join("elsewhere");
    let home = home.with(variable, folder.to_str().unwrap());
    install(&home, runtime);
    assert!(folder.join(file).is_file());
}

#[test]
fn flags_are_carried_over_and_quoted() {
    let home = Home::new();
    home.run(&["--profile", "it's", "config", "set", "agent_slug", "zoe"]).exits(0);
    let flags = ["--profile", "it's", "--timeout", "2.5", "--yes"];
    home.run(&[&["hook", "install", "claude"], &flags[..]].concat()).exits(0);
    let text = fs::read_to_string(home.path().join(file("claude"))).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let command = handler(&document, "claude")["command"].as_str().unwrap().to_owned();
    assert!(command.contains(r#"--profile "it's" --timeout 2.5 || {"#), "{command}");
    home.run(&["hook", "install", "claude", "--device", "a b", "--yes"]).exits(2);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_are_kept() {
    use crate::home::{mode, set_mode};
    for given in [0o600, 0o640, 0o644] {
        let home = Home::new();
        let path = written(&home, "claude", "{}");
        set_mode(&path, given);
        let dotfiles = home.path().join("dotfiles.json");
        fs::rename(&path, &dotfiles).unwrap();
        std::os::unix::fs::symlink(&dotfiles, &path).unwrap();
        install(&home, "claude");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(mode(&dotfiles), given);
        let backup = home.path().join("dotfiles.json.before-machins");
        assert_eq!(mode(&backup), given);
        remove(&home, "claude");
        assert_eq!((mode(&dotfiles), fs::read_to_string(&path).unwrap()), (given, "{}".into()));
    }
    let home = Home::new();
    install(&home, "codex");
    assert_eq!(mode(&home.path().join(file("codex"))), 0o600);
}

#[cfg(unix)]
#[test]
fn a_program_in_a_folder_with_spaces_is_quoted() {
    let home = Home::new();
    let folder = home.path().join("it's \"here\" $HOME");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("machins");
    copy_program(env!("CARGO_BIN_EXE_machins"), &program);
    home.run_program(program.to_str().unwrap(), &["hook", "install", "claude", "--yes"], "")
        .exits(0);
    let text = fs::read_to_string(home.path().join(file("claude"))).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let command = handler(&document, "claude")["command"].as_str().unwrap().to_owned();
    let ran = home.run_program("sh", &["-c", &command], super::event("claude")).exits(2);
    assert!(ran.stderr.contains("no device given") && ran.stderr.ends_with("denied\n"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_killed_hook_blocks_by_its_wrapper() {
    let home = Home::new();
    install(&home, "claude");
    let text = fs::read_to_string(home.path().join(file("claude"))).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let command = handler(&document, "claude")["command"].as_str().unwrap().to_owned();
    let program = command.split(" hook run").next().unwrap().to_owned();
    for broken in ["sh -c 'kill -KILL $$'", "/no/such/program", "false", "sh -c 'exit 3'"] {
        let ran = home.run_program("sh", &["-c", &command.replace(&program, broken)], "");
        let ran = ran.exits(2);
        assert!(ran.stderr.contains("denied"), "{broken}: {ran:?}");
    }
}

#[test]
fn a_missing_runtime_is_not_proven() {
    let home = Home::new().with("PATH", "");
    for runtime in RUNTIMES {
        let ran = home.run(&["hook", "verify", runtime]).exits(1);
        assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
        assert!(ran.stdout.contains("not proven"), "{ran:?}");
        let ran = home.run(&["hook", "verify", runtime, "--json"]).exits(1);
        assert_eq!(ran.document()["runtimes"][0]["outcome"], "not_proven");
    }
    assert_eq!(home.run(&["hook", "verify"]).exits(1).stdout.lines().count(), RUNTIMES.len());
}

#[rstest]
fn the_command_reaches_the_service_that_was_named(
    #[values("claude", "codex", "gemini", "cursor")] runtime: &str,
) {
    let home = Home::new();
    let flags = ["--machineid-url", "http://10.1.2.3:80", "--allow-insecure-http", "--yes"];
    home.run(&[&["hook", "install", runtime], &flags[..]].concat()).exits(0);
    let text = fs::read_to_string(home.path().join(file(runtime))).unwrap();
    let command = handler(&serde_json::from_str(&text).unwrap(), runtime)["command"].to_string();
    let given = " --machineid-url http://10.1.2.3:80 --allow-insecure-http || ";
    assert!(command.contains(given), "{command}");
    // Beside the variable, so that it holds where the runtime's environment lacks that.
    let home = Home::new().with("MACHINEID_ALLOW_INSECURE_HTTP", "1");
    home.run(&["hook", "install", runtime, "--yes"]).exits(0);
    let text = fs::read_to_string(home.path().join(file(runtime))).unwrap();
    assert!(text.contains(" --allow-insecure-http || "), "{text}");
}

#[rstest]
#[case::no_such_profile(&["--profile", "eve"], 4)]
#[case::no_url(&["--machineid-url", "nowhere"], 2)]
#[case::plain_http(&["--machineid-url", "http://10.1.2.3"], 2)]
fn a_hook_that_could_never_ask_is_not_installed(#[case] flags: &[&str], #[case] code: i32) {
    let home = Home::new();
    home.run(&[&["hook", "install", "claude", "--yes"], flags].concat()).exits(code);
    assert_eq!(files(home.path()), []);
}
