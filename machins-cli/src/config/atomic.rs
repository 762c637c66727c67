//! Files that are replaced as a whole, and that nobody else may read.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Instant;

use agent_client_core::{create_private_folder, sync_folder, wait_while_in_use};
use tempfile::NamedTempFile;

use super::trust;

/// Replaces the file by one that is complete and on disk before it gets its name.
pub(super) fn replace(folder: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    // tempfile creates its files with mode 0600.
    let mut file = tempfile::Builder::new().prefix(&temporary(target)).tempfile_in(folder)?;
    trust::keep_owner(file.as_file(), target)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    persist(file, target)?;
    sync_folder(folder)
}

/// Gives a temporary file the name of the one that it replaces.
pub(crate) fn persist(mut file: NamedTempFile, target: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match file.persist(target) {
            Ok(_) => return Ok(()),
            Err(error) if wait_while_in_use(&error.error, start) => file = error.file,
            Err(error) => return Err(error.error),
        }
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if wait_while_in_use(&error, start) => {}
            result => return result,
        }
    }
}

/// The beginning of the names of this target's temporary files, different for each target.
pub(super) fn temporary(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".tmp-");
    prefix
}

/// Removes temporary files, which may hold keys, of writers that were killed. The caller holds the
/// lock, so no other writer is using them.
pub(super) fn remove_leftovers(folder: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Lets only the owner use files that are created with these options, and follows no link at the end of a
/// path: another user could have put it there.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    let options = agent_client_core::private(options);
    #[cfg(unix)]
    {
        use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, O_NOFOLLOW | O_NONBLOCK);
    }
    options
}

/// Creates a folder for its owner alone. One that exists is taken from others if it is `own`: the Python
/// package creates it with the default mode.
pub(super) fn make_folder(folder: &Path, own: bool) -> io::Result<()> {
    create_private_folder(folder)?;
    #[cfg(unix)]
    if own {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
    }
    #[cfg(not(unix))]
    let _ = own;
    Ok(())
}
