//! Reads the lines of a file, each of limited length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use super::entry::{BEGINNING_LENGTH, Entry, MAX_LINE, begins_like_a_line};

/// The lines of the first bytes of a file.
pub(super) struct Lines {
    reader: BufReader<Take<File>>,
    number: u64,
}

/// A line without its line break.
pub(super) struct Line {
    /// Number of the line, beginning at 1.
    pub(super) number: u64,
    pub(super) text: Vec<u8>,
    /// Whether the line has a line break.
    pub(super) is_finished: bool,
}

impl Lines {
    /// Reads the lines of the first `length` bytes.
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { reader: BufReader::new(file.take(length)), number: 0 }
    }

    /// Reads the next line. A longer one than [`MAX_LINE`] comes in parts, none of which is an entry.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        if (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut text)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_finished = text.last() == Some(&b'\n');
        if is_finished {
            text.pop();
        }
        Ok(Some(Line { number: self.number, text, is_finished }))
    }
}

/// The end of a log file.
#[derive(Debug, PartialEq)]
pub(super) struct Tail {
    /// The hash of the last whole line; `None` if there is none.
    pub(super) hash: Option<String>,
    /// The length of the file up to the end of its last whole line.
    pub(super) whole: u64,
    /// Whether only the line break of the last whole line is missing.
    pub(super) lacks_line_break: bool,
}

impl Tail {
    /// Reads the end of a file of this length, or says why the file is not a log.
    pub(super) fn read(file: &mut File, length: u64) -> io::Result<Result<Self, String>> {
        let begins = part(file, 0, length.min(BEGINNING_LENGTH))?;
        let start = length.saturating_sub(MAX_LINE);
        let end = part(file, start, length - start)?;
        Ok(Self::parse(&begins, &end, start))
    }

    /// Parses the first bytes of a file, and its last ones, which begin at `start`.
    fn parse(begins: &[u8], end: &[u8], start: u64) -> Result<Self, String> {
        // After a loss of power a file may consist of zeros.
        if !begins_like_a_line(begins) && begins.iter().any(|byte| *byte != 0) {
            return Err("its first line is not that of a decision log".to_owned());
        }
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, unfinished) = end.split_at(whole);
        let entry = Entry::parse(unfinished).ok().filter(|entry| entry.matches(unfinished));
        if let Some(entry) = entry {
            let whole = start + end.len() as u64;
            return Ok(Self { hash: Some(entry.hash), whole, lacks_line_break: true });
        }
        let Some((_, lines)) = lines.split_last() else {
            return match start {
                0 => Ok(Self { hash: None, whole: 0, lacks_line_break: false }),
                _ => Err("its last line is too long".to_owned()),
            };
        };
        let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let entry = Entry::parse(last)
            .map_err(|why| format!("its last line is not an entry of a decision log: {why}"))?;
        Ok(Self { hash: Some(entry.hash), whole: start + whole as u64, lacks_line_break: false })
    }
}

/// Reads a part of a file.
fn part(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
