//! `machins config`.

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::topics;
use crate::config::document::{Document, shown};
use crate::config::file::ConfigFile;
use crate::config::key::{KEYS, Key};
use crate::config::settings::Setting;
use crate::context::Context;
use crate::error::Failure;
use crate::style::{FAINT, GOOD};
use crate::table::{Table, cell, styled};
use crate::{editor, input, json, suggestion};

/// Read and change settings
///
/// Without a subcommand, this is `config show`. The value of a setting is the first of: its
/// flag, its environment variable, the profile that --profile names, the config file, the
/// default.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins config explain\n  \
                  machins config set machineid.device_id agent-01")]
pub(crate) struct Config {
    /// Save a setting, as `config set` does; for compatibility with the Python package
    #[arg(long, value_name = "K=V", conflicts_with = "get", hide = true)]
    set: Option<String>,
    /// Print a setting, as `config get` does; for compatibility with the Python package
    #[arg(long, value_name = "K", hide = true)]
    get: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the config file with its secrets masked
    #[command(after_help = "Example:\n  machins config show")]
    Show,
    /// Print the effective value of a setting
    ///
    /// A secret is masked unless --reveal is given. Exits with 1 if the setting has no value.
    #[command(after_help = "Example:\n  machins config get machineid.base_url")]
    Get {
        /// Name of the setting, for example machineid.device_id
        #[arg(value_name = "K")]
        key: String,
        /// Print a secret in full
        #[arg(long)]
        reveal: bool,
    },
    /// Save a setting in the config file, or with --profile in that profile
    ///
    /// An empty value removes the setting. Arguments are visible to all users of a machine, so
    /// secrets are read from stdin: give - as the value.
    #[command(long_about = set_about())]
    #[command(after_help = "Examples:\n  machins config set machineid.device_id agent-01\n  \
                            echo org_your_key | machins config set machineid.org_key -")]
    Set {
        /// Name of the setting, for example machineid.device_id
        #[arg(value_name = "K")]
        key: String,
        /// Value, or - to read it from stdin
        #[arg(value_name = "V", allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a setting from the config file, or with --profile from that profile
    #[command(after_help = "Example:\n  machins config unset machineid.device_id")]
    Unset {
        /// Name of the setting, for example machineid.device_id
        #[arg(value_name = "K")]
        key: String,
    },
    /// Edit the config file in $VISUAL or $EDITOR; it is saved only if it is valid
    #[command(after_help = "Example:\n  EDITOR=true machins config edit")]
    Edit,
    /// Print the path of the config file
    #[command(after_help = "Example:\n  machins config path")]
    Path,
    /// Show every setting, its value and where the value comes from
    #[command(after_help = "Example:\n  machins config explain")]
    Explain,
}

/// The help of `config set`, which names all settings.
fn set_about() -> String {
    format!(
        "Save a setting in the config file, or with --profile in that profile\n\n\
         An empty value removes the setting. Arguments are visible to all users of a machine, so \
         secrets are read from stdin: give - as the value.\n\nSettings:\n{}",
        topics::settings()
    )
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command()? {
            Command::Show => show(context),
            Command::Get { key, reveal } => get(context, known(&key)?, reveal),
            Command::Set { key, value } => set(context, known(&key)?, &value),
            Command::Unset { key } => unset(context, known(&key)?),
            Command::Edit => edit(context),
            Command::Path => path(context),
            Command::Explain => explain(context),
        }
    }

    /// The command that the arguments mean; the flags are those of the Python package.
    fn command(self) -> Result<Command, Failure> {
        let command = match (self.set, self.get, self.command) {
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let what = "--set and --get cannot be used with a subcommand of config";
                return Err(Failure::usage(what).hint("`machins config --help`"));
            }
            (Some(pair), _, None) => {
                let (key, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Failure::usage("write it like --set base_url=URL"))?;
                Command::Set { key: key.trim().into(), value: value.trim().into() }
            }
            (None, Some(key), None) => Command::Get { key, reveal: false },
            (None, None, command) => command.unwrap_or(Command::Show),
        };
        Ok(command)
    }
}

fn known(name: &str) -> Result<&'static Key, Failure> {
    Key::named(name).ok_or_else(|| {
        let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        Failure::usage(suggestion::unknown("setting", name, &names))
    })
}

fn show(context: &Context) -> Result<(), Failure> {
    context.check_profile()?;
    let document = context.document()?.masked();
    if document.as_object().is_some_and(serde_json::Map::is_empty) {
        let path = ConfigFile::locate()?.path().display().to_string();
        context
            .out
            .note(&format!("Nothing is configured yet in {path}. To begin:\n  `machins join --help`\n  `machins org create --save`"));
    }
    context.out.result(&document, || json::indented(&document).unwrap_or_default())
}

fn get(context: &Context, key: &Key, reveal: bool) -> Result<(), Failure> {
    let Some(Setting { value, .. }) = context.setting(key)? else {
        return Err(Failure::unset(key.name));
    };
    let value = if reveal { value } else { shown(key, &value) };
    context.out.result(&value, || value.clone())
}

