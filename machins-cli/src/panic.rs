//! Panics: a short report instead of a backtrace, and never an exit code that means "allowed".

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::background;
use crate::error::{Exit, ExitCode};
use crate::output::to_stderr;

/// The exit code after a panic.
static EXIT: AtomicI32 = AtomicI32::new(Exit::Refused as i32);

/// From now on a panic exits with the code of a denial.
pub(crate) fn deny_on_panic() {
    EXIT.store(Exit::Denied as i32, Ordering::Relaxed);
}

/// From now on a panic exits with the code that blocks a tool call in every agent runtime.
pub(crate) fn block_on_panic() {
    EXIT.store(Exit::Usage as i32, Ordering::Relaxed);
}

/// From now on a panic in any thread ends this process, with a report and an exit code. Nothing goes on
/// without the thread that has failed, and the program that users get cannot unwind.
pub(crate) fn exit_on_panic() {
    panic::set_hook(Box::new(|info| {
        report(info);
        background::flush();
        ExitCode::from(EXIT.load(Ordering::Relaxed)).exit();
    }));
}

/// Reports the place of the panic, and not its message, which may hold a key.
fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| format!(" at {at}"));
    let tracker = match env!("CARGO_PKG_REPOSITORY") {
        "" => "the project's issue tracker".to_owned(),
        repository => format!("{repository}/issues"),
    };
    to_stderr(&format!(
        "machins {} has stopped because of a bug{place}.\n\
         Please report this line, and the command you ran without its secrets, to {tracker}.\n",
        env!("CARGO_PKG_VERSION"),
    ));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};
    use std::thread;

    use super::*;

    /// What a gate does before anything can go wrong.
    const GATES: [(&str, fn(), Exit); 3] = [
        ("none", || {}, Exit::Refused),
        ("denies", deny_on_panic, Exit::Denied),
        ("blocks", block_on_panic, Exit::Usage),
    ];

    /// Runs a thread that panics in a process of its own: the hook belongs to the whole process.
    fn panic_behind(gate: &str) -> Output {
        const TEST: &str = "panic::tests::a_thread_panics";
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(CHILD, gate)
            .output()
            .unwrap()
    }

    const CHILD: &str = "MACHINS_TEST_OF_A_BUG";

    #[test]
    fn a_thread_panics() {
        let Some(asked) = std::env::var_os(CHILD) else { return };
        exit_on_panic();
        let (_, gate, _) = GATES.into_iter().find(|(name, ..)| asked == *name).unwrap();
        gate();
        let _ = thread::spawn(|| panic!("handling org_0123456789abcdef")).join();
    }

    #[test]
    fn a_bug_is_reported_by_its_place_alone() {
        let report = String::from_utf8(panic_behind("none").stderr).unwrap();
        assert_eq!(report.lines().count(), 2, "{report}");
        assert!(report.contains("a bug at machins-cli/src/panic.rs:"), "{report}");
        assert!(report.contains("Please report this line"), "{report}");
        assert!(report.contains("issue"), "where to: {report}");
        assert!(!report.contains("0123456789") && !report.contains("backtrace"), "{report}");
    }

    #[test]
    fn a_bug_in_any_thread_never_allows() {
        for (name, _, exit) in GATES {
            assert_eq!(panic_behind(name).status.code(), Some(exit as i32), "{name}");
        }
    }
}
