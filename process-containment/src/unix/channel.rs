//! A socket that carries lines of JSON, and with the first of them file descriptors.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::cmsg_space;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A command's standard input, output and error.
pub(super) type Streams = [OwnedFd; 3];

/// One end of the connection between caller and keeper or keeper and launcher.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    received: Vec<u8>,
    /// How many of these bytes are known to hold no end of a line.
    searched: usize,
    unsent: Vec<u8>,
}

impl Channel {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, received: Vec::new(), searched: 0, unsent: Vec::new() }
    }

    /// The channel that a keeper or launcher finds as its standard input.
    pub(super) fn from_stdin() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self::new(UnixStream::from(socket)))
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Makes sending wait, for so long at most, until all of a message can be sent.
    pub(super) fn wait_when_sending(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_write_timeout(Some(timeout))
    }

    /// Sends a message, or as much of it as can be sent now. See [`flush`](Self::flush).
    pub(super) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.unsent.extend(line(message)?);
        self.flush()
    }

    /// Sends what an earlier call could not send.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match send_some(&self.socket, &self.unsent, &[]) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Waits for the next message. `None` when the other end has closed.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(message) = self.next()? {
                return Ok(Some(message));
            }
            if !self.fill(&mut Vec::new())? {
                return Ok(None);
            }
        }
    }

    /// Waits for the first message and the streams that come with it.
    pub(super) fn receive_with_streams<T: DeserializeOwned>(
        &mut self,
    ) -> io::Result<Option<(T, Streams)>> {
        let mut descriptors = Vec::new();
        loop {
            if let Some(message) = self.next()? {
                let streams = descriptors
                    .try_into()
                    .map_err(|_| io::Error::from(rustix::io::Errno::MFILE))?;
                return Ok(Some((message, streams)));
            }
            if !self.fill(&mut descriptors)? {
                return Ok(None);
            }
        }
    }

    /// The next message among the bytes that have been received.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let unsearched = &self.received[self.searched..];
        let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.received.len();
            return Ok(None);
        };
        let line: Vec<u8> = self.received.drain(..=self.searched + end).collect();
        self.searched = 0;
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// Receives what there is. False when the other end has closed.
    pub(super) fn fill(&mut self, descriptors: &mut Vec<OwnedFd>) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            match rustix::net::recvmsg(&self.socket, &mut buffers, &mut control, RecvFlags::empty())
            {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                // The other end closed with something unread.
                Err(rustix::io::Errno::CONNRESET) => return Ok(false),
                result => break result?,
            }
        };
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(rustix::io::Errno::MFILE.into());
        }
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                for descriptor in rights {
                    // Only keepers and launchers receive any, and they have one thread each: nothing
                    // is executed in between.
                    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
                    descriptors.push(descriptor);
                }
            }
        }
        self.received.extend_from_slice(&bytes[..received.bytes]);
        Ok(received.bytes > 0)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends a whole message on a blocking socket, and `descriptors` with its first byte.
pub(super) fn send_all(
    socket: &UnixStream,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = line(message)?;
    let mut sent = send_some(socket, &bytes, descriptors)?;
    while sent < bytes.len() {
        sent += send_some(socket, &bytes[sent..], &[])?;
    }
    Ok(())
}

fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn send_some(
    socket: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    loop {
        match rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SEND) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// A program may have given SIGPIPE back its default action: ending the program.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
/// The standard library makes every socket so on these systems.
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();
