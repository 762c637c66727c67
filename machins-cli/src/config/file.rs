//! Reads and writes the config file without ever losing anything in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use agent_client_core::{folder_of, home_folder, open_without_waiting, read_to_limit, variable};

use super::atomic::{make_folder, private, remove_leftovers, replace, temporary};
use super::document::Document;
use super::original::{Original, Remembered};
use super::trust::{self, Purpose};
use crate::error::Failure;
use crate::output::to_stderr;

/// The variable that names another file than `~/.machins/config.json`.
const VARIABLE: &str = "MACHINS_CONFIG";
/// What is named where there is to be no file.
const NO_FILE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
/// What some editors begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// How long a file that looks corrupt is read again: the Python package truncates the file before
/// it writes.
const HALF_WRITTEN: Duration = Duration::from_millis(250);
/// How long to wait for the lock, which other writers hold for a read and a write, unless `--timeout` is
/// shorter.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// What `--timeout` gives.
static TIMEOUT: OnceLock<Duration> = OnceLock::new();
const PAUSE: Duration = Duration::from_millis(20);

/// Waits no longer than this for the lock of a config file. For the whole process.
pub(crate) fn limit_waits(timeout: Duration) {
    let _ = TIMEOUT.set(timeout);
}

/// The config file.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    /// Whether the folder is `~/.machins`, whose permissions this program may set.
    own_folder: bool,
}

impl ConfigFile {
    /// Finds the file: the one that `MACHINS_CONFIG` names, or the one in the home directory.
    pub(crate) fn locate() -> Result<Self, Failure> {
        Self::find()?.ok_or_else(|| {
            Failure::config("this user has no home directory for the config file")
                .hint(format!("set {VARIABLE} to the path of a config file"))
        })
    }

