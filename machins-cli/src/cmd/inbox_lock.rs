//! The lock by which commands that follow the same inbox on this machine know of each other.

use std::fs::{File, TryLockError};

use agent_client_core::{create_private_folder, folder_of};

use super::agent_file::agent_file;
use crate::context::Context;

/// Locks the agent's inbox for as long as the file is open, and warns if another command follows it.
/// Returns `None` if the user has no home directory, or nothing can be locked there: then nobody is
/// warned.
pub(super) fn lock(context: &Context) -> Option<File> {
    let path = agent_file(context, "inbox").ok()??;
    create_private_folder(folder_of(&path)).ok()?;
    let file = File::create(path).ok()?;
    match file.try_lock() {
        Ok(()) => return Some(file),
        Err(TryLockError::WouldBlock) => context.out.warn_always(
            "another command on this machine follows the inbox of this agent: both get what neither \
             has acknowledged yet; stop one of them to have each event handled once",
        ),
        Err(TryLockError::Error(_)) => {}
    }
    None
}
