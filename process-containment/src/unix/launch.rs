//! How a keeper gets from the caller's request to a launcher that is about to execute the command.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::Pid;

use super::channel::{Channel, Streams, send_all};
use super::errno::errno;
use super::members::Members;
use super::message::{Failure, FromKeeper, Request, Step, ToKeeper};
use super::role::Role;
use super::signals::block_signals;
use crate::containment::Containment;

/// A launcher that has been given all it needs.
pub(super) struct Launch {
    pub(super) launcher: Channel,
    pub(super) pid: Pid,
    pub(super) members: Members,
    pub(super) containment: Containment,
    pub(super) heartbeat: Option<Duration>,
    pub(super) leftover_grace: Duration,
}

/// Receives the request and starts the launcher. `None` when the caller has ended.
pub(super) fn launch(
    caller: &mut Channel,
    mask: &SigSet,
    namespaced: bool,
) -> Result<Option<Launch>, Failure> {
    let received = caller.receive_with_streams::<Request>();
    let Some((request, streams)) = received.map_err(|error| failed(Step::Descriptors, &error))?
    else {
        return Ok(None);
    };
    let mut members = Members::of_keeper();
    let (socket, pid) = start_launcher(mask).map_err(|error| failed(Step::Launcher, &error))?;
    // From here on an error ends this process, and the launcher with it: its connection closes.
    let containment = contain(&mut members, pid, &request, namespaced)?;
    if namespaced {
        let told = caller.send(&FromKeeper::Launching);
        match told.and_then(|()| caller.receive::<ToKeeper>()) {
            Ok(Some(ToKeeper::Go)) => {}
            _ => return Ok(None),
        }
        // The helper has ended: the parent is the caller.
        #[cfg(target_os = "linux")]
        super::linux::survive_stops();
    }
    hand_over(&socket, &request, &streams).map_err(|error| failed(Step::Launcher, &error))?;
    let launcher = Channel::new(socket);
    launcher.set_nonblocking().map_err(|error| failed(Step::Launcher, &error))?;
    caller.set_nonblocking().map_err(|error| failed(Step::Launcher, &error))?;
    Ok(Some(Launch {
        launcher,
        pid,
        members,
        containment,
        heartbeat: request.heartbeat,
        leftover_grace: request.leftover_grace,
    }))
}

fn start_launcher(mask: &SigSet) -> io::Result<(UnixStream, Pid)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Role::Launcher.command(OwnedFd::from(theirs))?;
    // A process inherits the mask. A signal that ends this one now ends nothing else.
    mask.thread_set_mask()?;
    let process = command.spawn();
    block_signals()?;
    Ok((ours, Pid::from_child(&process?)))
}

fn hand_over(launcher: &UnixStream, request: &Request, streams: &Streams) -> io::Result<()> {
    send_all(launcher, request, &streams.each_ref().map(AsFd::as_fd))
}

/// Takes the strongest hold on the launcher that can be had, or fails if that is not what is demanded.
#[cfg(target_os = "linux")]
fn contain(
    members: &mut Members,
    launcher: Pid,
    request: &Request,
    namespaced: bool,
) -> Result<Containment, Failure> {
    if namespaced {
        return Ok(Containment::PidNamespace);
    }
    match members.enter_cgroup(launcher) {
        Ok(()) => Ok(Containment::Cgroup),
        Err(error) if request.minimum == Containment::Cgroup => {
            Err(Failure::unavailable(request.minimum, &error))
        }
        Err(_) => Ok(Containment::Tree),
    }
}

#[cfg(not(target_os = "linux"))]
fn contain(
    members: &mut Members,
    launcher: Pid,
    request: &Request,
    _namespaced: bool,
) -> Result<Containment, Failure> {
    if request.minimum > Containment::Group {
        let error = io::Error::from(io::ErrorKind::Unsupported);
        return Err(Failure::unavailable(request.minimum, &error));
    }
    members.set_group(launcher);
    Ok(Containment::Group)
}

fn failed(step: Step, error: &io::Error) -> Failure {
    Failure::Setup { step, errno: errno(error) }
}
