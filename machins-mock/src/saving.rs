//! Saving the worlds while the server runs.

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
    loop {
        changed.notified().await;
        tokio::time::sleep(PAUSE).await;
        let (worlds, file) = (Arc::clone(&worlds), Arc::clone(&file));
        let saved = tokio::task::spawn_blocking(move || file.save(&worlds));
        if let Ok(Err(error)) = saved.await {
            tracing::error!(%error, "the state of the mock server could not be saved");
            changed.notify_one();
            tokio::time::sleep(RETRY).await;
        }
    }
}
