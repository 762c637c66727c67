//! Worlds beside the server's own, for tests that share a server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::done::{DONE, Done};
use crate::http::Refusal::{Conflict, Invalid};
use crate::http::{AllWorlds, Api, BaseUrl, OptionalBody, PathText, Problem, Reply};
use crate::state::App;
use crate::worlds::{WorldError, path_of_world};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/worlds", "List the worlds beside the server's own", worlds)
        .post("/_mock/worlds", "Create a world of its own, under a path of its own", create_world)
        .refuses([Invalid, Conflict])
        .delete("/_mock/worlds/{name}", "Remove a world with everything in it", remove_world)
}

/// A world to create.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct NewWorld {
    /// 1 to 64 letters, digits and `. _ -`; chosen by the server by default.
    name: Option<String>,
    /// The seed of the world's random values. By default it follows from the server's seed and the
    /// name, or is random if the server has none.
    seed: Option<u64>,
}

/// A world with everything that a server has: keys, clock, faults, journal and control API.
#[derive(Serialize, JsonSchema)]
struct WorldAddress {
    name: String,
    /// The URL under which all routes of the world are, the control API included.
    url: String,
    machins_base_url: String,
    machineid_base_url: String,
}

/// The worlds in order of creation.
#[derive(Serialize, JsonSchema)]
struct WorldList {
    worlds: Vec<WorldAddress>,
}

impl WorldAddress {
    fn new(app: &App, BaseUrl(base): &BaseUrl) -> Self {
        let url = format!("{base}{}", path_of_world(&app.name));
        Self {
            name: app.name.clone(),
            machins_base_url: format!("{url}/api/v1"),
            machineid_base_url: url.clone(),
            url,
        }
    }
}

impl From<WorldError> for Problem {
    fn from(error: WorldError) -> Self {
        let (status, code) = match error {
            WorldError::Duplicate(_) => (409, "DUPLICATE"),
            _ => (400, "BAD_REQUEST"),
        };
        Self::new(status, code, error.to_string())
    }
}

async fn worlds(AllWorlds(worlds): AllWorlds, base: BaseUrl) -> Reply<200, WorldList> {
    let worlds = worlds.named();
    Reply(WorldList { worlds: worlds.iter().map(|app| WorldAddress::new(app, &base)).collect() })
}

async fn create_world(
    AllWorlds(worlds): AllWorlds,
    base: BaseUrl,
    OptionalBody(body): OptionalBody<NewWorld>,
) -> Result<Reply<201, WorldAddress>, Problem> {
    let NewWorld { name, seed } = body?;
    let app = worlds.create(name, seed)?;
    Ok(Reply(WorldAddress::new(&app, &base)))
}

async fn remove_world(
    AllWorlds(worlds): AllWorlds,
    PathText(name): PathText,
) -> Result<Reply<200, Done>, Problem> {
    if worlds.remove_named(&name) {
        Ok(DONE)
    } else {
        Err(Problem::new(404, "WORLD_NOT_FOUND", "there is no world of this name"))
    }
}
