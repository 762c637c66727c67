//! Reads and writes the config file without ever losing anything in it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::document::Document;
use crate::error::Failure;

/// The variable that names another file than `~/.machins/config.json`.
const VARIABLE: &str = "MACHINS_CONFIG";
/// How long a file that looks corrupt is read again: the Python package truncates the file before
/// it writes.
const HALF_WRITTEN: Duration = Duration::from_millis(250);
/// How long to wait for the lock, which other writers hold for a read and a write.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

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
        if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return Ok(Self { path: path.into(), own_folder: false });
        }
        let directories = directories::BaseDirs::new().ok_or_else(|| {
            Failure::config("this user has no home directory for the config file")
                .hint(format!("set {VARIABLE} to the path of a config file"))
        })?;
        Ok(Self {
            path: directories.home_dir().join(".machins").join("config.json"),
            own_folder: true,
        })
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. A missing file is an empty document.
    pub(crate) fn read(&self) -> Result<Document, Failure> {
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
        match read_whole(|| fs::read(&self.path), pause) {
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
        let target = self.target()?;
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        make_folder(folder, self.own_folder).map_err(writing)?;
        let _lock = self.lock(folder, &target)?;
        remove_leftovers(folder, &temporary(&target));
        let mut document = self.read()?;
        let result = change(&mut document);
        replace(folder, &target, document.to_text().as_bytes()).map_err(writing)?;
        Ok(result)
    }

    /// Warns if other users can read or change the file. `None` if they cannot.
    pub(crate) fn permission_warning(&self) -> Option<String> {
        let folder = self.path.parent().filter(|_| self.own_folder);
        file_warning(&self.path).or_else(|| folder.and_then(folder_warning))
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

    fn lock(&self, folder: &Path, target: &Path) -> Result<File, Failure> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let failed = |error: io::Error| self.failure("could not be locked", &error);
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(folder.join(name))
            .map_err(failed)?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(self.failure(
                        "is locked",
                        &"another process has been writing it for 10 seconds",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    fn failure(&self, what: &str, why: &dyn std::fmt::Display) -> Failure {
        Failure::config(format!("config file {} {what}: {why}", self.path.display()))
    }
}

/// Reads until the document can be parsed, or until `pause` returns false.
fn read_whole(
    mut read: impl FnMut() -> io::Result<Vec<u8>>,
    mut pause: impl FnMut() -> bool,
) -> io::Result<Result<Document, String>> {
    loop {
        let bytes = read()?;
        let parsed =
            str::from_utf8(&bytes).map_err(|error| error.to_string()).and_then(Document::parse);
        if parsed.is_ok() || !pause() {
            return Ok(parsed);
        }
    }
}

/// Replaces the file by one that is complete and on disk before it gets its name.
fn replace(folder: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    // tempfile creates its files with mode 0600.
    let mut file = tempfile::Builder::new().prefix(&temporary(target)).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// The beginning of the names of this target's temporary files, different for each target.
fn temporary(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".tmp-");
    prefix
}

/// Removes temporary files, which may hold keys, of writers that were killed. The caller holds the
/// lock, so no other writer is using them.
fn remove_leftovers(folder: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn make_folder(folder: &Path, own: bool) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if own && fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
        // The Python package creates it with the default mode.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_folder(folder: &Path, _own: bool) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    // Windows cannot open a directory for syncing; the rename itself is journalled.
    Ok(())
}

#[cfg(unix)]
fn file_warning(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        format!(
            "{path} holds keys, and other users can access it (mode {mode:04o}): chmod 600 {path}",
            path = path.display()
        )
    })
}

#[cfg(not(unix))]
fn file_warning(_path: &Path) -> Option<String> {
    None
}

/// Warns about a folder that others can write to: they could put another file there.
#[cfg(unix)]
fn folder_warning(folder: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(folder).ok()?.permissions().mode() & 0o777;
    (mode & 0o022 != 0).then(|| {
        format!(
            "other users can change the files in {folder} (mode {mode:04o}): chmod 700 {folder}",
            folder = folder.display()
        )
    })
}

#[cfg(not(unix))]
fn folder_warning(_folder: &Path) -> Option<String> {
    None
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
}
