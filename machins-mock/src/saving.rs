//! Saving the world while the server runs.

use std::sync::Arc;
use std::time::Duration;

use crate::state::App;
use crate::state_file::StateFile;
use crate::world::Snapshot;

/// How long further changes are waited for before a save: the world is saved within a second of a
/// change, but not at every change.
const PAUSE: Duration = Duration::from_millis(300);

/// How long after a save that failed it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Saves the world after every change, until it is dropped.
pub(crate) async fn save_changes(app: App, file: Arc<StateFile>) {
    loop {
        app.changed.notified().await;
        tokio::time::sleep(PAUSE).await;
        let (world, file) = (Arc::clone(&app), Arc::clone(&file));
        let saved = tokio::task::spawn_blocking(move || {
            let snapshot = Snapshot(world.world().clone());
            file.save(&snapshot)
        });
        if let Ok(Err(error)) = saved.await {
            tracing::error!(%error, "the state of the mock server could not be saved");
            app.touch();
            tokio::time::sleep(RETRY).await;
        }
    }
}
