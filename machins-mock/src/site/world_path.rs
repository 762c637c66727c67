//! The worlds in the paths of requests.

use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;

use crate::http::Problem;
use crate::state::App;
use crate::worlds::{PREFIX, Worlds};

/// Returns the world that a request is for, and takes its name out of the URI; a 404 if there is no
/// such world.
pub(crate) fn enter_world(worlds: &Worlds, uri: &mut Uri) -> Result<App, Problem> {
    let Some(rest) = uri.path().strip_prefix(PREFIX) else {
        return Ok(Arc::clone(worlds.own()));
    };
    let name = rest.split('/').next().unwrap_or_default();
    let app = worlds.get(name).ok_or_else(|| {
        let detail = format!("there is no world named {name}; POST /_mock/worlds creates one");
        Problem::new(404, "WORLD_NOT_FOUND", detail)
    })?;
    let whole = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let rest = &whole[PREFIX.len() + name.len()..];
    let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    // The rest of a valid URI is valid.
    *uri = rest.parse().unwrap_or_default();
    Ok(app)
}
