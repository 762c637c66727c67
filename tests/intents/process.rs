//! A process that proposes a trade once: this test program again, with one test that does it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use machins_client::{FileIntentStore, Proposal};

use crate::{Market, RESEND_AFTER, builder};

/// The variable with which the test below does something. The others hold what it needs.
const URL: &str = "INTENTS_TEST_URL";
const KEY: &str = "INTENTS_TEST_KEY";
const LISTING: &str = "INTENTS_TEST_LISTING";
const FOLDER: &str = "INTENTS_TEST_FOLDER";
const OUTPUT: &str = "INTENTS_TEST_OUTPUT";

/// The exit status after an error that says what cannot be written.
pub(crate) const UNWRITABLE: i32 = 77;

/// A started process.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    pub(crate) fn start(market: &Market, name: &str) -> Self {
        Self::start_by(Command::new(env::current_exe().unwrap()), market, name)
    }

    /// Starts the process with a shell that first runs this command.
    pub(crate) fn start_after(shell_command: &str, market: &Market, name: &str) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("{shell_command}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(env::current_exe().unwrap());
        Self::start_by(shell, market, name)
    }

    fn start_by(mut command: Command, market: &Market, name: &str) -> Self {
        let output = market.folder.path().join(name);
        let child = command
            .args(["--exact", "process::proposes_once_as_a_process_of_its_own"])
            .env(URL, &market.url)
            .env(KEY, &market.key)
            .env(LISTING, market.listing.as_str())
            .env(FOLDER, market.intents())
            .env(OUTPUT, &output)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, output }
    }

    /// Waits until the process ends. Returns the trade or the kind of the error, or `None` if it was
    /// killed before.
    pub(crate) fn end(mut self) -> Option<Result<String, String>> {
        self.child.wait().unwrap();
        let text = fs::read_to_string(&self.output).ok()?;
        let _ = fs::remove_file(&self.output);
        let (outcome, value) = text.split_once(' ')?;
        Some(if outcome == "trade" { Ok(value.to_owned()) } else { Err(value.to_owned()) })
    }

    /// Waits until the process ends, and returns its exit status.
    pub(crate) fn status(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Kills the process as soon as the condition holds, unless it ends before.
    pub(crate) fn kill_when(mut self, condition: impl Fn() -> bool) {
        while !condition() && self.child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

#[test]
fn proposes_once_as_a_process_of_its_own() {
    let Ok(url) = env::var(URL) else { return };
    let value = |name| env::var(name).unwrap();
    let client = builder(&url, &value(KEY))
        .resend_after(RESEND_AFTER)
        .intent_store(FileIntentStore::new(value(FOLDER)))
        .build_blocking()
        .unwrap();
    let proposal = Proposal::new(&value(LISTING).parse().unwrap()).terms("once");
    let text = match client.propose_trade_once("order-42", &proposal) {
        Ok(trade) => format!("trade {}", trade.id),
        Err(error) => format!("error {error}"),
    };
    // Where nothing can be written, only the exit status is left to report the outcome.
    if fs::write(value(OUTPUT), &text).is_err() {
        std::process::exit(if text.contains("cannot be written") { UNWRITABLE } else { 1 });
    }
}
