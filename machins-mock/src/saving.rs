//! Saving the worlds while the server runs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::state_file::StateFile;
use crate::worlds::Worlds;

/// How long further changes are waited for before a save: the worlds are saved within a second of a
/// change, but not at every change.
const PAUSE: Duration = Duration::from_millis(300);

/// How long after a save that failed it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Saves the worlds after every change, until it is dropped.
pub(crate) async fn save_changes(worlds: Arc<Worlds>, file: Arc<StateFile>) {
    let changed = Arc::clone(&worlds.own().server.changed);
    let mut tried = 0;
    loop {
        changed.until(|| (changed.count() != tried).then_some(())).await;
        tokio::time::sleep(PAUSE).await;
        let count = changed.count();
        let (worlds, file) = (Arc::clone(&worlds), Arc::clone(&file));
        let saved = tokio::task::spawn_blocking(move || file.save_changes(&worlds));
        // A panic is a save that failed, too.
        match saved.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(()) => tried = count,
            Err(error) => {
                report(&error);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Logs that a save failed.
pub(crate) fn report(error: &io::Error) {
    tracing::error!(%error, "the state of the mock server could not be saved");
}
