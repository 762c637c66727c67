//! The worlds of a server: its own, and those that tests create beside it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::random::Seed;
use crate::server_state::ServerState;
use crate::state::{App, AppState};
use crate::tasks::Tasks;

/// The beginning of the paths of worlds, which is followed by the name of one.
pub(crate) const PREFIX: &str = "/_world/";

/// Returns the path under which a world is, without a slash at the end.
pub(crate) fn path_of_world(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("{PREFIX}{name}") }
}

/// The maximum number of worlds that a server holds beside its own.
pub const MAX_WORLDS: usize = 10_000;

/// The maximum length of a world's name.
const MAX_NAME: usize = 64;

/// The reason why a world was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The name is not made of 1 to 64 letters, digits and `. _ -`.
    #[error("`name`: must be 1 to {MAX_NAME} letters, digits and . _ -, and not begin with a dot")]
    InvalidName,
    /// The server has a world of this name already.
    #[error("`name`: there is a world named {0} already; DELETE /_mock/worlds/{0} removes it")]
    Duplicate(String),
    /// The server already holds [`MAX_WORLDS`] worlds.
    #[error("there are already {MAX_WORLDS} worlds")]
    TooMany,
}

/// All worlds of one server.
#[derive(Debug)]
pub(crate) struct Worlds {
    own: App,
    named: RwLock<Named>,
    tasks: Tasks,
}

#[derive(Debug, Default)]
struct Named {
    worlds: HashMap<String, World>,
    /// For each name that was used before: how many worlds had it, resets included.
    generations: HashMap<String, u64>,
    created: u64,
}

#[derive(Debug)]
struct World {
    app: App,
    tasks: Tasks,
    /// The number of worlds that were created before it.
    order: u64,
}

impl Worlds {
    /// Creates a server's own world.
    pub(crate) fn new(server: Arc<ServerState>, tasks: Tasks) -> Self {
        let seed = server.seed;
        let own = AppState::new(server, String::new(), seed, 0, tasks.clone());
        Self { own: Arc::new(own), named: RwLock::default(), tasks }
    }

    /// Returns the server's own world.
    pub(crate) fn own(&self) -> &App {
        &self.own
    }

    /// Returns the world of this name, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<App> {
        self.read().worlds.get(name).map(|world| Arc::clone(&world.app))
    }

    /// Returns all worlds beside the server's own, in order of creation.
    pub(crate) fn named(&self) -> Vec<App> {
        let named = self.read();
        let mut worlds: Vec<_> = named.worlds.values().collect();
        worlds.sort_by_key(|world| world.order);
        worlds.into_iter().map(|world| Arc::clone(&world.app)).collect()
    }

    /// Creates an empty world. By default its name is chosen, and its seed follows from the
    /// server's and from its name.
    pub(crate) fn create(
        &self,
        name: Option<String>,
        seed: Option<u64>,
    ) -> Result<App, WorldError> {
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(WorldError::InvalidName);
        }
        let mut named = self.write();
        let Named { worlds, generations, created } = &mut *named;
        if worlds.len() >= MAX_WORLDS {
            return Err(WorldError::TooMany);
        }
        let name = name.unwrap_or_else(|| {
            let mut number = *created + 1;
            while worlds.contains_key(&format!("world-{number}")) {
                number += 1;
            }
            format!("world-{number}")
        });
        let Entry::Vacant(entry) = worlds.entry(name.clone()) else {
            return Err(WorldError::Duplicate(name));
        };
        let server = &self.own.server;
        let seed = match seed {
            Some(seed) => Seed::new(Some(seed)),
            None => server.seed.derive(&["world", &name]).again(),
        };
        let generation = generations.get(&name).copied().unwrap_or(0);
        let tasks = self.tasks.part();
        let app = AppState::new(Arc::clone(server), name, seed, generation, tasks.clone());
        let app = Arc::new(app);
        *created += 1;
        entry.insert(World { app: Arc::clone(&app), tasks, order: *created });
        app.touch();
        Ok(app)
    }

    /// Removes the world of this name, and ends its deliveries; returns false if there is none.
    pub(crate) fn remove_named(&self, name: &str) -> bool {
        self.get(name).is_some_and(|app| self.remove(&app))
    }

    /// Removes a world, and ends its deliveries; returns false if it was removed before.
    pub(crate) fn remove(&self, app: &App) -> bool {
        let mut named = self.write();
        let Entry::Occupied(entry) = named.worlds.entry(app.name.clone()) else {
            return false;
        };
        if !Arc::ptr_eq(&entry.get().app, app) {
            return false;
        }
        let World { tasks, .. } = entry.remove();
        if let Some(generations) = app.repeated_generations() {
            named.generations.insert(app.name.clone(), generations);
        }
        drop(named);
        app.touch();
        tasks.stop_part();
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, Named> {
        self.named.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Named> {
        self.named.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}
