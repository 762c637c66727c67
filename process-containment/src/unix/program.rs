//! The program executes itself again, as keeper or launcher.

use std::env;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

use super::role::Role;
use super::{keeper, launcher};

static INITIALIZED: AtomicBool = AtomicBool::new(false);

/// Whether [`init`] has been called, so that the program executed again will not run as itself.
pub(super) fn is_initialized() -> bool {
    INITIALIZED.load(Ordering::Relaxed)
}

/// Takes over if the program was executed in another role.
pub(crate) fn init() {
    INITIALIZED.store(true, Ordering::Relaxed);
    let mut arguments = env::args_os().skip(1);
    let (Some(role), Some(parent)) = (arguments.next(), arguments.next()) else { return };
    let Some(role) = Role::ALL.into_iter().find(|known| role == known.argument()) else { return };
    if let Some(parent) = parent.to_str().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) {
        match role {
            #[cfg(target_os = "linux")]
            Role::NamespaceHelper => super::linux::namespace::run_helper(),
            #[cfg(not(target_os = "linux"))]
            Role::NamespaceHelper => {}
            Role::Keeper => keeper::run(Some(parent)),
            Role::NamespaceKeeper => keeper::run(None),
            Role::Launcher => launcher::run(parent),
        }
    }
    process::exit(1);
}
