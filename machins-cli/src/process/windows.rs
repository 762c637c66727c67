//! Runs a command in a job object of its own.

use std::cell::{Cell, RefCell};
use std::io;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::sync::Mutex;

/// The number of Ctrl-C on Unix.
const INTERRUPT: i32 = 2;

/// One run of a command. The system ends the whole job when this process dies.
pub(crate) struct Job {
    command: RefCell<Option<Command>>,
    child: Mutex<Option<Box<dyn ChildWrapper>>>,
    started: Cell<bool>,
}

impl Job {
    /// Creates a job that has not started.
    pub(crate) fn new(command: Command) -> Self {
        Self {
            command: RefCell::new(Some(command)),
            child: Mutex::new(None),
            started: Cell::new(false),
        }
    }

    /// Changes nothing: the job object always ends the job when this process dies.
    pub(crate) fn watched(self) -> Self {
        self
    }

    /// Starts the command and waits until it ends. If the future is dropped, the command goes on:
    /// see [`Job::end`].
    pub(crate) async fn run(&self) -> io::Result<ExitStatus> {
        let command = self.command.take().ok_or(io::ErrorKind::InvalidInput)?;
        let mut slot = self.child.lock().await;
        let child = slot.insert(
            CommandWrap::from(tokio::process::Command::from(command))
                .wrap(KillOnDrop)
                .wrap(JobObject)
                .spawn()?,
        );
        self.started.set(true);
        // Only the command itself: `end` ends what it left behind.
        child.inner_mut().wait().await
    }

    /// Does nothing: the console signals every process in it. Returns false if no command is running.
    pub(crate) fn pass_on(&self, _signal: i32) -> bool {
        self.started.get()
    }

    /// Ends what is left of the job at once: Windows has no TERM.
    pub(crate) async fn end(&self, _grace: Duration) {
        if let Some(mut child) = self.child.lock().await.take() {
            let _ = child.start_kill();
        }
        self.started.set(false);
    }
}

/// Ctrl-C, reported by its number on Unix.
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

impl Signals {
    /// Starts to handle Ctrl-C.
    pub(crate) fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Waits for the next Ctrl-C, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        INTERRUPT
    }
}
