//! What only Linux offers: finding and holding all descendants.

mod cgroup;
mod members;
pub(super) mod namespace;
pub(super) mod proc;
mod tree;

pub(super) use members::{Members, Spared, children, own_children};
pub(super) use proc::identify;

use std::io;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Signal, child_subreaper, set_child_subreaper, set_dumpable_behavior,
    set_parent_process_death_signal,
};

/// Makes orphaned descendants children of this process.
pub(super) fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    // A sandbox may let the call succeed and do nothing.
    child_subreaper()?.map(drop).ok_or_else(|| Errno::PERM.into())
}

/// Keeps other processes of the same user from tracing this one, which would stop it unnoticed.
pub(super) fn forbid_tracing() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Has a signal sent to this process when its parent ends, or the thread that started it.
///
/// The parent may have ended already; ask for it afterwards.
pub(super) fn signal_on_parent_death(signal: Signal) {
    // Fails only for numbers that are no signals.
    let _ = set_parent_process_death_signal(Some(signal));
}

/// Lets this process go on when its parent ends, if somebody has stopped it before.
///
/// The signal comes when only the thread that started this process ends, too, and does no harm then.
pub(super) fn survive_stops() {
    signal_on_parent_death(Signal::CONT);
}
