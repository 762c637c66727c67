//! The effective value of a setting, and where it comes from.

use std::fmt;

use super::document::Document;
use super::key::Key;
use crate::error::Failure;
use crate::flags::Global;

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The flag of that name.
    Flag(&'static str),
    /// The environment variable of that name.
    Environment(&'static str),
    /// The profile of that name in the config file.
    Profile(String),
    /// The top level of the config file.
    File,
    /// The default: nothing sets it.
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

/// The effective value of a setting.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// The value that a flag gives to a setting.
fn from_flag<'a>(key: &Key, global: &'a Global) -> Option<&'a str> {
    match key.flag {
        Some("--base-url") => global.base_url.as_deref(),
        Some("--machineid-url") => global.machineid_url.as_deref(),
        _ => None,
    }
}

/// Finds the effective value of a setting: from its flag, the environment, the profile, the config
/// file or its default, in this order. The config file is read only if it is its turn.
pub(crate) fn resolve<'a>(
    key: &Key,
    global: &Global,
    environment: impl Fn(&str) -> Result<Option<String>, Failure>,
    document: impl FnOnce() -> Result<&'a Document, Failure>,
) -> Result<Option<Setting>, Failure> {
    if let (Some(flag), Some(value)) = (key.flag, from_flag(key, global)) {
        return Ok(Some(Setting { value: value.to_owned(), origin: Origin::Flag(flag) }));
    }
    if let Some(name) = key.variable
        && let Some(value) = environment(name)?
    {
        return Ok(Some(Setting { value, origin: Origin::Environment(name) }));
    }
    let document = document()?;
    let profile = global.profile.as_deref().or_else(|| document.default_profile());
    let from_profile = || {
        let value = document.text(Some(profile?), key)?;
        Some((value, Origin::Profile(profile?.to_owned())))
    };
    let file = || Some((document.text(None, key)?, Origin::File));
    let default = || Some((key.default?.to_owned(), Origin::Default));
    let found = from_profile().or_else(file).or_else(default);
    Ok(found.map(|(value, origin)| Setting { value, origin }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_wins() {
        let key = Key::named("machineid.base_url").unwrap();
        let document = Document::parse(
            r#"{"machineid": {"base_url": "file"},
                "profiles": {"ci": {"machineid": {"base_url": "profile"}}, "bare": {}}}"#,
        )
        .unwrap();
        let value =
            |flag: Option<&str>, variable: Option<&str>, profile: Option<&str>, document| {
                let global = Global {
                    machineid_url: flag.map(Into::into),
                    profile: profile.map(Into::into),
                    ..Global::default()
                };
                let Setting { value, origin } = resolve(
                    key,
                    &global,
                    |name| Ok(variable.filter(|_| name == "MACHINEID_BASE_URL").map(Into::into)),
                    || Ok(document),
                )
                .ok()
                .flatten()
                .unwrap();
                (value, origin.to_string())
            };
        let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        let ci = Some("ci");
        assert_eq!(
            value(Some("flag"), Some("env"), ci, &document),
            pair("flag", "flag --machineid-url")
        );
        assert_eq!(
            value(None, Some("env"), ci, &document),
            pair("env", "environment MACHINEID_BASE_URL")
        );
        assert_eq!(value(None, None, ci, &document), pair("profile", "profile ci"));
        assert_eq!(value(None, None, Some("bare"), &document), pair("file", "file"));
        assert_eq!(value(None, None, None, &document), pair("file", "file"));
        assert_eq!(
            value(None, None, None, &Document::default()),
            pair("https://machineid.io", "default")
        );
    }
}
