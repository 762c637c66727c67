//! The signals that this process handles. What was ignored when it started stays ignored.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::thread;

use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number, kill, raise};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::error::Failure;

/// The signals that would end this process.
const ENDING: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// Signals that this process handles.
pub(crate) struct Signals {
    /// Each with its number.
    handled: Vec<(i32, Signal)>,
    /// `None` if Ctrl-Z is not held back.
    suspensions: Option<UnboundedReceiver<()>>,
}

impl Signals {
    /// Starts to handle the signals that would end this process.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::ending().map_err(not_handled)
    }

    /// Starts to handle Ctrl-Z, too. To be called after [`hold_suspensions`].
    pub(crate) fn of_a_job() -> Result<Self, Failure> {
        let signals = Self::new()?;
        if !are_suspensions_held() {
            return Ok(signals);
        }
        let (sender, suspensions) = unbounded_channel();
        thread::Builder::new()
            .name("suspensions".to_owned())
            .spawn(move || while suspension().wait().is_ok() && sender.send(()).is_ok() {})
            .map_err(not_handled)?;
        Ok(Self { suspensions: Some(suspensions), ..signals })
    }

    fn ending() -> io::Result<Self> {
        let ignored = ignored(&ENDING);
        let handled = ENDING.iter().filter(|number| !ignored.contains(number));
        let handled = handled.map(|number| Ok((*number, signal(SignalKind::from_raw(*number))?)));
        Ok(Self { handled: handled.collect::<io::Result<_>>()?, suspensions: None })
    }

    /// Whether Ctrl-Z is handled. It is not if it was ignored when this process started.
    pub(in crate::process) fn include_suspensions(&self) -> bool {
        self.suspensions.is_some()
    }

    /// Waits for the next signal, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Polls for the next signal.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<i32> {
        let suspended = self.suspensions.as_mut().map(|held| held.poll_recv(context));
        if let Some(Poll::Ready(Some(()))) = suspended {
            return Poll::Ready(SIGTSTP);
        }
        let arrived = |(number, signal): &mut (i32, Signal)| {
            signal.poll_recv(context).is_ready().then_some(*number)
        };
        self.handled.iter_mut().find_map(arrived).map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits for a signal that asks this process to stop, and returns its number.
    pub(crate) async fn asked_to_stop(&mut self) -> i32 {
        loop {
            let signal = self.next().await;
            if matches!(signal, SIGHUP | SIGINT | SIGQUIT | SIGTERM) {
                return signal;
            }
        }
    }
}

/// Ctrl-Z's signal.
fn suspension() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Number::SIGTSTP);
    signals
}

/// Holds Ctrl-Z back from now on, so that it does not stop this process before its job. Not by a
/// handler, which could not be taken away when this process is to stop as its shell expects. To be
/// called before other threads are started.
pub(crate) fn hold_suspensions() {
    // Nobody waits for a signal that is ignored.
    if ignored(&[SIGTSTP]).is_empty() {
        let _ = suspension().thread_block();
    }
}

fn are_suspensions_held() -> bool {
    SigSet::thread_get_mask().is_ok_and(|held| held.contains(Number::SIGTSTP))
}

fn not_handled(error: io::Error) -> Failure {
    Failure::local("could not handle signals", error)
}

/// Stops this process as Ctrl-Z does, and returns when its shell lets it go on. The system ignores the
/// signal in a process group that has no shell.
pub(in crate::process) fn suspend() {
    let Ok(before) = suspension().thread_swap_mask(SigmaskHow::SIG_UNBLOCK) else { return };
    let _ = raise(Number::SIGTSTP);
    let _ = before.thread_set_mask();
}

/// Sends Ctrl-Z's signal to the process group of this process: to the other commands of a pipeline too.
pub(in crate::process) fn suspend_group() {
    let _ = kill(Pid::from_raw(0), Number::SIGTSTP);
}

/// Which of these signals this process ignores. A handler would end that, so it is asked first.
fn ignored(numbers: &[i32]) -> Vec<i32> {
    let mask = if cfg!(target_os = "linux") { ignored_mask() } else { None };
    match mask {
        // The lowest bit is signal 1.
        Some(mask) => {
            numbers.iter().copied().filter(|number| mask >> (number - 1) & 1 == 1).collect()
        }
        None => ignored_by_a_shell(numbers).unwrap_or_default(),
    }
}

/// The signals that this process ignores, as a mask. `None` if `/proc` is not mounted.
fn ignored_mask() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Which of these signals a shell ignores that this process starts: it inherits that, and no trap
/// changes it.
fn ignored_by_a_shell(numbers: &[i32]) -> io::Result<Vec<i32>> {
    let script = "for n; do trap \"echo $n\" $n; kill -$n $$; done";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, "sh"]).args(numbers.iter().map(ToString::to_string));
    let output = shell.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let trapped = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_trapped = |number: &i32| trapped.lines().any(|line| line == number.to_string());
    Ok(numbers.iter().copied().filter(|number| !is_trapped(number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signals that a process ignores can't be changed from within, so the test runs itself again.
    #[test]
    fn a_shell_tells_which_signals_are_ignored() {
        const HERE: &str = "process::unix::signals::tests::a_shell_tells_which_signals_are_ignored";
        const AGAIN: &str = "MACHINS_TEST_OF_IGNORED_SIGNALS";
        let numbers = [&ENDING[..], &[SIGTSTP]].concat();
        if std::env::var_os(AGAIN).is_some() {
            // The test may have been started by a program that ignores others.
            let found = ignored_by_a_shell(&numbers).unwrap();
            assert!([SIGHUP, SIGUSR2, SIGTSTP].iter().all(|number| found.contains(number)));
            if let Some(mask) = ignored_mask() {
                let masked = numbers.iter().filter(|number| mask >> (*number - 1) & 1 == 1);
                assert!(found.iter().eq(masked), "{found:?}, {mask:x}");
            }
            return;
        }
        let script =
            format!("trap '' HUP USR2 TSTP; trap - INT QUIT TERM USR1; exec \"$0\" --exact {HERE}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).arg(std::env::current_exe().unwrap()).env(AGAIN, "1");
        assert!(shell.output().unwrap().status.success());
    }
}
