//! The files that a log was continued from.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use agent_client_core::open_without_waiting;

use super::entry::{Entry, NO_HASH};
use super::error::LogError;
use super::lines::{Lines, Tail};
use super::lock::lock_for_reading;

/// A file of a log that was renamed.
pub(super) struct Rotated {
    pub(super) path: PathBuf,
    /// The hash before its first line.
    pub(super) previous_hash: String,
    /// The hash of its last whole line.
    pub(super) head: String,
    time: String,
}

/// Finds the renamed files of a log. Others in the folder are ignored, those that cannot be read too.
pub(super) fn find(log: &Path, deadline: Instant) -> Result<Vec<Rotated>, LogError> {
    let folder = match log.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = log.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(LogError::io(log, "read"))?.flatten() {
        let other = entry.file_name();
        let suffix = other.as_encoded_bytes().strip_prefix(name);
        let is_rotated = suffix.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'-')));
        if is_rotated && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = folder.join(other);
            match read(&path, deadline) {
                Ok(Some(rotated)) => found.push(rotated),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(LogError::Locked { path });
                }
                Err(error) => tracing::debug!(path = %path.display(), %error, "not read"),
            }
        }
    }
    Ok(found)
}

/// Returns the last hash of the log whose renamed files these are: that of the file which none of the
/// others continues.
pub(super) fn last_hash(files: &[Rotated]) -> &str {
    let is_continued = |file: &&Rotated| files.iter().any(|other| other.previous_hash == file.head);
    let ends = files.iter().filter(|file| !is_continued(file));
    ends.max_by_key(|file| &file.time).map_or(NO_HASH, |file| &file.head)
}

/// Reads the first and the last line of a file. `None` if it is not a log, or has no line.
fn read(path: &Path, deadline: Instant) -> io::Result<Option<Rotated>> {
    let mut file = open_without_waiting(path)?;
    if !lock_for_reading(&file, deadline)? {
        return Err(ErrorKind::WouldBlock.into());
    }
    let length = file.metadata()?.len();
    let Ok(Tail { hash: Some(head), .. }) = Tail::read(&mut file, length)? else {
        return Ok(None);
    };
    let first = Lines::new(open_without_waiting(path)?, length).next()?;
    let Some(first) = first.and_then(|line| Entry::parse(&line.text).ok()) else {
        return Ok(None);
    };
    let time = first.time.as_str().to_owned();
    Ok(Some(Rotated { path: path.to_owned(), previous_hash: first.previous_hash, head, time }))
}
