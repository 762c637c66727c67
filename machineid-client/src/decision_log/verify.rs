//! Reads a log with the files that it was continued from, and checks its chain.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::vec;

use agent_client_core::open_without_waiting;
use fs4::FileExt;

use super::chain::{Chain, Problem};
use super::entry::Entry;
use super::error::LogError;
use super::lines::{Line, Lines};
use super::lock::{LONGEST_WAIT, lock_for_reading};
use super::rotated;

/// Verifies that the lines of a decision log are those that were written.
#[derive(Debug, Clone)]
pub struct Verifier {
    path: PathBuf,
    after: Option<String>,
    expected: Option<String>,
}

/// A decision log in which every line is the one that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many decisions the log has.
    pub entries: u64,
    /// The hash of the last line. Without lines it is the hash that the log begins after.
    pub head: String,
    /// The files of the log, the oldest first.
    pub files: Vec<PathBuf>,
}

#[cfg(feature = "test-util")]
impl Verified {
    /// Creates the result for a log of this many entries whose last line has this hash, for tests
    /// (feature `test-util`). Its files can be set afterwards.
    #[must_use]
    pub fn new(entries: u64, head: impl Into<String>) -> Self {
        Self { entries, head: head.into(), files: Vec::new() }
    }
}

impl Verifier {
    /// Creates a verifier of this file and those that it was continued from, which are searched in the
    /// same folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), after: None, expected: None }
    }

    /// Accepts that the log begins after the line with this hash, for example because older files
    /// were moved to an archive.
    #[must_use]
    pub fn after(self, hash: &str) -> Self {
        Self { after: Some(hash.to_ascii_lowercase()), ..self }
    }

    /// Expects a line with this hash, which was the last one at an earlier time. Lines cut off at the
    /// end of the log are found only in this way.
    #[must_use]
    pub fn expect(self, hash: &str) -> Self {
        Self { expected: Some(hash.to_ascii_lowercase()), ..self }
    }

    /// Reads and checks the log.
    ///
    /// # Errors
    /// Returns [`LogError::Broken`], which names the first line that is wrong, or another error if a
    /// file cannot be read.
    pub fn verify(&self) -> Result<Verified, LogError> {
        let files = files(&self.path, self.after.as_deref())?;
        let mut chain = Chain::after(self.after.as_deref());
        let mut is_found = self.expected.as_deref().is_none_or(|hash| hash == chain.head());
        let (mut entries, mut last_line) = (0, 0);
        for path in &files {
            let broken = |line, problem| LogError::Broken { path: path.clone(), line, problem };
            let mut lines = open(path)?;
            last_line = 0;
            while let Some(line) = lines.next().map_err(LogError::io(path, "read"))? {
                let Line { number, text, is_finished } = line;
                if !is_finished {
                    return Err(broken(number, Problem::Unfinished));
                }
                let entry = chain.follow(&text).map_err(|problem| broken(number, problem))?;
                is_found |= self.expected.as_deref() == Some(&entry.hash);
                entries += 1;
                last_line = number;
            }
        }
        if !is_found {
            let path = self.path.clone();
            return Err(LogError::Broken { path, line: last_line, problem: Problem::CutOff });
        }
        Ok(Verified { entries, head: chain.head().to_owned(), files })
    }
}

/// Reads the decisions of a log, the oldest first, with those in the files that it was continued from.
/// Their hashes are not checked.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub fn entries(path: &Path) -> Result<Entries, LogError> {
    Ok(Entries { files: files(path, None)?.into_iter(), current: None })
}

/// The decisions of a log, the oldest first. Created by [`entries`].
///
/// A line that is not an entry is a [`LogError::Broken`], after which the next line follows.
pub struct Entries {
    files: vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, Lines)>,
}

impl Iterator for Entries {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, lines)) = &mut self.current else {
                let path = self.files.next()?;
                match open(&path) {
                    Ok(lines) => self.current = Some((path, lines)),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.current = None;
                    continue;
                }
                Err(error) => {
                    let error = LogError::io(path, "read")(error);
                    self.current = None;
                    return Some(Err(error));
                }
            };
            let problem =
                |why| if line.is_finished { Problem::Malformed(why) } else { Problem::Unfinished };
            let entry = Entry::parse(&line.text).map_err(|why| LogError::Broken {
                path: path.clone(),
                line: line.number,
                problem: problem(why),
            });
            return Some(entry);
        }
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Returns the files of a log, the oldest first: this one, and those that it was continued from, back
/// to the one that begins after this hash.
fn files(path: &Path, after: Option<&str>) -> Result<Vec<PathBuf>, LogError> {
    let mut rotated = rotated::find(path, Instant::now() + LONGEST_WAIT)?;
    let (mut files, first) = match open(path) {
        Ok(mut lines) => (vec![path.to_owned()], lines.next().map_err(LogError::io(path, "read"))?),
        // It was renamed, and no decision was written since.
        Err(LogError::Io { error, .. })
            if error.kind() == ErrorKind::NotFound && !rotated.is_empty() =>
        {
            (Vec::new(), None)
        }
        Err(error) => return Err(error),
    };
    // An unfinished first line takes the place of one after the last hash.
    let mut previous = match first.and_then(|line| Entry::parse(&line.text).ok()) {
        Some(entry) => entry.previous_hash,
        None => rotated::last_hash(&rotated).to_owned(),
    };
    while after != Some(&*previous) {
        let Some(at) = rotated.iter().position(|file| file.head == previous) else { break };
        let file = rotated.swap_remove(at);
        previous = file.previous_hash;
        files.push(file.path);
    }
    files.reverse();
    Ok(files)
}

/// Opens a file for its lines of this moment.
fn open(path: &Path) -> Result<Lines, LogError> {
    let failed = LogError::io(path, "read");
    let file = open_without_waiting(path).map_err(&failed)?;
    if !file.metadata().map_err(&failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    if !lock_for_reading(&file, Instant::now() + LONGEST_WAIT).map_err(&failed)? {
        return Err(LogError::Locked { path: path.to_owned() });
    }
    let length = file.metadata().map_err(&failed)?.len();
    FileExt::unlock(&file).map_err(&failed)?;
    Ok(Lines::new(file, length))
}
