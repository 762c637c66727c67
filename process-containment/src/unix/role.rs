//! What a process of this program is when it executes itself again.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

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
    pub(super) const ALL: [Self; 4] =
        [Self::NamespaceHelper, Self::Keeper, Self::NamespaceKeeper, Self::Launcher];

    pub(super) fn argument(self) -> &'static str {
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
