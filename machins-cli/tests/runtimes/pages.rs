//! The pages of docs/agents, followed on a fresh home with the real runtimes.

use machins_mock::{MockServer, Plan};
use rstest::rstest;

use crate::session::{Home, Ran, installed};

/// The commands of the first block of a page, without their comments.
fn commands(page: &str) -> Vec<&str> {
    let block = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let commands = block.lines().map(|line| line.split(" #").next().unwrap().trim());
    commands.filter(|command| !command.is_empty()).collect()
}

/// What a reader who has the org's key makes of a page.
fn follow(page: &str, home: &Home, org_key: &str) {
    for command in commands(page) {
        match command {
            // A program for a terminal, where its user trusts the hook.
            "codex" => home.trust(installed().unwrap()),
            _ if command.starts_with("machins hook install") => {
                home.shell(&format!("{command} --yes"), org_key).is(0);
            }
            _ => drop(home.shell(command, org_key).is(0)),
        }
    }
}

#[rstest]
#[case::claude("claude", include_str!("../../../docs/agents/claude-code.md"))]
#[case::codex("codex", include_str!("../../../docs/agents/codex.md"))]
#[case::gemini("gemini", include_str!("../../../docs/agents/gemini-cli.md"))]
fn a_page_holds_when_followed_on_a_fresh_home(#[case] runtime: &'static str, #[case] page: &str) {
    let Some(packages) = installed() else { return };
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Pro);
    let mut home = Home::new(runtime).with("MACHINEID_BASE_URL", server.machineid_base_url());
    home.path_with(packages);
    // Its last command is `hook verify`, which exits with 0 only if the hook holds.
    assert!(commands(page).last().unwrap().starts_with("machins hook verify"));
    follow(page, &home, org.key());
    assert_eq!(home.prompt(packages), Ran::Tool, "{}", home.output());
    home.machins(&["revoke", "agent-01"]).is(0);
    assert_eq!(home.prompt(packages), Ran::Blocked, "{}", home.output());
    assert!(home.settings().exists());
    home.machins(&["hook", "remove", runtime, "--yes"]).is(0);
    assert_eq!(home.prompt(packages), Ran::Tool, "{}", home.output());
}

/// Cursor asks no model but its own: what it runs is given an event from its documentation.
#[test]
fn the_page_of_cursor_holds_on_recorded_events() {
    let server = MockServer::builder().start().unwrap();
    let org = server.create_org(Plan::Pro);
    let home = Home::new("cursor").with("MACHINEID_BASE_URL", server.machineid_base_url());
    follow(include_str!("../../../docs/agents/cursor.md"), &home, org.key());
    let settings = std::fs::read_to_string(home.settings()).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    for (event, text) in [
        ("preToolUse", include_str!("../events/cursor.json")),
        ("beforeShellExecution", include_str!("../events/cursor-shell.json")),
        ("beforeMCPExecution", include_str!("../events/cursor-mcp.json")),
    ] {
        let hook = settings["hooks"][event][0]["command"].as_str().unwrap();
        assert_eq!(home.shell(hook, text).is(0).stdout.trim(), "{}");
        home.machins(&["revoke", "agent-01"]).is(0);
        assert!(home.shell(hook, text).is(0).stdout.contains(r#""permission":"deny""#), "{event}");
        home.machins(&["unrevoke", "agent-01"]).is(0);
    }
}
