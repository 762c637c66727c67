//! Which value of a setting is in force, and where it comes from.

use std::fmt;

use machineid_client::{BaseUrl, DeviceId, OrgKey};
use machins_client::ApiKey;

use super::document::Document;
use crate::args::Global;

/// A setting: where a value for it may come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its name, which is its place in the file.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) variable: Option<&'static str>,
    /// Its flag.
    pub(crate) flag: Option<&'static str>,
    /// What it is when nobody says.
    pub(crate) default: Option<&'static str>,
    /// Whether it must never be shown.
    pub(crate) secret: bool,
}

const BARE: Key = Key { name: "", variable: None, flag: None, default: None, secret: false };

/// The agent's key to the market.
pub(crate) const API_KEY: Key =
    Key { name: "api_key", variable: Some("MACHINS_API_KEY"), secret: true, ..BARE };

/// The agent whose key that is.
pub(crate) const AGENT_ID: Key = Key { name: "agent_id", ..BARE };

/// Its public name.
pub(crate) const AGENT_SLUG: Key = Key { name: "agent_slug", ..BARE };

/// The token of the person who owns it.
pub(crate) const OWNER_TOKEN: Key = Key { name: "owner.token", secret: true, ..BARE };

/// The market's address.
pub(crate) const BASE_URL: Key = Key {
    name: "base_url",
    variable: Some("MACHINS_BASE_URL"),
    flag: Some("--base-url"),
    default: Some(machins_client::DEFAULT_BASE_URL),
    ..BARE
};

/// The key that all devices of an organisation share.
pub(crate) const MACHINEID_ORG_KEY: Key =
    Key { name: "machineid.org_key", variable: Some("MACHINEID_ORG_KEY"), secret: true, ..BARE };

/// The device that this machine is.
pub(crate) const MACHINEID_DEVICE_ID: Key =
    Key { name: "machineid.device_id", variable: Some("MACHINEID_DEVICE_ID"), ..BARE };

/// MachineID's address.
pub(crate) const MACHINEID_BASE_URL: Key = Key {
    name: "machineid.base_url",
    variable: Some("MACHINEID_BASE_URL"),
    flag: Some("--machineid-url"),
    default: Some(machineid_client::DEFAULT_BASE_URL),
    ..BARE
};

/// The settings, as the configuration file names them.
pub(crate) const KEYS: [Key; 8] = [
    API_KEY,
    AGENT_ID,
    AGENT_SLUG,
    BASE_URL,
    MACHINEID_ORG_KEY,
    MACHINEID_DEVICE_ID,
    MACHINEID_BASE_URL,
    OWNER_TOKEN,
];

impl Key {
    /// The setting of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }

    /// Whether a value for it can be one, and if not, why.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let checked = match self.name {
            "api_key" => ApiKey::new(value).map(drop),
            "machineid.org_key" => OrgKey::new(value).map(drop),
            "machineid.device_id" => DeviceId::new(value).map(drop),
            "machineid.base_url" | "base_url" => BaseUrl::parse(value).map(drop),
            _ => Ok(()),
        };
        checked.map_err(|error| error.to_string())
    }

    fn given<'a>(&self, global: &'a Global) -> Option<&'a str> {
        match self.flag {
            Some("--base-url") => global.base_url.as_deref(),
            Some("--machineid-url") => global.machineid_url.as_deref(),
            _ => None,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// A profile of the file.
    Profile(String),
    /// The file.
    File,
    /// Nobody said.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::File => f.write_str("file"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value in force.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// The value of a setting: flag, environment, profile, file, default.
pub(crate) fn resolve(
    key: &Key,
    global: &Global,
    environment: impl Fn(&str) -> Option<String>,
    document: &Document,
) -> Option<Setting> {
    let profile = global.profile.as_deref();
    let flag = || Some((key.given(global)?.to_owned(), Origin::Flag(key.flag?)));
    let variable = || {
        let name = key.variable?;
        let value = environment(name).filter(|value| !value.is_empty())?;
        Some((value, Origin::Environment(name)))
    };
    let from_profile = || {
        let value = document.get(Some(profile?), key)?;
        Some((value.to_owned(), Origin::Profile(profile?.to_owned())))
    };
    let file = || Some((document.get(None, key)?.to_owned(), Origin::File));
    let default = || Some((key.default?.to_owned(), Origin::Default));
    let (value, origin) =
        flag().or_else(variable).or_else(from_profile).or_else(file).or_else(default)?;
    Some(Setting { value, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_word_counts() {
        let key = Key::named("machineid.base_url").unwrap();
        let document = Document::parse(
            r#"{"machineid": {"base_url": "file"},
                "profiles": {"ci": {"machineid": {"base_url": "profile"}}, "bare": {}}}"#,
        )
        .unwrap();
        let look = |flag: Option<&str>, variable: Option<&str>, profile: Option<&str>, document| {
            let global = Global {
                machineid_url: flag.map(Into::into),
                profile: profile.map(Into::into),
                ..Global::default()
            };
            let Setting { value, origin } = resolve(
                key,
                &global,
                |name| variable.filter(|_| name == "MACHINEID_BASE_URL").map(Into::into),
                document,
            )
            .unwrap();
            (value, origin.to_string())
        };
        let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        let ci = Some("ci");
        assert_eq!(
            look(Some("flag"), Some("env"), ci, &document),
            pair("flag", "flag --machineid-url")
        );
        assert_eq!(
            look(None, Some("env"), ci, &document),
            pair("env", "environment MACHINEID_BASE_URL")
        );
        assert_eq!(look(None, Some(""), ci, &document), pair("profile", "profile ci"));
        assert_eq!(look(None, None, Some("bare"), &document), pair("file", "file"));
        assert_eq!(look(None, None, None, &document), pair("file", "file"));
        assert_eq!(
            look(None, None, None, &Document::default()),
            pair("https://machineid.io", "default")
        );
    }
}
