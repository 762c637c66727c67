//! A server that the gate starts, keeps and ends.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use process_containment::{Command, Job};
#[cfg(unix)]
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::event::Event;
use crate::gate::McpGate;
use crate::session::SessionEnd;

/// How long a server may take to end: after its output has ended, and between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);

/// After how much silence of this program the server is ended: it hangs or is stopped.
const SILENCE: Duration = Duration::from_secs(10);

/// How often to look after a server: only so is it noticed that its keeper was stopped.
const LOOK: Duration = Duration::from_millis(500);

/// How a server that the gate started has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerEnd {
    /// Why the session ended, or `None` if the caller ended it.
    pub session: Option<SessionEnd>,
    /// The status of the server, or `None` if it is unknown because its keeper was killed.
    pub status: Option<ExitStatus>,
}

/// Why a server could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server could not be started, or not kept as it must be.
    #[error(transparent)]
    NotStarted(#[from] process_containment::Error),
    /// A pipe to the server could not be made.
    #[error("could not connect to the server: {0}")]
    Pipe(#[from] io::Error),
}

impl McpGate {
    /// Starts a server and passes messages on between it and this program's standard input and output,
    /// as in MCP's stdio transport, until one side closes or `stop` is cancelled. Then it ends the
    /// server with everything that it started: TERM, and KILL after ten seconds.
    ///
    /// The server is kept by [`process_containment`], whose `init` must be called first in `main`. It
    /// ends with this program, also if that is killed. The environment is that of `server`; take
    /// `MACHINEID_ORG_KEY` out of it.
    ///
    /// ```no_run
    /// use machins_mcp::McpGate;
    /// use machineid_client::{CancellationToken, Client, DeviceId, Gate};
    /// use process_containment::Command;
    ///
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn run() -> Result<(), Box<dyn std::error::Error>> {
    ///     let client = Client::from_env()?;
    ///     let gate = Gate::new(&client, DeviceId::new("agent-01")?).register_on_start();
    ///     let server = Command::new("my-mcp-server").env_remove("MACHINEID_ORG_KEY");
    ///     let end = McpGate::new(gate).run_server(server, &CancellationToken::new()).await?;
    ///     eprintln!("{end:?}");
    ///     Ok(())
    /// }
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     process_containment::init();
    ///     run()
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns [`ServerError`] if the server cannot be started; nothing of it is running then.
    pub async fn run_server(
        &self,
        server: Command,
        stop: &CancellationToken,
    ) -> Result<ServerEnd, ServerError> {
        let (their_input, our_output) = io::pipe()?;
        let (our_input, their_output) = io::pipe()?;
        let (from_server, to_server) = (pipe::reader(our_input)?, pipe::writer(our_output)?);
        let server = server.stdin(their_input).stdout(their_output).heartbeat(SILENCE);
        let job = Arc::new(server.spawn()?);
        let _ended_on_drop = KillOnDrop(Arc::clone(&job));
        let ended = self.watch(Arc::clone(&job));

        let beating = async {
            let mut beats = interval(LOOK);
            loop {
                beats.tick().await;
                job.beat();
            }
        };
        let running = async {
            let client_gone = pin!(client_gone());
            let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
            let end_server = || job.terminate(GRACE);
            let session =
                self.pass_until(end_server, client_gone, stdin, stdout, from_server, to_server);
            let session = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                session = session => Some(session),
            };
            if matches!(session, Some(SessionEnd::ServerClosed)) {
                // It has closed its output, and is likely to end now.
                let _ = timeout(GRACE, ended.cancelled()).await;
            }
            job.terminate(GRACE);
            ended.cancelled().await;
            ServerEnd { session, status: job.status() }
        };
        tokio::select! {
            end = running => Ok(end),
            () = beating => Ok(ServerEnd { session: None, status: job.status() }),
        }
    }

    /// Watches a job in a thread of its own, and cancels the token when it has ended.
    fn watch(&self, job: Arc<Job>) -> CancellationToken {
        use process_containment::Event as JobEvent;

        let (gate, ended) = (self.clone(), CancellationToken::new());
        let tell = ended.clone();
        thread::spawn(move || {
            loop {
                match job.next_event(LOOK) {
                    Some(JobEvent::StillRunning(survivor)) => {
                        gate.observe(Event::StillRunning { pid: survivor.pid });
                    }
                    Some(JobEvent::Ended(_)) => return tell.cancel(),
                    _ => {}
                }
            }
        });
        ended
    }
}

/// Ends a server whose session is dropped.
struct KillOnDrop(Arc<Job>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Waits until the client has closed this program's standard input, even if nobody reads it, or its
/// standard output. Waits for ever where that cannot be noticed.
#[cfg(unix)]
async fn client_gone() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let look = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    let (tell, gone) = oneshot::channel::<()>();
    thread::spawn(move || {
        let (input, output) = (io::stdin(), io::stdout());
        // Without events to wait for, only the end of the other side is reported.
        let mut streams =
            [PollFd::new(&input, PollFlags::empty()), PollFd::new(&output, PollFlags::empty())];
        while !tell.is_closed() {
            let ended = PollFlags::HUP | PollFlags::ERR;
            match poll(&mut streams, Some(&look)) {
                Ok(1..) if streams.iter().any(|stream| stream.revents().intersects(ended)) => {
                    let _ = tell.send(());
                    return;
                }
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // A closed stream, for example, cannot be waited for.
                Ok(_) | Err(_) => return,
            }
        }
    });
    match gone.await {
        Ok(()) => {}
        Err(_) => pending().await,
    }
}

#[cfg(not(unix))]
async fn client_gone() {
    pending().await
}

#[cfg(unix)]
mod pipe {
    use std::io::{self, PipeReader, PipeWriter};
    use std::os::fd::OwnedFd;

    use tokio::net::unix::pipe::{Receiver, Sender};

    pub(super) fn reader(pipe: PipeReader) -> io::Result<Receiver> {
        Receiver::from_owned_fd(OwnedFd::from(pipe))
    }

    pub(super) fn writer(pipe: PipeWriter) -> io::Result<Sender> {
        Sender::from_owned_fd(OwnedFd::from(pipe))
    }
}

#[cfg(windows)]
mod pipe {
    use std::io::{self, PipeReader, PipeWriter};
    use std::os::windows::io::OwnedHandle;

    use tokio::fs::File;

    pub(super) fn reader(pipe: PipeReader) -> io::Result<File> {
        Ok(File::from_std(OwnedHandle::from(pipe).into()))
    }

    pub(super) fn writer(pipe: PipeWriter) -> io::Result<File> {
        Ok(File::from_std(OwnedHandle::from(pipe).into()))
    }
}
