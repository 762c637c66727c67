//! The lists that completions were made from last, for the seconds in which they are good enough.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use agent_client_core::create_private_folder;
use directories::BaseDirs;

use super::fetch::{Item, List};
use super::line::{VARIABLE, context, words};
use crate::config::key::{API_KEY, BASE_URL, MACHINEID_BASE_URL, MACHINEID_ORG_KEY};
use crate::context::Context;

/// A list of this age is used as it is.
const FRESH: Duration = Duration::from_secs(5);
/// A list of this age is used if no newer one comes in time.
const USABLE: Duration = Duration::from_mins(2);
/// Time between two tries of a service that does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long this program may have run when it answers, so that the shell waits no longer than 100 ms.
const ANSWERED_WITHIN: Duration = Duration::from_millis(60);
const PAUSE: Duration = Duration::from_millis(2);

/// The items of a list: those kept from before, or those that a process in the background fetches in
/// time. It goes on if it is late, and the next completion has them.
pub(super) fn items(list: List, start: Instant) -> Vec<Item> {
    let Some(place) = Place::of(list, &context()) else { return Vec::new() };
    if place.age().is_some_and(|age| age < FRESH) {
        return place.read();
    }
    if place.begin_try() && spawn(list).is_ok() {
        while place.age().is_none_or(|age| age >= FRESH) && start.elapsed() < ANSWERED_WITHIN {
            thread::sleep(PAUSE);
        }
    }
    match place.age() {
        Some(age) if age < USABLE => place.read(),
        _ => Vec::new(),
    }
}

/// Fetches a list and keeps it for the completions to come. Says nothing if that fails.
pub(super) fn refresh(name: &str) {
    let Some(list) = List::ALL.into_iter().find(|list| list.name() == name) else { return };
    let context = context();
    if let Some(place) = Place::of(list, &context)
        && let Ok(items) = list.fetch(&context)
    {
        place.write(&items);
    }
}

/// Starts the process that fetches a list.
fn spawn(list: List) -> std::io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--")
        .args(words())
        .env(VARIABLE, format!("refresh:{}", list.name()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    {
        // Ctrl-C is not meant for it.
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command.spawn().map(drop)
}

/// The file in which a list is kept. Each key and address has its own, whose name and content tell
/// neither.
struct Place(PathBuf);

impl Place {
    /// Finds the file. `None` if the key that the list takes is missing.
    fn of(list: List, context: &Context) -> Option<Self> {
        let (url, key) = match list {
            List::Devices => (&MACHINEID_BASE_URL, Some(&MACHINEID_ORG_KEY)),
            List::Marketplace | List::Agents => (&BASE_URL, None),
            _ => (&BASE_URL, Some(&API_KEY)),
        };
        let mut hasher = DefaultHasher::new();
        list.name().hash(&mut hasher);
        context.value(url).ok()?.hash(&mut hasher);
        if let Some(key) = key {
            context.value(key).ok()??.hash(&mut hasher);
        }
        let name = format!("{}-{:016x}.json", list.name(), hasher.finish());
        Some(Self(BaseDirs::new()?.cache_dir().join("machins").join(name)))
    }

    /// How long ago the list was fetched. `None` if there is none.
    fn age(&self) -> Option<Duration> {
        age(&self.0)
    }

    fn read(&self) -> Vec<Item> {
        let text = fs::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Notes that the list is about to be fetched. False if that was tried a moment ago.
    fn begin_try(&self) -> bool {
        let mark = self.0.with_extension("tried");
        if age(&mark).is_some_and(|age| age < TRY_AGAIN) {
            return false;
        }
        create_private_folder(self.folder()).is_ok() && File::create(mark).is_ok()
    }

    /// Keeps a list. A file that is written is whole or not there.
    fn write(&self, items: &[Item]) {
        let write = || -> Option<()> {
            let text = serde_json::to_vec(items).ok()?;
            // tempfile creates its files with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(self.folder()).ok()?;
            file.write_all(&text).ok()?;
            file.persist(&self.0).ok().map(drop)
        };
        // Without it there are no candidates, which is all.
        let _ = write();
        // The next try need not wait.
        let _ = fs::remove_file(self.0.with_extension("tried"));
    }

    fn folder(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("."))
    }
}

fn age(path: &Path) -> Option<Duration> {
    let changed = fs::metadata(path).ok()?.modified().ok()?;
    // What is from the future says nothing about its age.
    SystemTime::now().duration_since(changed).ok()
}
