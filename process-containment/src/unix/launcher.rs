//! The launcher: the process that becomes the command.
//!
//! What must happen between the birth of a process and the execution of its program is done here, by a
//! program of its own, since code that runs there in a copy of a process with threads would be unsafe.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::SigSet;
#[cfg(target_os = "linux")]
use rustix::process::Signal;
use rustix::process::{Pid, getppid};

use super::channel::{Channel, Streams};
use super::errno::errno;
use super::message::{Failure, FromLauncher, Request, Step};

/// Becomes the command, or tells the keeper why not.
pub(super) fn run(keeper: Pid) {
    // The command dies with its keeper, whatever else becomes of it.
    #[cfg(target_os = "linux")]
    super::linux::signal_on_parent_death(Signal::KILL);
    if getppid() != Some(keeper) {
        return;
    }
    let Ok(mut channel) = Channel::from_stdin() else { return };
    let failure = match channel.receive_with_streams() {
        Ok(Some((request, streams))) => execute(&request, streams, &mut channel),
        Ok(None) => return,
        Err(error) => Failure::Setup { step: Step::Descriptors, errno: errno(&error) },
    };
    // A keeper that is gone needs no answer.
    let _ = channel.send(&FromLauncher::Failed(failure));
}

/// Returns only if it fails.
fn execute(request: &Request, [stdin, stdout, stderr]: Streams, keeper: &mut Channel) -> Failure {
    if let Some(Err(error)) = request.directory.as_ref().map(env::set_current_dir) {
        return Failure::Directory { errno: errno(&error) };
    }
    let unblocked = request.unblocked_signals.iter().filter_map(|&number| number.try_into().ok());
    let unblocked: SigSet = unblocked.collect();
    if let Err(errno) = unblocked.thread_unblock() {
        return Failure::Setup { step: Step::Launcher, errno: errno as i32 };
    }
    if let Err(error) = keeper.send(&FromLauncher::Executing) {
        return Failure::Setup { step: Step::Launcher, errno: errno(&error) };
    }
    let error = Command::new(&request.program)
        .args(&request.arguments)
        .env_clear()
        .envs(request.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .exec();
    Failure::Program { errno: errno(&error) }
}
