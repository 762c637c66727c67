//! Whether a config file is this user's own, and who may read it.

#[cfg(unix)]
use std::fs;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// What a config file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To use the keys in it.
    Use,
    /// To write it again. Root may do so for another user.
    Change,
}

/// Says why a config file cannot be trusted: it belongs to neither this user nor root, or others can
/// write to it, so its keys and addresses may be theirs. `None` if it can be trusted.
#[cfg(unix)]
pub(super) fn distrust(metadata: &Metadata, purpose: Purpose) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let (owner, user) = (metadata.uid(), nix::unistd::geteuid());
    let may_change = purpose == Purpose::Change && user.is_root();
    if owner != 0 && owner != user.as_raw() && !may_change {
        let owner = name(owner);
        return Some(format!(
            "it belongs to {owner}, and only a file of {} or root is used",
            name(user.as_raw())
        ));
    }
    let mode = metadata.mode() & 0o777;
    (mode & 0o022 != 0).then(|| {
        format!("other users than its owner, {}, can write to it (mode {mode:04o})", name(owner))
    })
}

#[cfg(not(unix))]
pub(super) fn distrust(_metadata: &Metadata, _purpose: Purpose) -> Option<String> {
    None
}

#[cfg(unix)]
fn name(id: u32) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(id));
    user.ok()
        .flatten()
        .map_or_else(|| format!("uid {id}"), |user| format!("{} (uid {id})", user.name))
}

/// Gives a file that root has written to the owner of the one it belongs to or takes the place of.
#[cfg(unix)]
pub(super) fn keep_owner(file: &File, target: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let Ok(old) = fs::metadata(target) else { return Ok(()) };
    let new = file.metadata()?;
    if nix::unistd::geteuid().is_root() && (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn keep_owner(_file: &File, _target: &Path) -> io::Result<()> {
    Ok(())
}

/// Warns if other users can read the file. `None` if they cannot.
#[cfg(unix)]
pub(super) fn file_warning(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode() & 0o777;
    // A device, such as /dev/null, holds no keys.
    (metadata.is_file() && mode & 0o077 != 0).then(|| {
        format!(
            "{path} holds keys, and other users can access it (mode {mode:04o}): chmod 600 {path}",
            path = path.display()
        )
    })
}

#[cfg(not(unix))]
pub(super) fn file_warning(_path: &Path) -> Option<String> {
    None
}

/// Warns about a folder that others can write to: they could put another file there.
#[cfg(unix)]
pub(super) fn folder_warning(folder: &Path) -> Option<String> {
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
pub(super) fn folder_warning(_folder: &Path) -> Option<String> {
    None
}
