//! A bug in this program: a short report instead of a trace, and never an exit that allows.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Exit;
use crate::output::to_stderr;

static GATING: AtomicBool = AtomicBool::new(false);

/// From here on a bug counts as a denial.
pub(crate) fn deny_on_panic() {
    GATING.store(true, Ordering::Relaxed);
}

/// Runs the program.
pub(crate) fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(report));
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let exit = if GATING.load(Ordering::Relaxed) { Exit::Denied } else { Exit::Refused };
        exit.into()
    })
}

fn report(info: &PanicHookInfo<'_>) {
    to_stderr(&text(info));
}

/// Where it happened, and not what was being handled: that may hold a key.
fn text(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!(" at {at}"));
    let tracker = match env!("CARGO_PKG_REPOSITORY") {
        "" => "the project's issue tracker".to_owned(),
        repository => format!("{repository}/issues"),
    };
    format!(
        "machins {} has a bug{place} and had to stop.\n\
         Please report this line, and the command you ran without its secrets, to {tracker}.\n",
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static REPORTED: Mutex<String> = Mutex::new(String::new());

    #[test]
    fn a_bug_never_allows_and_its_report_holds_no_key() {
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

        // In the same test: the hook is this process's own.
        panic::set_hook(Box::new(|info| REPORTED.lock().unwrap().push_str(&text(info))));
        let handled = std::hint::black_box(Err::<(), _>("org_0123456789abcdef"));
        let _ = panic::catch_unwind(|| handled.unwrap());
        let _ = panic::take_hook();
        let reported = REPORTED.lock().unwrap();
        assert!(reported.contains("panic.rs:") && !reported.contains("0123"), "{reported}");
    }
}
