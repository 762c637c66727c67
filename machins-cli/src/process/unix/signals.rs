//! The signals that this process handles. What was ignored when it started stays ignored.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::process::{Command, Stdio};
use std::task::Poll;

use nix::libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Failure;

/// The signals that would end this process.
const ENDING: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// Signals that this process handles, each with its number.
pub(crate) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Starts to handle the signals that would end this process.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::handle(&ENDING).map_err(|error| Failure::local("could not handle signals", error))
    }

    /// Starts to handle Ctrl-Z, too.
    pub(crate) fn of_a_job() -> io::Result<Self> {
        Self::handle(&[&ENDING[..], &[SIGTSTP]].concat())
    }

    fn handle(numbers: &[i32]) -> io::Result<Self> {
        let ignored = ignored(numbers);
        let handled = numbers.iter().filter(|number| !ignored.contains(number));
        let signals = handled.map(|number| Ok((*number, signal(SignalKind::from_raw(*number))?)));
        Ok(Self(signals.collect::<io::Result<_>>()?))
    }

    /// Whether this signal is handled.
    pub(crate) fn includes(&self, signal: i32) -> bool {
        self.0.iter().any(|(number, _)| *number == signal)
    }

    /// Waits for the next signal, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|context| {
            let arrived = |(number, signal): &mut (i32, Signal)| {
                signal.poll_recv(context).is_ready().then_some(*number)
            };
            self.0.iter_mut().find_map(arrived).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits for a signal that asks this process to stop.
    pub(crate) async fn asked_to_stop(&mut self) {
        while !matches!(self.next().await, SIGHUP | SIGINT | SIGQUIT | SIGTERM) {}
    }
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
            assert_eq!(ignored_by_a_shell(&numbers).unwrap(), [SIGHUP, SIGUSR2, SIGTSTP]);
            if let Some(mask) = ignored_mask() {
                assert!(numbers.iter().all(|number| {
                    (mask >> (number - 1) & 1 == 1) == [SIGHUP, SIGUSR2, SIGTSTP].contains(number)
                }));
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
