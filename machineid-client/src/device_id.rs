//! Device ids.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use agent_client_core::{Error, ErrorKind, variable};
use serde::{Deserialize, Serialize};

const MAX_LENGTH: usize = 128;

/// The id of a device within its org: 1 to 128 ASCII letters, digits and `. _ : @ / -`.
///
/// [`new`](Self::new) checks an id before anything is sent. An id in a reply is not checked.
///
/// ```
/// use machineid_client::DeviceId;
///
/// assert_eq!(DeviceId::new(" agent-01 ")?.as_str(), "agent-01");
/// assert!(DeviceId::new("agent 01").is_err());
/// # Ok::<(), machineid_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(String);

/// The body of a request about one device.
#[derive(Serialize)]
pub(crate) struct DeviceBody<'a> {
    #[serde(rename = "deviceId")]
    pub(crate) device: &'a DeviceId,
}

impl DeviceId {
    /// Creates a device id from its text. Whitespace around it is removed.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the id is empty, too long, or contains another
    /// character.
    pub fn new(id: &str) -> Result<Self, Error> {
        let id = id.trim();
        let refuse = |why: String| {
            Err(Error::new(ErrorKind::InvalidInput, format!("invalid device id: {why}")))
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._:@/-".contains(c);
        if id.is_empty() {
            return refuse("it is empty".to_owned());
        }
        if let Some(c) = id.chars().find(|c| !is_allowed(*c)) {
            return refuse(format!("{c:?} is not a letter, a digit or one of . _ : @ / -"));
        }
        if id.len() > MAX_LENGTH {
            return refuse(format!(
                "it has {} characters, but at most {MAX_LENGTH} are allowed",
                id.len()
            ));
        }
        Ok(Self(id.to_owned()))
    }

    /// Creates a device id from the environment variable `MACHINEID_DEVICE_ID`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the variable is not set or not a valid device id.
    pub fn from_env() -> Result<Self, Error> {
        match variable("MACHINEID_DEVICE_ID")? {
            Some(id) => Self::new(&id),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "MACHINEID_DEVICE_ID is not set; export the id of this device",
            )),
        }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DeviceId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl AsRef<str> for DeviceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DeviceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeviceId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self, Error> {
        Self::new(&id)
    }
}

impl TryFrom<&str> for DeviceId {
    type Error = Error;

    fn try_from(id: &str) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.0
    }
}
