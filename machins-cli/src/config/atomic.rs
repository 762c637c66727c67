//! Files that are replaced as a whole, and that nobody else may read.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::trust;

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces the file by one that is complete and on disk before it gets its name.
pub(super) fn replace(folder: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    // tempfile creates its files with mode 0600.
    let mut file = tempfile::Builder::new().prefix(&temporary(target)).tempfile_in(folder)?;
    trust::keep_owner(file.as_file(), target)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    sync_folder(folder)
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

#[cfg(unix)]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    // Not followed: a link could have been put there by another user.
    options.mode(0o600).custom_flags(nix::libc::O_NOFOLLOW)
}

#[cfg(not(unix))]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
pub(super) fn make_folder(folder: &Path, own: bool) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if own && fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
        // The Python package creates it with the default mode.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn make_folder(folder: &Path, _own: bool) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    // Windows cannot open a directory for syncing; the rename itself is journalled.
    Ok(())
}
