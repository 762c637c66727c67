//! The program executes itself again, as keeper or launcher.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

use super::{keeper, launcher};

/// What a process of this program is, when it is not the program itself: its first argument. The
/// second is the number of the process that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Makes a PID namespace and starts the keeper in it.
    NamespaceHelper,
    /// The parent of the command.
    Keeper,
    /// The first process of a PID namespace and the parent of the command.
    NamespaceKeeper,
    /// Becomes the command.
    Launcher,
}

impl Role {
    const ALL: [Self; 4] =
        [Self::NamespaceHelper, Self::Keeper, Self::NamespaceKeeper, Self::Launcher];

    fn argument(self) -> &'static str {
        match self {
            Self::NamespaceHelper => "process-containment:namespace",
            Self::Keeper => "process-containment:keeper",
            Self::NamespaceKeeper => "process-containment:namespace-keeper",
            Self::Launcher => "process-containment:launcher",
        }
    }

    /// How to start a process in this role. It has nothing of the environment but what the loader of
    /// shared libraries may need, and hears no signal of the terminal.
    pub(super) fn command(self, stdin: impl Into<Stdio>) -> io::Result<Command> {
        // The file may have been replaced since this process started.
        let program =
            if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { env::current_exe()? };
        let is_for_the_loader = |name: &str| name.starts_with("LD_") || name.starts_with("DYLD_");
        let kept = env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_for_the_loader));
        let mut command = Command::new(program);
        command
            .arg(self.argument())
            .arg(process::id().to_string())
            .env_clear()
            .envs(kept)
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        Ok(command)
    }
}

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
