//! Files that only their owner can use. Meant for the client crates and the command line.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The size of the largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// How long a file that is to be replaced may be in use on Windows.
const LONGEST_USE: Duration = Duration::from_secs(2);
/// The wait before the next try.
const USE_PAUSE: Duration = Duration::from_millis(10);

/// Returns the home directory of this user: what `HOME` says, or `USERPROFILE` on Windows, or else the
/// system. `None` if there is none.
#[doc(hidden)]
#[must_use]
pub fn home_folder() -> Option<PathBuf> {
    let home = env::home_dir().filter(|folder| !folder.as_os_str().is_empty());
    #[cfg(unix)]
    let home = home.or_else(|| {
        // `HOME` is empty.
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten()?;
        Some(user.dir).filter(|folder| !folder.as_os_str().is_empty())
    });
    home
}

/// Returns whether to try once more to replace or remove a file, after a short wait. Windows refuses
/// that while another process has the file open: it is tried for two seconds from `since` on. On other
/// systems it returns false at once.
#[doc(hidden)]
#[must_use]
pub fn wait_while_in_use(error: &io::Error, since: Instant) -> bool {
    /// `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
    const IN_USE: [i32; 3] = [5, 32, 33];
    let is_in_use = error.raw_os_error().is_some_and(|code| IN_USE.contains(&code));
    let again = cfg!(windows) && is_in_use && since.elapsed() < LONGEST_USE;
    if again {
        thread::sleep(USE_PAUSE);
    }
    again
}

/// Returns the folder that a file is in: the current one for a name alone.
#[doc(hidden)]
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Lets only the owner read and write files that are created with these options, and does not wait for
/// the reader of a pipe. Has no effect on Windows, where a file takes its permissions from its folder.
#[doc(hidden)]
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(nix::libc::O_NONBLOCK);
    }
    options
}

/// Opens a file for reading. Does not wait for the writer of a pipe, as the system does
/// by default. What was opened may be a pipe or a device: its metadata says.
///
/// # Errors
/// Returns the error of the system if it cannot be opened.
#[doc(hidden)]
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    options.read(true).open(path)
}

/// Reads a file to its end, which is within 16 MiB.
///
/// # Errors
/// Returns the error of the system, or one of the kind [`FileTooLarge`](io::ErrorKind::FileTooLarge).
#[doc(hidden)]
pub fn read_to_limit(file: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    Ok(content)
}

/// Creates a folder, and the folders above it, for their owner alone.
///
/// # Errors
/// Returns the error of the system if one cannot be created.
#[doc(hidden)]
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Writes the names of a folder's files to disk, so that a new file outlasts a power failure. Does
/// nothing on Windows, which cannot open a folder for that and journals renames itself.
///
/// # Errors
/// Returns the error of the system if the folder cannot be opened or written.
#[doc(hidden)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
