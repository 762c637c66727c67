//! The runtimes that are known.

use super::claude::Claude;
use super::codex::Codex;
use super::cursor::Cursor;
use super::gemini::Gemini;
use super::runtime::Runtime;

/// Every runtime. A new one is a file beside this one, and a name here.
pub(crate) const RUNTIMES: [&dyn Runtime; 4] = [&Claude, &Codex, &Gemini, &Cursor];

/// Finds a runtime by its name.
pub(crate) fn named(name: &str) -> Option<&'static dyn Runtime> {
    RUNTIMES.into_iter().find(|runtime| runtime.name() == name)
}
