//! Reading the config file, which the command line and the Python package write.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use agent_client_core::{Error, ErrorKind, variable};
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

/// Reads the file. A file that does not exist counts as empty. Unlike the command line, a program that
/// uses this crate decides itself whose files it trusts.
pub(crate) fn read() -> Result<Config, Error> {
    let path = path()?;
    let refuse = |reason: &dyn std::fmt::Display| {
        let message = format!("the config file {} cannot be read: {reason}", path.display());
        Error::new(ErrorKind::InvalidInput, message)
    };
    let text = match fs::read(&path) {
        // Some editors begin a file with a byte order mark.
        Ok(text) => text.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(refuse(&error)),
    };
    if text.trim_ascii().is_empty() {
        return Ok(Config::default());
    }
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
    let home = || {
        env::home_dir().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "the home directory is unknown; set MACHINS_CONFIG to the path of the config file",
            )
        })
    };
    match variable("MACHINS_CONFIG")? {
        None => Ok(home()?.join(".machins").join("config.json")),
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => Ok(home()?.join(rest)),
            None => Ok(path.into()),
        },
    }
}
