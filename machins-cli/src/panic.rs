//! Panics: a short report instead of a backtrace, and never an exit code that means "allowed".

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Exit;
use crate::output::to_stderr;

static GATING: AtomicBool = AtomicBool::new(false);

/// From now on a panic exits with the code of a denial.
pub(crate) fn deny_on_panic() {
    GATING.store(true, Ordering::Relaxed);
}

/// Runs the program, and turns a panic into a report and an exit code.
pub(crate) fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(report));
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let exit = if GATING.load(Ordering::Relaxed) { Exit::Denied } else { Exit::Refused };
        exit.into()
    })
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
        let code = |gate: bool| {
            let code = guarded(|| {
                if gate {
                    deny_on_panic();
                }
                std::hint::black_box(None::<ExitCode>).unwrap()
            });
            format!("{code:?}")
        };
        let expected = |exit: Exit| format!("{:?}", ExitCode::from(exit));
        assert_eq!(code(false), expected(Exit::Refused));
        assert_eq!(code(true), expected(Exit::Denied));
        let _ = panic::take_hook();
    }
}
