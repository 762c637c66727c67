//! Reading the config file, which the command line and the Python package write.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use agent_client_core::{Error, ErrorKind};
use serde::Deserialize;

/// The settings that a client takes from the file. The command line keeps more there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) api_key: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) owner: Owner,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) token: Option<String>,
}

/// Reads the file. A file that does not exist counts as empty.
pub(crate) fn read() -> Result<Config, Error> {
    let path = path()?;
    let refuse = |reason: &dyn std::fmt::Display| {
        let message = format!("the config file {} cannot be read: {reason}", path.display());
        Error::new(ErrorKind::InvalidInput, message)
    };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(refuse(&error)),
    };
    // The parser's own message may repeat a value, such as the key.
    serde_json::from_slice(&text).map_err(|error| {
        refuse(&format_args!(
            "its content is invalid at line {}, column {}",
            error.line(),
            error.column()
        ))
    })
}

/// The path of the config file.
pub(crate) fn path() -> Result<PathBuf, Error> {
    if let Some(path) = env::var_os("MACHINS_CONFIG").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let home = env::home_dir().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "the home directory is unknown; set MACHINS_CONFIG to the path of the config file",
        )
    })?;
    Ok(home.join(".machins").join("config.json"))
}