fn set(context: &Context, key: &Key, value: &str) -> Result<(), Failure> {
    let value = match value {
        "-" => read_value(key)?,
        "" => String::new(),
        _ if key.secret => {
            return Err(Failure::usage(format!(
                "{} is a secret, and arguments are visible to all users of this machine",
                key.name
            ))
            .hint(format!("to give it on stdin: `machins config set {} -`", key.name)));
        }
        value => value.to_owned(),
    };
    if !value.is_empty() {
        key.check(&value).map_err(Failure::usage)?;
        if key.is_url() {
            context.parse_base_url(key, &value)?;
        }
    }
    let file = ConfigFile::locate()?;
    let change = |document: &mut Document| {
        let profile = context.profile_in(document);
        match value.as_str() {
            "" => document.remove(profile.as_deref(), key),
            value => document.set(profile.as_deref(), key, value),
        }
        profile
    };
    if key.rule().is_some() {
        let before = file.read()?;
        let mut after = before.clone();
        change(&mut after);
        confirm_limits(&before, &after)?;
    }
    let profile = file.update(change)?;
    let done = if value.is_empty() { "Removed" } else { "Saved" };
    let value = Some(value.as_str()).filter(|value| !value.is_empty());
    Change { key, value, profile: profile.as_deref() }.report(context, &file, done)
}

/// Asks a person if a change of the config file lets more be spent.
pub(super) fn confirm_limits(before: &Document, after: &Document) -> Result<(), Failure> {
    if after.raises_limits_of(before) {
        input::confirm_in_person("Raise the limits on spending")?;
    }
    Ok(())
}

/// A setting as it is in the file from now on.
struct Change<'a> {
    key: &'a Key,
    /// The value. `None` if the setting was removed.
    value: Option<&'a str>,
    profile: Option<&'a str>,
}

impl Change<'_> {
    /// Says what was done, and where.
    fn report(self, context: &Context, file: &ConfigFile, done: &str) -> Result<(), Failure> {
        let Self { key, value, profile } = self;
        let path = file.path().display().to_string();
        let place = profile.map_or_else(String::new, |name| format!(" in profile {name}"));
        let value = value.map(|value| shown(key, value));
        let document = json!({"key": key.name, "value": value, "profile": profile, "path": path});
        context.out.change(&document, &format!("{done} {}{place} ({path}).", key.name))
    }
}

fn unset(context: &Context, key: &Key) -> Result<(), Failure> {
    context.check_profile()?;
    let profile = context.profile()?;
    let file = ConfigFile::locate()?;
    if key.rule().is_some() {
        let before = file.read()?;
        let mut after = before.clone();
        after.remove(profile, key);
        confirm_limits(&before, &after)?;
    }
    let was_set = file.update(|document| {
        let was_set = document.text(profile, key).is_some();
        document.remove(profile, key);
        was_set
    })?;
    let done = if was_set { "Removed" } else { "There was no" };
    Change { key, value: None, profile }.report(context, &file, done)
}

/// Opens a copy of the file in the user's editor, and saves it if it is valid.
fn edit(context: &Context) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    let path = file.path().display().to_string();
    let before = file.text()?;
    let edited = editor::edit(if before.trim().is_empty() { "{}\n" } else { &before })?;
    if edited == before {
        let document = json!({"path": path, "changed": false});
        return context.out.change(&document, "Nothing was changed.");
    }
    let document = Document::parse(&edited)
        .and_then(|document| document.check_values().map(|()| document))
        .map_err(|error| {
            Failure::usage(format!("the edited config is not valid, and was not saved: {error}"))
        })?;
    if let Ok(before) = Document::parse(&before) {
        confirm_limits(&before, &document)?;
    }
    file.replace_if(&before, document)?;
    let note = format!("{GOOD}Saved{GOOD:#} {path}.");
    context.out.change(&json!({"path": path, "changed": true}), &note)
}

fn read_value(key: &Key) -> Result<String, Failure> {
    let value = if io::stdin().is_terminal() && key.secret {
        input::ask(&format!("{}: ", key.name))?
    } else {
        input::stdin_text()?
    };
    match value.trim() {
        "" => Err(Failure::usage(format!("no value for {} on stdin", key.name))),
        value => Ok(value.to_owned()),
    }
}

fn path(context: &Context) -> Result<(), Failure> {
    let path = ConfigFile::locate()?.path().display().to_string();
    context.out.result(&path, || path.clone())
}

fn explain(context: &Context) -> Result<(), Failure> {
    let settings: Vec<Explained> =
        KEYS.iter().map(|key| Explained::new(context, key)).collect::<Result<_, _>>()?;
    let path = ConfigFile::locate()?.path().display().to_string();
    context.out.note(&format!("{FAINT}file: {path}{FAINT:#}"));
    context.out.result(&json!({"path": path, "settings": settings}), || {
        let table = Table::<Explained>::new()
            .column("SETTING", |setting| cell(setting.key))
            .column("VALUE", |setting| {
                setting.value.as_deref().map_or_else(|| styled("not set", FAINT), cell)
            })
            .column("FROM", |setting| cell(setting.origin.as_deref().unwrap_or_default()));
        table.render(&settings)
    })
}

/// A setting with its effective value, masked if it is a secret, and where that comes from.
#[derive(Serialize)]
struct Explained {
    key: &'static str,
    value: Option<String>,
    origin: Option<String>,
}

impl Explained {
    fn new(context: &Context, key: &Key) -> Result<Self, Failure> {
        let setting = context.setting(key)?;
        let (value, origin) = match setting {
            None => (None, None),
            Some(Setting { value, origin }) => (Some(shown(key, &value)), Some(origin.to_string())),
        };
        Ok(Self { key: key.name, value, origin })
    }
}
