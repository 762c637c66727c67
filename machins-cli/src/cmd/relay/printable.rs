//! Events on a terminal.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, Stdout};

use crate::json;

/// A terminal, on which text from others is shown and never obeyed. Takes whole lines.
pub(super) struct Printable {
    stdout: Stdout,
    pending: Vec<u8>,
}

impl Printable {
    pub(super) fn stdout() -> Self {
        Self { stdout: tokio::io::stdout(), pending: Vec::new() }
    }
}

impl AsyncWrite for Printable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(task))?;
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split('\n').map(json::escape);
        self.pending = lines.collect::<Vec<_>>().join("\n").into_bytes();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let Self { stdout, pending } = &mut *self;
            let written = ready!(Pin::new(stdout).poll_write(task, pending))?;
            pending.drain(..written);
        }
        Pin::new(&mut self.stdout).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(task))?;
        Pin::new(&mut self.stdout).poll_shutdown(task)
    }
}
