//! A second process that outlives a guard killed with KILL, and ends what it guarded.
//!
//! It reads a pipe that only the guard can write to. The guard writes the group's number once,
//! and a word when all is done; an end of the pipe without that word means that the guard died.
//! Only in the instant between the command's start and that number is there nobody to end it.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The first argument that makes this program a watchdog.
pub(crate) const ARGUMENT: &str = "__guard-watchdog";
const DONE: &str = "done";

/// The guard's end of the pipe.
pub(super) struct Watchdog {
    process: Child,
    pipe: ChildStdin,
}

impl Watchdog {
    pub(super) fn start() -> io::Result<Self> {
        // The file may have been replaced by an upgrade since this process started.
        let program = if cfg!(target_os = "linux") {
            "/proc/self/exe".into()
        } else {
            std::env::current_exe()?
        };
        let mut process = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's signals and of those to the guard's group.
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { process, pipe })
    }

    pub(super) fn watch(&mut self, group: Pid) -> io::Result<()> {
        writeln!(self.pipe, "{group}")
    }

    pub(super) fn dismiss(mut self) {
        let _ = writeln!(self.pipe, "{DONE}");
        drop(self.pipe);
        let _ = self.process.wait();
    }
}

/// The watchdog itself.
pub(crate) fn run() -> ExitCode {
    let mut told = String::new();
    // However reading ends, the guard is gone.
    let _ = io::stdin().read_to_string(&mut told);
    let mut words = told.split_whitespace();
    let group = words.next().and_then(|word| word.parse().ok()).filter(|group| *group > 1);
    if let (Some(group), None) = (group, words.next()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    ExitCode::SUCCESS
}
