//! Where commands that run for the same agent on this machine find each other.

use std::path::PathBuf;

use agent_client_core::home_folder;
use machins_client::webhook::Signer;
use machins_client::{DEFAULT_BASE_URL, Secret};

use crate::config::key::BASE_URL;
use crate::context::Context;
use crate::error::Failure;

/// The number of characters in a name: the path of a socket can have only about 100.
const NAME: usize = 16;

/// Returns the path of a file in this folder of the user: each agent of each service has its own.
/// `None` if the user has no home directory.
pub(super) fn agent_file(context: &Context, folder: &str) -> Result<Option<PathBuf>, Failure> {
    let (Some(key), Some(home)) = (context.api_key()?, home_folder()) else {
        return Ok(None);
    };
    let url = context.value(&BASE_URL)?.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    let name = Signer::new(&Secret::new(key.expose()))?.sign(url.trim_end_matches('/').as_bytes());
    Ok(Some(home.join(".machins").join(folder).join(&name[..NAME])))
}
