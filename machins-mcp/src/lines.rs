//! Splitting a stream of bytes into lines, of which each is a message of the stdio transport.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read at a time, in bytes.
const READ: usize = 64 * 1024;

/// With less room than this, in bytes, the buffer grows before it is read into.
const LEAST_ROOM: usize = 4 * 1024;

/// What a stream consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line with its end, as it was read.
    Whole(Bytes),
    /// A line that no message can be, for this reason.
    Unreadable(&'static str),
}

/// Splits bytes, which come in any pieces, into lines. It holds at most one line of the longest length
/// and what is read at a time.
#[derive(Debug)]
pub(crate) struct Splitter {
    buffer: BytesMut,
    /// How much of the buffer is known to contain no end of a line.
    searched: usize,
    /// Whether the rest of the line is passed over.
    is_skipping: bool,
    longest: usize,
}

impl Splitter {
    /// Creates a splitter of lines that have up to `longest` bytes, the end not counted.
    pub(crate) fn new(longest: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, is_skipping: false, longest }
    }

    /// Adds bytes that were read.
    #[cfg(test)]
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next line that is complete. Blank lines are passed over.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let Some(end) = memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                if self.is_skipping || self.searched > self.longest + 1 {
                    self.is_skipping = true;
                    self.buffer.clear();
                    self.searched = 0;
                }
                return None;
            };
            let line = self.buffer.split_to(self.searched + end + 1).freeze();
            self.searched = 0;
            if std::mem::take(&mut self.is_skipping) {
                return Some(Line::Unreadable("it is too long"));
            }
            let content = content(&line);
            if content.len() > self.longest {
                return Some(Line::Unreadable("it is too long"));
            }
            // Some readers end a line here: what follows would be a message of its own to them.
            if memchr2(b'\r', b'\0', content).is_some() {
                return Some(Line::Unreadable("it contains a carriage return or NUL"));
            }
            if !content.trim_ascii().is_empty() {
                return Some(Line::Whole(line));
            }
        }
    }

    /// Returns what is left at the end of the stream: a line without an end is no message.
    pub(crate) fn rest(&self) -> Option<Line> {
        let is_cut = self.is_skipping || !self.buffer.trim_ascii().is_empty();
        is_cut.then_some(Line::Unreadable("it has no end"))
    }
}

/// A line without its end.
pub(crate) fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The lines of a stream.
pub(crate) struct Lines<R> {
    reader: R,
    splitter: Splitter,
    has_ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R, longest: usize) -> Self {
        Self { reader, splitter: Splitter::new(longest), has_ended: false }
    }

    /// Reads the next line. `None` at the end of the stream, as which a failure to read counts.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        while !self.has_ended {
            if let Some(line) = self.splitter.next() {
                return Some(line);
            }
            let buffer = &mut self.splitter.buffer;
            if buffer.capacity() - buffer.len() < LEAST_ROOM {
                buffer.reserve(READ);
            }
            let read = self.reader.read_buf(buffer).await;
            if read.unwrap_or(0) == 0 {
                self.has_ended = true;
                return self.splitter.rest();
            }
        }
        None
    }
}
