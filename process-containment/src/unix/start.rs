//! How a caller has a keeper start a command.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

use super::channel::send_all;
use super::connection::{Connection, Heard};
use super::message::{Failure, FromKeeper, Request, ToKeeper};
use super::program;
use super::role::Role;
use crate::command::Command;
use crate::containment::Containment;
use crate::error::Error;

/// A command that has been started.
pub(super) struct Started {
    pub(super) connection: Connection,
    pub(super) sender: UnixStream,
    pub(super) containment: Containment,
    pub(super) pid: Pid,
}

/// Starts a keeper and the command. Nothing of either is left when it fails.
pub(super) fn start(command: Command) -> Result<Started, Error> {
    if !program::is_initialized() {
        return Err(Error::NotInitialized);
    }
    #[cfg(target_os = "linux")]
    super::linux::proc::check().map_err(Error::NoProc)?;
    let role = match command.minimum {
        Containment::PidNamespace => Role::NamespaceHelper,
        _ => Role::Keeper,
    };
    let (mut connection, sender) =
        Connection::start(role).map_err(Error::setup("starting the keeper"))?;
    match converse(&mut connection, &sender, command) {
        Ok((containment, pid)) => Ok(Started { connection, sender, containment, pid }),
        Err(error) => {
            abandon(&mut connection);
            Err(error)
        }
    }
}

fn converse(
    connection: &mut Connection,
    sender: &UnixStream,
    command: Command,
) -> Result<(Containment, Pid), Error> {
    request(sender, &command).map_err(Error::setup("talking to the keeper"))?;
    // A keeper in a namespace may be heard before the helper that has started it.
    let (mut is_announced, mut is_launching) = (false, false);
    loop {
        match connection.hear(Duration::MAX) {
            Heard::Nothing => {}
            Heard::Message(FromKeeper::Keeper { pid }) => {
                connection.replace_helper(number(pid)?);
                is_announced = true;
            }
            Heard::Message(FromKeeper::Launching) => is_launching = true,
            Heard::Message(FromKeeper::Started { containment, pid, cgroup }) => {
                connection.cgroup = cgroup;
                let pid = connection.command.map_or_else(|| number(pid), Ok)?;
                connection.command = Some(pid);
                return Ok((containment, pid));
            }
            Heard::Message(FromKeeper::Failed(failure)) => return Err(error(failure, command)),
            // No other message comes before one of these.
            Heard::Lost | Heard::Message(_) => return Err(Error::KeeperLost),
        }
        if is_announced && std::mem::take(&mut is_launching) {
            connection.command = only_child(connection.keeper());
            send_all(sender, &ToKeeper::Go, &[]).map_err(Error::setup("talking to the keeper"))?;
        }
    }
}

fn request(sender: &UnixStream, command: &Command) -> io::Result<()> {
    let request = Request {
        program: command.program.clone(),
        arguments: command.arguments.clone(),
        environment: command.resolved_environment().collect(),
        directory: command.directory.as_ref().map(|directory| OsString::from(directory.clone())),
        minimum: command.minimum,
        heartbeat: command.heartbeat,
        leftover_grace: command.leftover_grace,
        unblocked_signals: command.unblocked_signals.clone(),
    };
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let streams: [BorrowedFd<'_>; 3] = [
        command.stdin.as_ref().map_or(stdin.as_fd(), AsFd::as_fd),
        command.stdout.as_ref().map_or(stdout.as_fd(), AsFd::as_fd),
        command.stderr.as_ref().map_or(stderr.as_fd(), AsFd::as_fd),
    ];
    send_all(sender, &request, &streams)
}

/// The number by which this process knows the launcher of a keeper in another PID namespace.
fn only_child(keeper: Pid) -> Option<Pid> {
    #[cfg(target_os = "linux")]
    return super::linux::children(keeper).first().copied();
    #[cfg(not(target_os = "linux"))]
    return Some(keeper).filter(|_| false);
}

fn number(pid: i32) -> Result<Pid, Error> {
    Pid::from_raw(pid).ok_or(Error::KeeperLost)
}

fn error(failure: Failure, command: Command) -> Error {
    let source = io::Error::from_raw_os_error;
    match failure {
        Failure::Program { errno } => {
            let (program, source) = (command.program, source(errno));
            match source.kind() {
                io::ErrorKind::NotFound => Error::NotFound { program, source },
                _ => Error::NotExecutable { program, source },
            }
        }
        Failure::Directory { errno } => Error::CurrentDir {
            directory: command.directory.unwrap_or_default(),
            source: source(errno),
        },
        Failure::Unavailable { demanded, reason } => Error::Unavailable { demanded, reason },
        Failure::Setup { step, errno } => Error::Setup { step: step.name(), source: source(errno) },
        Failure::LauncherLost => Error::KeeperLost,
    }
}

/// Ends a keeper that will not do, and what it may have started.
fn abandon(connection: &mut Connection) {
    connection.end_keeper();
    loop {
        let (remaining, _) = connection.kill_orphans();
        // What can't be ended now is not waited for: the command has not run.
        let others = remaining.living.iter().filter(|pid| !remaining.refused.contains(pid)).count();
        if remaining.is_empty() || (others == 0 && !remaining.refused.is_empty()) {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_call_init_starts_nothing() {
        // Executed again, it would run as itself.
        assert!(matches!(Command::new("true").spawn(), Err(Error::NotInitialized)));
    }
}
