//! A PID namespace whose first process is the keeper.
//!
//! A process can't move into a new PID namespace, only its children are born there. So a program of
//! two steps: a helper makes the namespace, starts the keeper in it, says so and ends; the keeper then
//! becomes a child of the caller, which adopts orphans.

use std::fs;
use std::io;
use std::process::Stdio;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, getegid, geteuid};
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_ambient_set, configure_capability_in_ambient_set,
    set_capabilities,
};

use crate::containment::Containment;
use crate::unix::channel::Channel;
use crate::unix::message::{Failure, FromKeeper};
use crate::unix::role::Role;

/// Makes a namespace, starts the keeper in it and tells the caller its number.
pub(in crate::unix) fn run_helper() {
    let Ok(mut channel) = Channel::from_stdin() else { return };
    let keeper = make().and_then(|()| Role::NamespaceKeeper.command(Stdio::inherit())?.spawn());
    let message = match keeper {
        Ok(keeper) => FromKeeper::Keeper { pid: Pid::from_child(&keeper).as_raw_nonzero().get() },
        Err(error) => FromKeeper::Failed(Failure::unavailable(Containment::PidNamespace, &error)),
    };
    // A caller that is gone has closed the keeper's connection too.
    let _ = channel.send(&message);
}

/// Makes the namespace in which this process's children will live.
fn make() -> io::Result<()> {
    let pid_and_mounts = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    if unshare(pid_and_mounts).is_err() {
        // Without the privilege, a user namespace of one's own gives it.
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        unshare(pid_and_mounts | CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        pass_on_the_right_to_mount()?;
    }
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// The keeper is another program, as an ordinary user: without this it would lose all rights.
fn pass_on_the_right_to_mount() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable |= CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets)?;
    Ok(configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?)
}

/// Mounts the namespace's own `/proc`, as the first process in it.
pub(in crate::unix) fn mount_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    if capability_is_in_ambient_set(CapabilitySet::SYS_ADMIN)? {
        // The command is not to have it.
        let mut sets = capabilities(None)?;
        sets.inheritable.remove(CapabilitySet::SYS_ADMIN);
        set_capabilities(None, sets)?;
        configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, false)?;
    }
    Ok(())
}
