//! A second process that ends the guarded command if the guard itself is killed with KILL.
//!
//! It reads a pipe that only the guard writes to. The guard writes the number of the process group,
//! and "done" when the command has ended. If the pipe closes before "done", the guard has died. A
//! guard that dies between starting the command and writing the number leaves the command running.

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
    /// Starts the watchdog's process.
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
            // Signals of the terminal and to the guard's group do not reach it there.
            .process_group(0)
            .spawn()?;
        let pipe = process.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { process, pipe })
    }

    /// Tells the watchdog which process group to end.
    pub(super) fn watch(&mut self, group: Pid) -> io::Result<()> {
        writeln!(self.pipe, "{group}")
    }

    /// Ends the watchdog: the command has ended.
    pub(super) fn dismiss(mut self) {
        let _ = writeln!(self.pipe, "{DONE}");
        drop(self.pipe);
        let _ = self.process.wait();
    }
}

/// Runs the watchdog.
pub(crate) fn run() -> ExitCode {
    let mut input = String::new();
    // Whether reading ends well or not, the guard is gone.
    let _ = io::stdin().read_to_string(&mut input);
    let mut words = input.split_whitespace();
    let group = words.next().and_then(|word| word.parse().ok()).filter(|group| *group > 1);
    if let (Some(group), None) = (group, words.next()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    ExitCode::SUCCESS
}
