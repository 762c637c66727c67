//! Reading the config file, which the command line and the Python package write.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::environment::variable;
use crate::error::{Error, ErrorKind};
use crate::files::{home_folder, open_without_waiting, read_to_limit};

/// What some editors begin a file with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file that stands for no config file.
const NO_FILE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// The settings in the config file: those of a profile and, for what that does not have, those at
/// the top level. Meant for the client crates.
#[derive(Default)]
pub struct ConfigFile {
    /// The profile, if there is one, and the top level.
    places: Vec<Settings>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    api_key: Option<String>,
    base_url: Option<String>,
    owner: Option<Owner>,
    machineid: Option<MachineId>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MachineId {
    org_key: Option<String>,
    base_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Profiles {
    profiles: Option<BTreeMap<String, Option<Settings>>>,
}

impl ConfigFile {
    /// Reads `~/.machins/config.json`, or the file that `MACHINS_CONFIG` names, with this profile or
    /// else the one that `MACHINS_PROFILE` names. A file that does not exist counts as empty.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the file cannot be read, belongs to neither this user
    /// nor root, can be written to by others, or has no such profile.
    pub fn read(profile: Option<&str>) -> Result<Self, Error> {
        let profile = match profile {
            Some(name) => Some(name.to_owned()),
            None => variable("MACHINS_PROFILE")?,
        };
        let path = Self::path()?;
        let text = contents(&path).map_err(|reason| refuse(&path, &reason))?;
        let mut places = vec![parse(&path, &text)?];
        if let Some(name) = profile {
            let Profiles { profiles } = parse(&path, &text)?;
            let Some(settings) = profiles.unwrap_or_default().remove(&name) else {
                let message = format!("the config file {} has no profile {name}", path.display());
                return Err(Error::new(ErrorKind::InvalidInput, message));
            };
            places.insert(0, settings.unwrap_or_default());
        }
        Ok(Self { places })
    }

    /// Returns the path of the file.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the home directory is needed and unknown.
    pub fn path() -> Result<PathBuf, Error> {
        let home = || {
            home_folder().ok_or_else(|| {
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

    /// Returns the API key of machins, or `None` if there is none.
    #[must_use]
    pub fn api_key(&self) -> Option<String> {
        self.find(|settings| settings.api_key.as_ref())
    }

    /// Returns the base URL of machins, or `None` if there is none.
    #[must_use]
    pub fn base_url(&self) -> Option<String> {
        self.find(|settings| settings.base_url.as_ref())
    }

    /// Returns the token of the owner, or `None` if there is none.
    #[must_use]
    pub fn owner_token(&self) -> Option<String> {
        self.find(|settings| settings.owner.as_ref()?.token.as_ref())
    }

    /// Returns the org key of MachineID, or `None` if there is none.
    #[must_use]
    pub fn org_key(&self) -> Option<String> {
        self.find(|settings| settings.machineid.as_ref()?.org_key.as_ref())
    }

    /// Returns the base URL of MachineID, or `None` if there is none.
    #[must_use]
    pub fn machineid_base_url(&self) -> Option<String> {
        self.find(|settings| settings.machineid.as_ref()?.base_url.as_ref())
    }

    fn find(&self, get: impl Fn(&Settings) -> Option<&String>) -> Option<String> {
        let mut found = self.places.iter().filter_map(get);
        found.find(|value| !value.trim().is_empty()).cloned()
    }
}

/// Returns what is in the file.
fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let file = match open_without_waiting(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    // Of the file that is open, not of one that takes its place meanwhile.
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    check_trust(&metadata)?;
    if !metadata.is_file() && path != Path::new(NO_FILE) {
        return Err("it is not a regular file".to_owned());
    }
    read_to_limit(file).map_err(|error| error.to_string())
}

/// Refuses a file that another user could have written: its keys and addresses may be theirs.
#[cfg(unix)]
fn check_trust(metadata: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    let (owner, user) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if owner != 0 && owner != user {
        return Err(format!(
            "it belongs to the user {owner}, and only a file of the user {user} or of root is trusted"
        ));
    }
    let mode = metadata.mode() & 0o777;
    if metadata.is_file() && mode & 0o022 != 0 {
        return Err(format!("other users can write to it (mode {mode:04o}): chmod 600"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_trust(_metadata: &Metadata) -> Result<(), String> {
    Ok(())
}

fn parse<T: DeserializeOwned + Default>(path: &Path, text: &[u8]) -> Result<T, Error> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // The parser's own message may repeat a value, such as the key.
    serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        refuse(path, &format_args!("its content is invalid at line {line}, column {column}"))
    })
}

fn refuse(path: &Path, reason: &dyn Display) -> Error {
    let message = format!("the config file {} cannot be read: {reason}", path.display());
    Error::new(ErrorKind::InvalidInput, message)
}
