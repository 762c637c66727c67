//! The lines of the README, as pasted.

use std::path::Path;
use std::{env, fs};

use crate::home::Home;

#[test]
fn the_trade_of_the_readme_is_completed() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let mut blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let tour = blocks.find(|block| block.contains("--profile ada join")).unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_machins")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), env::var("PATH").unwrap());
    let script = format!("{tour}\nmachins --profile bob trade \"$trade\" --json");
    let ran = Home::new().with("PATH", &path).run(&["mock", "exec", "--", "sh", "-ec", &script]);
    let shown = ran.exits(0).stdout;
    assert!(shown.contains("\"status\":\"completed\""), "{shown}");
    // 45.50 less the fee of 5 %, on top of the 500 to start with.
    assert!(shown.contains("543.22 CR") || shown.contains("543.23 CR"), "{shown}");
}