    /// Finds the file. `None` if the user has no home directory, and so no config file.
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        let named =
            variable(VARIABLE).map_err(|error| Failure::usage(error.message().to_owned()))?;
        let path = match named {
            None => home_folder().map(|home| home.join(".machins").join("config.json")),
            Some(ref path) => match path.strip_prefix("~/") {
                None => Some(path.into()),
                Some(rest) => Some(home_folder().map(|home| home.join(rest)).ok_or_else(|| {
                    let what = format!("{VARIABLE} is {path}, but this user has no home directory");
                    Failure::config(what)
                })?),
            },
        };
        Ok(path.map(|path| Self { path, own_folder: named.is_none() }))
    }

    /// Finds all config files of this user: that in the home directory, which the Python package
    /// always uses, and the one that `MACHINS_CONFIG` names.
    fn all() -> Vec<Self> {
        let home = home_folder()
            .map(|home| home.join(".machins").join("config.json"))
            .map(|path| Self { path, own_folder: true });
        let named = Self::find().ok().flatten().filter(|file| !file.own_folder);
        home.into_iter().chain(named).collect()
    }

    /// Keeps all config files of this user as they are now until the result is dropped, whatever
    /// the command that is given the mock server at this URL writes to them.
    pub(crate) fn protect_all(url: &str) -> Result<Vec<Protected>, Failure> {
        Self::all().into_iter().filter_map(|file| file.protect(url).transpose()).collect()
    }

    /// Puts back the config files that a `mock exec` which was killed has left changed.
    pub(crate) fn recover_all() -> Result<(), Failure> {
        Self::all().iter().try_for_each(|file| file.recover(None))
    }

    /// Copies the file beside itself. `None` if it can't be written by this user anyway.
    fn protect(self, url: &str) -> Result<Option<Protected>, Failure> {
        let failed = |error: io::Error| self.failure("could not be copied", &error);
        if self.path.exists() && !self.path.is_file() {
            return Ok(None);
        }
        self.recover(None)?;
        let target = self.target()?;
        if let Err(error) = make_folder(folder_of(&self.path), false) {
            return if target.exists() { Err(failed(error)) } else { Ok(None) };
        }
        let is_writable = || OpenOptions::new().write(true).open(&target).is_ok();
        if is_read_only(folder_of(&target)) && !is_writable() {
            return Ok(None);
        }
        let _lock = self.lock(&target)?;
        let original = self.original();
        let run = original.run(url, &target).map_err(failed)?;
        let before = original.keep(&target).map_err(failed)?;
        Ok(Some(Protected { file: self, run: Some(run), before }))
    }

    /// Puts the original back if no `mock exec` is running. One that has just ended remembers it, which
    /// it needs if its command has removed the copy.
    fn recover(&self, remembered: Option<&Remembered>) -> Result<(), Failure> {
        let failed =
            |error: io::Error| self.failure("could not be put back as before mock exec", &error);
        let original = self.original();
        if !original.exists() && remembered.is_none() {
            return Ok(());
        }
        let target = remembered.map_or_else(|| original.target(), |before| before.target.clone());
        for path in [&self.path, &target] {
            make_folder(folder_of(path), false).map_err(failed)?;
        }
        let _lock = self.lock(&target)?;
        original.put_back(&target, remembered).map_err(failed)
    }

    fn original(&self) -> Original {
        Original::of(&self.path)
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file to use what is in it. A missing file is an empty document.
    pub(crate) fn read(&self) -> Result<Document, Failure> {
        self.read_for(Purpose::Use)
    }

    fn read_for(&self, purpose: Purpose) -> Result<Document, Failure> {
        let mut deadline = None;
        let pause = || {
            let now = Instant::now();
            // At least one more read, however busy the machine is.
            let again = now < *deadline.get_or_insert(now + HALF_WRITTEN);
            if again {
                thread::sleep(PAUSE);
            }
            again
        };
        let mut distrust = None;
        let original = self.original();
        let path = if original.stands_in() { original.copy() } else { &self.path };
        let read = || {
            if self.path == Path::new(NO_FILE) {
                return Err(ErrorKind::NotFound.into());
            }
            let file = open_without_waiting(path)?;
            // Of the file that is open, not of one that takes its place meanwhile.
            distrust = trust::distrust(&file.metadata()?, purpose);
            if path != self.path
                && let Ok(metadata) = fs::metadata(&self.path)
            {
                // The copy is no more trustworthy than what was copied.
                distrust = distrust.take().or_else(|| trust::distrust(&metadata, purpose));
            }
            if distrust.is_some() {
                return Err(ErrorKind::PermissionDenied.into());
            }
            // A pipe or device may never end.
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            read_to_limit(file)
        };
        let content = read_whole(read, pause);
        if let Some(why) = distrust {
            return Err(self.failure("is not trusted", &why).hint(format!(
                "check its content, then make it yours alone: chown and chmod 600 {}",
                self.path.display()
            )));
        }
        match content {
            Ok(Ok(document)) => Ok(document),
            Ok(Err(complaint)) => Err(self
                .failure("is corrupt", &complaint)
                .hint("repair the file or move it away; it was not changed")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Document::default()),
            Err(error) => Err(self.failure("could not be read", &error)),
        }
    }

    /// Changes the file atomically, under a lock, and returns what `change` returns.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut Document) -> R) -> Result<R, Failure> {
        let writing = |error: io::Error| self.failure("could not be written", &error);
        self.recover(None)?;
        let target = self.target()?;
        let folder = folder_of(&target);
        make_folder(folder_of(&self.path), self.own_folder).map_err(writing)?;
        let lock = self.lock(&target)?;
        trust::keep_owner(&lock, &target).map_err(writing)?;
        remove_leftovers(folder, &temporary(&target));
        let mut document = self.read_for(Purpose::Change)?;
        let result = change(&mut document);
        let text = document.to_text();
        let original = self.original();
        if original.stands_in() {
            // What `mock exec` puts back at its end.
            original.replace(text.as_bytes()).map_err(writing)?;
        }
        replace(folder, &target, text.as_bytes()).map_err(writing)?;
        Ok(result)
    }

    /// Reads the text of the file as it is. A missing file is empty.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        let content = open_without_waiting(&self.path).and_then(read_to_limit);
        match content.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.failure("could not be read", &error)),
        }
    }

    /// Replaces the file, unless it is no longer what it was.
    pub(crate) fn replace_if(&self, before: &str, document: Document) -> Result<(), Failure> {
        let is_replaced = self.update(|current| {
            let is_same = self.text().is_ok_and(|text| text == before);
            if is_same {
                *current = document;
            }
            is_same
        })?;
        if is_replaced {
            return Ok(());
        }
        Err(self.failure("was changed meanwhile", &"the edited one was not saved"))
    }

    /// Warns if other users can read or change the file. `None` if they cannot.
    pub(crate) fn permission_warning(&self) -> Option<String> {
        let folder = self.path.parent().filter(|_| self.own_folder);
        trust::file_warning(&self.path).or_else(|| folder.and_then(trust::folder_warning))
    }

    /// The file that a symbolic link leads to: a rename would replace the link itself.
    fn target(&self) -> Result<PathBuf, Failure> {
        let is_link = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_symlink());
        if !is_link {
            return match fs::metadata(&self.path) {
                Ok(meta) if !meta.is_file() => {
                    Err(self.failure("is not a regular file", &"it was not changed"))
                }
                _ => Ok(self.path.clone()),
            };
        }
        let target = fs::canonicalize(&self.path)
            .map_err(|error| self.failure("is a broken link", &error))?;
        if !target.is_file() {
            return Err(self.failure("is not a link to a regular file", &target.display()));
        }
        Ok(target)
    }

    fn lock(&self, target: &Path) -> Result<File, Failure> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let failed = |error: io::Error| self.failure("could not be locked", &error);
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(folder_of(target).join(name))
            .map_err(failed)?;
        let patience = TIMEOUT.get().map_or(LOCK_PATIENCE, |timeout| LOCK_PATIENCE.min(*timeout));
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let why = format!(
                        "another process has been writing it for {} s",
                        patience.as_secs_f32()
                    );
                    return Err(self.failure("is locked", &why));
                }
                Err(TryLockError::Error(error)) if is_without_locks(&error) => {
                    let path = self.path.display();
                    to_stderr(&format!(
                        "machins: files cannot be locked here, so {path} is written without: let \
                         nothing else write it now ({error})\n"
                    ));
                    return Ok(file);
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    fn failure(&self, what: &str, why: &dyn std::fmt::Display) -> Failure {
        Failure::config(format!("config file {} {what}: {why}", self.path.display()))
    }
}

