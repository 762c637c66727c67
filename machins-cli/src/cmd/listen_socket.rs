//! The socket by which `resend` has a running `listen` post an event. Only its user can reach it.
//! Windows has none, and there `resend` must be told where to post.

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use machins_client::Notification;
use serde::{Deserialize, Serialize};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::agent_file::agent_file;
#[cfg(unix)]
use super::forward::ForwardedEvent;
use super::forward::Forwarder;
use crate::context::Context;
use crate::error::Failure;
use crate::output::Output;

/// The longest notification that is taken, in bytes.
#[cfg(unix)]
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How long a notification may take to arrive.
#[cfg(unix)]
const ARRIVAL: Duration = Duration::from_secs(5);

/// What became of an event that was to be posted again.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) url: String,
    /// The status of the receiver if it is below 300, or else why it has not taken the event.
    pub(super) result: Result<u16, String>,
}

/// The place of the socket of an agent. `None` if the user has no home directory.
pub(super) fn place(context: &Context) -> Result<Option<PathBuf>, Failure> {
    agent_file(context, "listen")
}

/// Posts what is asked for, for as long as it is polled, and shows each event that its receiver has
/// taken. If there can be no socket, or another `listen` of the agent has it, nothing is asked for.
pub(super) async fn serve(place: Option<&Path>, forwarder: &Forwarder, out: Output) {
    #[cfg(unix)]
    if let Some(Ok(socket)) = place.map(Socket::bind) {
        while let Ok((stream, _)) = socket.listener.accept().await {
            // Whoever asked and went away need not be answered.
            let _ = answer(stream, forwarder, out).await;
        }
    }
    #[cfg(not(unix))]
    let _ = (place, forwarder, out);
    pending::<()>().await;
}

/// Has the running `listen` post a notification. Returns `None` if none is running.
pub(super) fn ask(
    place: &Path,
    notification: &Notification,
    limit: Duration,
) -> io::Result<Option<Answer>> {
    #[cfg(unix)]
    {
        use std::io::{Read, Write};

        let Ok(mut stream) = std::os::unix::net::UnixStream::connect(place) else {
            return Ok(None);
        };
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(&serde_json::to_vec(notification)?)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(Some(serde_json::from_slice(&answer)?))
    }
    #[cfg(not(unix))]
    {
        let _ = (place, notification, limit);
        Ok(None)
    }
}

/// The socket, which is removed when it is dropped.
#[cfg(unix)]
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

#[cfg(unix)]
impl Drop for Socket {
    fn drop(&mut self) {
        // Nobody else removes it but a `listen` that finds nobody there.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
impl Socket {
    fn bind(path: &Path) -> io::Result<Self> {
        agent_client_core::create_private_folder(agent_client_core::folder_of(path))?;
        if path.exists() {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            // Left behind by one that was killed.
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        Ok(Self { listener, path: path.to_owned() })
    }
}

#[cfg(unix)]
async fn answer(mut stream: UnixStream, forwarder: &Forwarder, out: Output) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut asked = Vec::new();
    let mut limited = (&mut stream).take(MAX_BYTES);
    tokio::time::timeout(ARRIVAL, limited.read_to_end(&mut asked)).await??;
    let notification: Notification = serde_json::from_slice(&asked)?;
    let url = forwarder.url(&notification.event_type);
    let result = forwarder.post(&notification).await.map_err(|why| why.describe(url));
    if let Ok(status) = result {
        let event = ForwardedEvent::new(&notification, url, status, 1);
        // If nobody reads stdout any more, the watch of the inbox ends the command.
        let _ = out.next_result(&event, || event.line());
    }
    let answer = Answer { url: url.to_owned(), result };
    stream.write_all(&serde_json::to_vec(&answer)?).await
}
