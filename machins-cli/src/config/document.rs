//! The content of the config file: JSON whose known keys are checked and whose others are kept.

use machins_client::SpendingPolicy;
use serde_json::{Map, Value};

use super::key::{KEYS, Key, POLICY};
use crate::text::without_password;

/// The key of the config file that names the profile in use when nothing else does.
const DEFAULT_PROFILE: &str = "default_profile";

/// The JSON object in the config file, its keys in their order.
#[derive(Clone, PartialEq)]
pub(crate) struct Document(Value);

/// A credential that must not be lost, and the settings that belong to it.
pub(crate) struct Kept {
    pub(crate) secret: &'static Key,
    pub(crate) others: &'static [Key],
    pub(crate) base_url: &'static Key,
}

impl Default for Document {
    fn default() -> Self {
        Self(Map::new().into())
    }
}

impl Document {
    /// Parses the text of a config file, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        check(&value)?;
        Ok(Self(value))
    }

    /// Formats the text of the config file.
    pub(crate) fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text + "\n"
    }

    /// Returns the value of a setting at the top level or in a profile. `None` if it is absent or
    /// empty.
    pub(crate) fn get(&self, profile: Option<&str>, key: &Key) -> Option<&str> {
        path(profile, key)
            .try_fold(&self.0, |place, step| place.get(step))?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// Returns the value of a setting as text, also if it is a number, a boolean or a list. `None` if
    /// it is absent or empty.
    pub(crate) fn text(&self, profile: Option<&str>, key: &Key) -> Option<String> {
        let value = path(profile, key).try_fold(&self.0, |place, step| place.get(step))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            Value::Null | Value::Object(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Returns the spending policy at the top level or in a profile, or says what is wrong with it.
    pub(crate) fn policy(&self, profile: Option<&str>) -> Result<SpendingPolicy, String> {
        let place = match profile {
            None => Some(&self.0),
            Some(name) => self.0.get("profiles").and_then(|profiles| profiles.get(name)),
        };
        match place.and_then(|place| place.get(POLICY)) {
            None | Some(Value::Null) => Ok(SpendingPolicy::new()),
            Some(policy) => {
                SpendingPolicy::from_json(&policy.to_string()).map_err(|error| error.to_string())
            }
        }
    }

    /// Whether the spending policies of another document refuse something that these allow. One that
    /// cannot be read allows nothing.
    pub(crate) fn raises_limits_of(&self, other: &Self) -> bool {
        let places = other.profiles().into_iter().map(Some).chain([None]);
        places.into_iter().any(|place| {
            let Ok(before) = other.policy(place) else { return false };
            match self.policy(place) {
                Ok(after) => !after.is_as_strict_as(&before),
                Err(_) => false,
            }
        })
    }

    /// Sets a setting at the top level or in a profile, which is created if it does not exist.
    pub(crate) fn set(&mut self, profile: Option<&str>, key: &Key, value: &str) {
        // Indexing creates missing objects; `check` has made sure that nothing else is in the way.
        *path(profile, key).fold(&mut self.0, |place, step| &mut place[step]) = value.into();
    }

    /// Removes a setting from the top level or from a profile.
    pub(crate) fn remove(&mut self, profile: Option<&str>, key: &Key) {
        let mut steps: Vec<_> = path(profile, key).collect();
        let name = steps.pop().unwrap_or_default();
        let place = steps.into_iter().try_fold(&mut self.0, |place, step| place.get_mut(step));
        if let Some(Value::Object(place)) = place {
            // Unlike `remove`, this keeps the order of the other keys.
            place.shift_remove(name);
        }
    }

    /// Copies a credential that is about to be replaced, and the settings that belong to it, to a
    /// new profile. Returns the name of the profile: the first of `names` that is free. `None` if
    /// there is no such credential. With `moves` another base URL is about to be saved, so the old
    /// credential keeps the one that it was used with.
    pub(crate) fn keep(
        &mut self,
        profile: Option<&str>,
        kept: &Kept,
        moves: bool,
        names: impl IntoIterator<Item = String>,
    ) -> Option<String> {
        self.get(profile, kept.secret)?;
        let name = names.into_iter().find(|name| !self.profiles().contains(&name.as_str()))?;
        for key in std::iter::once(kept.secret).chain(kept.others) {
            if let Some(value) = self.get(profile, key).map(str::to_owned) {
                self.set(Some(&name), key, &value);
            }
        }
        // The limits of the place that it leaves hold for it there too.
        if let Some(policy) = profile.and_then(|from| self.0["profiles"][from].get(POLICY)).cloned()
        {
            self.0["profiles"][&name][POLICY] = policy;
        }
        let url = kept.base_url;
        let value = self
            .get(profile, url)
            .or_else(|| self.get(None, url))
            .or(url.default.filter(|_| moves));
        if let Some(value) = value.map(str::to_owned) {
            self.set(Some(&name), url, &value);
        }
        Some(name)
    }

    /// Returns the names of the profiles.
    pub(crate) fn profiles(&self) -> Vec<&str> {
        self.0
            .get("profiles")
            .and_then(Value::as_object)
            .map(|profiles| profiles.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// Returns the profile to use when neither a flag nor the environment names one.
    pub(crate) fn default_profile(&self) -> Option<&str> {
        self.0.get(DEFAULT_PROFILE).and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    /// Sets the profile to use when nothing names one; `None` is the top level.
    pub(crate) fn set_default_profile(&mut self, name: Option<&str>) {
        if let Value::Object(map) = &mut self.0 {
            match name {
                Some(name) => drop(map.insert(DEFAULT_PROFILE.to_owned(), name.into())),
                None => drop(map.shift_remove(DEFAULT_PROFILE)),
            }
        }
    }

    /// Removes a profile, and the choice of it as the default. Returns whether it existed.
    pub(crate) fn remove_profile(&mut self, name: &str) -> bool {
        if self.default_profile() == Some(name) {
            self.set_default_profile(None);
        }
        let profiles = self.0.get_mut("profiles").and_then(Value::as_object_mut);
        profiles.is_some_and(|profiles| profiles.shift_remove(name).is_some())
    }

    /// Renames a profile, which keeps its place, and the choice of it as the default.
    pub(crate) fn rename_profile(&mut self, name: &str, to: &str) {
        if self.default_profile() == Some(name) {
            self.set_default_profile(Some(to));
        }
        if let Some(Value::Object(profiles)) = self.0.get_mut("profiles") {
            let renamed = std::mem::take(profiles).into_iter().map(|(key, value)| {
                if key == name { (to.to_owned(), value) } else { (key, value) }
            });
            *profiles = renamed.collect();
        }
    }

    /// Checks the value of every setting, and the spending policies, at the top level and in the
    /// profiles.
    pub(crate) fn check_values(&self) -> Result<(), String> {
        let profiles = self.profiles();
        for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
            let place = profile.map_or_else(String::new, |name| format!("profiles.{name}."));
            for key in &KEYS {
                let Some(value) = self.get(profile, key) else { continue };
                key.check(value).map_err(|error| format!("{place}{}: {error}", key.name))?;
            }
            let _valid =
                self.policy(profile).map_err(|error| format!("{place}{POLICY}: {error}"))?;
        }
        match self.default_profile() {
            Some(name) if !self.profiles().contains(&name) => {
                Err(format!("{DEFAULT_PROFILE}: there is no profile {name:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the document with every secret masked.
    pub(crate) fn masked(&self) -> Value {
        let mut masked = self.0.clone();
        mask_place(&mut masked);
        if let Some(Value::Object(profiles)) = masked.get_mut("profiles") {
            profiles.values_mut().for_each(mask_place);
        }
        masked
    }
}

fn path<'a>(profile: Option<&'a str>, key: &Key) -> impl Iterator<Item = &'a str> {
    profile.map(|name| ["profiles", name]).into_iter().flatten().chain(key.name.split('.'))
}

/// Checks the types of all known keys, at the top level and in each profile.
fn check(document: &Value) -> Result<(), String> {
    let Value::Object(map) = document else {
        return Err("it is not a JSON object".into());
    };
    check_place(document, "")?;
    if !matches!(map.get(DEFAULT_PROFILE), None | Some(Value::Null | Value::String(_))) {
        return Err(format!("{DEFAULT_PROFILE} is not a string"));
    }
    match map.get("profiles") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(profiles)) => profiles.iter().try_for_each(|(name, profile)| {
            let name = format!("profiles.{name}");
            match profile {
                Value::Null => Ok(()),
                Value::Object(_) => check_place(profile, &format!("{name}.")),
                _ => Err(format!("{name} is not an object")),
            }
        }),
        Some(_) => Err("profiles is not an object".into()),
    }
}

fn check_place(place: &Value, prefix: &str) -> Result<(), String> {
    for key in &KEYS {
        if let Some((parent, _)) = key.name.split_once('.')
            && !matches!(place.get(parent), None | Some(Value::Null | Value::Object(_)))
        {
            return Err(format!("{prefix}{parent} is not an object"));
        }
        // A policy that is not valid is an error only where something is to be spent.
        let is_string =
            matches!(place.pointer(&key.pointer()), None | Some(Value::Null | Value::String(_)));
        if !is_string && key.rule().is_none() {
            return Err(format!("{prefix}{} is not a string", key.name));
        }
    }
    Ok(())
}

fn mask_place(place: &mut Value) {
    for key in &KEYS {
        if let Some(Value::String(text)) = place.pointer_mut(&key.pointer()) {
            *text = shown(key, text);
        }
    }
}

/// Formats a value for people: masked if it is a secret, without a password if it is an address.
pub(crate) fn shown(key: &Key, value: &str) -> String {
    if key.secret {
        mask(value)
    } else if key.is_url() {
        without_password(value).into_owned()
    } else {
        value.to_owned()
    }
}

/// Masks a secret: enough is left to tell it from another.
pub(crate) fn mask(secret: &str) -> String {
    const SHOWN: usize = 4;
    let count = secret.chars().count();
    let prefix = secret.find('_').filter(|at| *at <= SHOWN).map_or("", |at| &secret[..=at]);
    if count < 4 * SHOWN {
        return format!("{prefix}…");
    }
    let tail: String = secret.chars().skip(count - SHOWN).collect();
    format!("{prefix}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> &'static Key {
        Key::named(name).unwrap()
    }

    #[test]
    fn unknown_keys_are_kept_in_their_order() {
        let text = r#"{"z": [1.5, null], "api_key": "at_x", "machineid": {"later": true, "device_id": "a"}, "a": {}}"#;
        let mut document = Document::parse(text).unwrap();
        document.set(None, key("machineid.org_key"), "org_1");
        document.remove(None, key("machineid.device_id"));
        assert_eq!(
            document.0.to_string(),
            r#"{"z":[1.5,null],"api_key":"at_x","machineid":{"later":true,"org_key":"org_1"},"a":{}}"#
        );
    }

    #[test]
    fn a_profile_keeps_its_place_and_rank_when_renamed() {
        let text = r#"{"profiles": {"a": {}, "b": {"api_key": "at_b"}, "c": {}}, "x": 1}"#;
        let mut document = Document::parse(text).unwrap();
        document.set_default_profile(Some("b"));
        document.rename_profile("b", "bob");
        assert_eq!(document.profiles(), ["a", "bob", "c"]);
        assert_eq!(document.default_profile(), Some("bob"));
        assert!(document.remove_profile("bob") && !document.remove_profile("bob"));
        assert_eq!(document.default_profile(), None);
        assert_eq!(document.0.to_string(), r#"{"profiles":{"a":{},"c":{}},"x":1}"#);
    }

    #[test]
    fn profiles_hold_the_same_keys() {
        let mut document = Document::default();
        document.set(Some("ci"), key("machineid.device_id"), "ci-1");
        assert_eq!(document.get(Some("ci"), key("machineid.device_id")), Some("ci-1"));
        assert_eq!(document.get(None, key("machineid.device_id")), None);
        assert_eq!(document.profiles(), ["ci"]);
    }

    #[test]
    fn wrong_shapes_are_named() {
        for (text, complaint) in [
            ("", "EOF"),
            ("[]", "not a JSON object"),
            (r#"{"api_key": 1}"#, "api_key is not a string"),
            (r#"{"machineid": "org_1"}"#, "machineid is not an object"),
            (r#"{"profiles": []}"#, "profiles is not an object"),
            (r#"{"profiles": {"ci": 1}}"#, "profiles.ci is not an object"),
            (
                r#"{"profiles": {"ci": {"machineid": {"org_key": 1}}}}"#,
                "profiles.ci.machineid.org_key is not a string",
            ),
        ] {
            let error = Document::parse(text).err().unwrap();
            assert!(error.contains(complaint), "{text}: {error}");
        }
        for text in [r#"{"machineid": null}"#, r#"{"profiles": {"ci": null}, "agent_id": null}"#] {
            let mut document = Document::parse(text).unwrap();
            document.set(Some("ci"), key("machineid.org_key"), "org_1");
            assert_eq!(document.get(Some("ci"), key("machineid.org_key")), Some("org_1"));
        }
    }

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        let text = r#"{"api_key": "at_0123456789abcdef", "owner": {"token": "short"},
            "profiles": {"ci": {"machineid": {"org_key": "org_0123456789abcdef", "device_id": "d"}}}}"#;
        let masked = Document::parse(text).unwrap().masked().to_string();
        assert_eq!(
            masked,
            r#"{"api_key":"at_…cdef","owner":{"token":"…"},"profiles":{"ci":{"machineid":{"org_key":"org_…cdef","device_id":"d"}}}}"#
        );
    }
}
