//! At whatever moment caller or keeper is killed or stopped, nothing is left three seconds later.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::harness::{Attempt, Setting};

/// The job starts processes in new sessions all the time, slowly enough for the machine.
const JOB: &str = "i=0
while [ $i -lt 100 ]; do setsid sleep 600 & (setsid sleep 600 &); sleep 0.05; i=$((i+1)); done
exec sleep 600";

/// At how many moments each case is tried. With `FULL_SIZE` that is 500 for each kind of fault.
fn rounds() -> u64 {
    if std::env::var_os("FULL_SIZE").is_some() { 125 } else { 4 }
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Caller,
    Keeper,
}

#[rstest]
fn nothing_lives_three_seconds_later(
    #[values(Setting::Plain, Setting::WithoutCgroup, Setting::OrdinaryUser, Setting::PidNamespace)]
    setting: Setting,
    #[values(Victim::Caller, Victim::Keeper)] victim: Victim,
    #[values(Signal::SIGKILL, Signal::SIGSTOP)] signal: Signal,
) {
    // Moments from before the start of the keeper to long after that of the command, in no order.
    for round in 0..rounds() {
        let moment = Duration::from_micros((round * 7_919 + 1_000) % 60_000);
        let mut attempt = Attempt::start(setting, &["--heartbeat", "1000", "--beat"], JOB);
        thread::sleep(moment);
        let limit = Duration::from_secs(3);
        match victim {
            Victim::Caller => {
                let _ = kill(Pid::from_raw(attempt.id()), signal);
                attempt.job_ends_within(limit, moment);
            }
            Victim::Keeper => {
                // Not started, or not any more.
                let Some(keeper) = attempt.keeper() else { continue };
                let _ = kill(Pid::from_raw(keeper), signal);
                attempt.everything_ends_within(limit, moment);
            }
        }
    }
}
