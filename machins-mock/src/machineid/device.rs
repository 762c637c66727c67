//! Devices and their ids.

use std::fmt;

use indexmap::Equivalent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// A valid device id: 1 to 128 ASCII letters, digits and `. _ : @ / -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9._:@/-]{1,128}$"))]
pub(crate) struct DeviceId(String);

/// An error: the text is not a device id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device id must be 1 to 128 letters, digits and . _ : @ / -")]
pub(crate) struct InvalidDeviceId;

impl DeviceId {
    /// Reads a device id, ignoring whitespace around it.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDeviceId> {
        let id = text.trim();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/-".contains(&byte);
        if (1..=128).contains(&id.len()) && id.bytes().all(allowed) {
            Ok(Self(id.to_owned()))
        } else {
            Err(InvalidDeviceId)
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DeviceId {
    type Error = InvalidDeviceId;

    fn try_from(text: String) -> Result<Self, InvalidDeviceId> {
        Self::parse(&text)
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.0
    }
}

impl Equivalent<DeviceId> for str {
    fn equivalent(&self, key: &DeviceId) -> bool {
        self == key.0
    }
}

/// A registered device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) created_at: Time,
    pub(crate) last_validated_at: Option<Time>,
    pub(crate) revoked: Option<Revocation>,
}

/// The revocation of a device.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) at: Time,
    /// The order of revocations: many can have the same time, and the latest are restored first.
    pub(crate) order: u64,
}

impl Device {
    pub(crate) fn new(now: Time) -> Self {
        Self { created_at: now, last_validated_at: None, revoked: None }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.revoked.is_none()
    }
}
