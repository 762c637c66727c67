//! The exit code of every command when something is wrong.

use std::fmt::Write;

use serde_json::json;
use snapbox::{assert_data_eq, file};

use crate::examples::{World, examples, run};
use crate::run::Home;
use crate::stub::{self, Reply};
use crate::tree::pages;

#[test]
fn each_command_exits_as_it_is_written_down() {
    let world = World::new();
    let mock = world.shop.server.url();
    let refusing = stub::serve(|_| Reply::json(403, &json!({"detail": "no"})));
    let mut text = format!("{:<20}  refused  no keys  unreadable config\n", "command");
    for example in examples().iter().filter(|example| example.is_first) {
        let script = world.script(example, usize::MAX);
        let keyless = || {
            let home = world.home(&mock).with("MACHINEID_ORG_KEY", "");
            home.write_config("{}");
            home.with("MACHINS_WEBHOOK_SECRET", "")
        };
        // A folder is no file that could be half written.
        let unreadable = || world.home(&mock).with("MACHINS_CONFIG", "/");
        let code = |home: &Home| {
            let ran = run(home, example, &script, "--json");
            assert!(ran.code == Some(0) || !ran.stderr.is_empty(), "{}: {ran:?}", example.line);
            ran.code.unwrap()
        };
        let codes = (code(&world.home(&refusing)), code(&keyless()), code(&unreadable()));
        let _ =
            writeln!(text, "{:<20}  {:<7}  {:<7}  {}", example.command, codes.0, codes.1, codes.2);
    }
    assert_data_eq!(text, file!["exits.txt"].raw());
}

#[test]
fn each_command_refuses_a_flag_that_it_does_not_have() {
    let home = Home::new();
    for (command, _) in pages(&home) {
        let words: Vec<&str> = command.split_whitespace().chain(["--no-such-flag"]).collect();
        let error = home.run(&[&["--json"], &words[..]].concat()).exits(2).error();
        assert_eq!(error["kind"], "usage", "{command}");
    }
}
