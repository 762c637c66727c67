//! The blocks of the READMEs, run as they are written, in order.

use std::path::Path;
use std::{env, fs};

use crate::home::{Home, Ran};

/// Not run here: `cargo test --workspace`, which this is part of, and `cargo install`. What
/// `cargo run -- demo` does is done by the program that is tested. `cargo xtask dist --check` builds and
/// installs the packages.
const STAND_INS: &str = r#"cargo() { case "$*" in "run -- demo") machins demo;; *) : ;; esac; }
pip() { :; }; npm() { :; }; sudo() { :; }"#;

fn blocks(readme: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(readme);
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

/// Runs a script in the shell that the READMEs name for trying things.
fn run(script: &str) -> Ran {
    let folder = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), env::var("PATH").unwrap());
    let home = Home::new().with("PATH", &path);
    let script = format!("set -eo pipefail\n{STAND_INS}\n{script}");
    home.run(&["mock", "exec", "--", "bash", "-c", &script]).exits(0)
}

#[test]
fn the_blocks_of_the_readme_run_as_written() {
    let blocks = blocks("../README.md");
    assert!(blocks.len() >= 2);
    let shown = run(&blocks.concat()).stdout;
    for text in ["allowed  agent-01", "go\n", "working\n"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn the_blocks_of_the_command_lines_readme_run_as_written() {
    let script =
        format!("{}\nmachins --profile bob trade \"$trade\" --json", blocks("README.md").concat());
    let shown = run(&script).stdout;
    assert!(shown.contains("\"status\":\"completed\""), "{shown}");
    // 45.50 less the fee of 5 %, on top of the 500 to start with.
    assert!(shown.contains("543.22 CR") || shown.contains("543.23 CR"), "{shown}");
}
