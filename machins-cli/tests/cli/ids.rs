//! Ids and slugs that try to be another path are refused before anything is sent, by every
//! command that takes one.

use crate::examples::{World, examples, run};
use crate::help::pages;
use crate::home::full_size;

/// Arguments cannot hold NUL; the config file can.
const OTHER_PATHS: [&str; 16] = [
    "", " ", ".", "..", "../x", "a/../b", "/", "a/b", "%2f", "..%2f..", "%2e%2e", "a?b=c", "a#b",
    "a\\b", "a\nb", "ⅰⅾ",
];

/// A device's id goes into the body, and may hold dots and slashes.
const NO_DEVICES: [&str; 9] = ["", " ", "%2f", "a?b=c", "a#b", "a\\b", "a\nb", "ⅰⅾ", "a\u{202e}b"];

#[test]
fn ids_that_would_change_the_path_are_refused() {
    let world = World::new();
    let url = world.shop.server.url();
    let mut commands = Vec::new();
    for example in examples() {
        // These take any text there is.
        let takes_any = ["api", "config", "config set"].contains(&&*example.command);
        // The control commands of the mock server are for tests.
        if takes_any || example.command.starts_with("mock ") {
            continue;
        }
        let line = &example.line;
        let named = world.ids.iter().map(|(named, _)| *named).find(|named| line.contains(named));
        let (named, hostile) = match named {
            Some(named) => (named, &OTHER_PATHS[..]),
            None if example.command == "agent" => ("ada", &OTHER_PATHS[..]),
            // The last part of a claim's URL is its token, so a path before it is none of ours.
            None if example.command == "claim" => ("\"$CLAIM_URL\"", &OTHER_PATHS[8..]),
            None if line.contains("agent-01") => ("agent-01", &NO_DEVICES[..]),
            None => continue,
        };
        let script = line.replacen(named, "\"$ID\"", 1);
        // Scaled down, each command meets some of them, and each of them some commands.
        let step = if full_size() { 1 } else { 4 };
        for id in hostile.iter().skip(commands.len() % step).step_by(step) {
            let home = world.home(&url).with("ID", id);
            world.shop.server.clear_requests();
            let ran = run(&home, &example, &script, "--json");
            assert_eq!(ran.code, Some(2), "{line} with {id:?}: {ran:?}");
            assert_eq!(ran.error()["status"], serde_json::Value::Null, "{line} with {id:?}");
            assert!(world.shop.server.requests().is_empty(), "{line} with {id:?}");
        }
        commands.push(example.command);
    }
    let is_id = |usage: &str| {
        ["ID>", "ID]", "<LISTING>", "<SLUG>", "TOKEN"].iter().any(|name| usage.contains(name))
    };
    for (command, help) in pages() {
        let usage = help.lines().find(|line| line.starts_with("Usage:")).unwrap_or_default();
        // Dead letters have numbers, and are no part of the service.
        let is_checked = commands.contains(command)
            || ["mock ", "relay "].iter().any(|group| command.starts_with(group));
        assert!(!is_id(usage) || is_checked, "{command} takes an id: {usage}");
    }
}

#[test]
fn a_device_in_the_config_file_is_checked_too() {
    let world = World::new();
    let home = world.home(&world.shop.server.url());
    for id in ["a\\u0000b", "a?b", " "] {
        home.write_config(&format!(r#"{{"machineid": {{"device_id": "{id}"}}}}"#));
        world.shop.server.clear_requests();
        for command in [&["register"][..], &["validate"], &["remove"], &["guard", "--", "true"]] {
            home.run(command).exits(2);
        }
        assert!(world.shop.server.requests().is_empty(), "{id}");
    }
}
