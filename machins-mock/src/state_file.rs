//! A world in a file.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::world::Snapshot;

/// Reads a world from a file, if the file exists.
pub(crate) fn load(path: &Path) -> io::Result<Option<Snapshot>> {
    match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice::<Snapshot>(&bytes) {
            Ok(snapshot) => Ok(Some(snapshot.count_stored(bytes.len()))),
            Err(error) => {
                let message = format!("{} holds no state: {error}", path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a world to a file, atomically and readable by its owner only.
pub(crate) fn save(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, snapshot)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
