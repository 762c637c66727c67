//! Panics: a short report instead of a backtrace, and never an exit code that means "allowed".

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicI32, Ordering};

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

/// Runs the program, and turns a panic into a report and an exit code.
pub(crate) fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(report));
    panic::catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| ExitCode::from(EXIT.load(Ordering::Relaxed)))
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
    use super::*;

    /// The hook belongs to the whole process, so the test runs itself in another one.
    #[test]
    fn a_bug_is_reported_by_its_place_alone() {
        const HERE: &str = "panic::tests::a_bug_is_reported_by_its_place_alone";
        const CHILD: &str = "MACHINS_TEST_OF_A_BUG";
        if std::env::var_os(CHILD).is_some() {
            let _ = guarded(|| panic!("handling org_0123456789abcdef"));
            return;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", HERE, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let report = String::from_utf8(child.stderr).unwrap();
        assert_eq!(report.lines().count(), 2, "{report}");
        assert!(report.contains("a bug at machins-cli/src/panic.rs:"), "{report}");
        assert!(report.contains("Please report this line"), "{report}");
        assert!(report.contains("issue"), "where to: {report}");
        assert!(!report.contains("0123456789") && !report.contains("backtrace"), "{report}");
    }

    #[test]
    fn a_bug_never_allows() {
        let code = |gate: fn()| {
            guarded(|| {
                gate();
                std::hint::black_box(None::<ExitCode>).unwrap()
            })
        };
        assert_eq!(code(|| {}), Exit::Refused.into());
        assert_eq!(code(deny_on_panic), Exit::Denied.into());
        assert_eq!(code(block_on_panic), Exit::Usage.into());
        let _ = panic::take_hook();
    }
}
