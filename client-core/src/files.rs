//! Files that only their owner can use. Meant for the client crates and the command line.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Returns the folder that a file is in: the current one for a name alone.
#[doc(hidden)]
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Lets only the owner read and write files that are created with these options. Has no effect on
/// Windows, where a file takes its permissions from its folder.
#[doc(hidden)]
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
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