/// A config file that is kept as it is, until this is dropped.
#[derive(Debug)]
pub(crate) struct Protected {
    file: ConfigFile,
    run: Option<File>,
    before: Remembered,
}

impl Protected {
    /// Puts the file back as it was, unless another `mock exec` is still running.
    pub(crate) fn put_back(mut self) -> Result<(), Failure> {
        self.run = None;
        self.file.recover(Some(&self.before))
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        if self.run.take().is_some() {
            // The next command reports it if it fails again.
            let _ = self.file.recover(Some(&self.before));
        }
    }
}

/// Whether a file system has no locks.
fn is_without_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_it = {
        use nix::libc::{ENOLCK, ENOSYS, EOPNOTSUPP};
        error.raw_os_error().is_some_and(|code| [ENOLCK, ENOSYS, EOPNOTSUPP].contains(&code))
    };
    #[cfg(not(unix))]
    let is_it = false;
    is_it || error.kind() == ErrorKind::Unsupported
}

/// Whether no file can be created in a folder.
fn is_read_only(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_err()
}

/// Reads until the document can be parsed, or until `pause` returns false. A file that is still empty
/// then is an empty document.
fn read_whole(
    mut read: impl FnMut() -> io::Result<Vec<u8>>,
    mut pause: impl FnMut() -> bool,
) -> io::Result<Result<Document, String>> {
    loop {
        let bytes = read()?;
        let text =
            str::from_utf8(&bytes).map(|text| text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
        let parsed = text.map_err(|error| error.to_string()).and_then(Document::parse);
        if parsed.is_ok() {
            return Ok(parsed);
        }
        if !pause() {
            let is_empty = text.is_ok_and(|text| text.trim().is_empty());
            return Ok(if is_empty { Ok(Document::default()) } else { parsed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_file_is_read_again() {
        let mut states =
            [&b""[..], b"{\"agent_slug\": \"z", b"{\"agent_slug\": \"zo\"}"].into_iter();
        let read = || Ok(states.next().unwrap().to_vec());
        assert!(read_whole(read, || true).unwrap().is_ok());
    }

    #[test]
    fn reading_again_ends() {
        let mut pauses = 0;
        let pause = || {
            pauses += 1;
            pauses < 3
        };
        let document = read_whole(|| Ok(b"{".to_vec()), pause).unwrap();
        assert!(document.err().unwrap().contains("EOF"));
        assert_eq!(pauses, 3);
        assert!(read_whole(|| Err(ErrorKind::PermissionDenied.into()), || true).is_err());
    }

    #[test]
    fn a_file_that_stays_empty_is_an_empty_document() {
        for empty in ["", " \n", "\u{feff}"] {
            let mut pauses = 0;
            let pause = || {
                pauses += 1;
                pauses < 3
            };
            let document = read_whole(|| Ok(empty.into()), pause).unwrap();
            assert!(document.is_ok_and(|document| document == Document::default()), "{empty:?}");
            assert_eq!(pauses, 3, "another program may be writing it");
        }
    }
}
