//! `machins config`.

use std::io::{self, IsTerminal, Read};

use serde_json::{Value, json};

use crate::args::Config;
use crate::config::document::mask;
use crate::config::file::ConfigFile;
use crate::config::settings::{KEYS, Key, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::json;
use crate::output::FAINT;
use crate::table::{cell, styled, table};

/// `machins config`; `set_pair` and `get_key` are the flags of the Python package's command.
pub(crate) fn run(
    context: &Context,
    set_pair: Option<String>,
    get_key: Option<String>,
    command: Option<Config>,
) -> Result<(), Failure> {
    if command.is_some() && (set_pair.is_some() || get_key.is_some()) {
        let what = "--set and --get stand alone, without a command within config";
        return Err(Failure::usage(what).hint("machins config set K V"));
    }
    let command = match (set_pair, get_key) {
        (Some(pair), _) => {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::usage("write it like --set base_url=URL"))?;
            Some(Config::Set { key: key.trim().into(), value: value.trim().into() })
        }
        (None, Some(key)) => Some(Config::Get { key, reveal: false }),
        (None, None) => command,
    };
    match command.unwrap_or(Config::Show) {
        Config::Show => show(context),
        Config::Get { key, reveal } => get(context, known(&key)?, reveal),
        Config::Set { key, value } => set(context, known(&key)?, &value),
        Config::Path => path(context),
        Config::Explain => explain(context),
    }
}

fn known(name: &str) -> Result<&'static Key, Failure> {
    Key::named(name).ok_or_else(|| {
        let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        Failure::usage(format!("there is no setting {name:?}; there are: {}", names.join(", ")))
    })
}

fn show(context: &Context) -> Result<(), Failure> {
    let document = context.document()?.masked();
    if document.as_object().is_some_and(serde_json::Map::is_empty) {
        let path = ConfigFile::locate()?.path().display().to_string();
        context
            .out
            .note(&format!("Nothing is configured yet in {path}. Try: machins join --name NAME, or machins org create --save"));
    }
    context.out.result(&document, || json::indented(&document).unwrap_or_default())
}

fn get(context: &Context, key: &Key, reveal: bool) -> Result<(), Failure> {
    let Some(Setting { value, .. }) = context.setting(key)? else {
        return Err(Failure::unset(key.name));
    };
    let value = if key.secret && !reveal { mask(&value) } else { value };
    context.out.result(&value, || value.clone())
}

fn set(context: &Context, key: &Key, value: &str) -> Result<(), Failure> {
    let value = match value {
        "-" => read_value(key)?,
        "" => String::new(),
        _ if key.secret => {
            return Err(Failure::usage(format!(
                "{} is a secret, and every user of this machine can read arguments",
                key.name
            ))
            .hint(format!("machins config set {} - reads it from stdin", key.name)));
        }
        value => value.to_owned(),
    };
    if !value.is_empty() {
        key.check(&value).map_err(Failure::usage)?;
    }
    let profile = context.global.profile.as_deref();
    let file = ConfigFile::locate()?;
    file.update(|document| {
        match value.as_str() {
            "" => document.remove(profile, key),
            value => document.set(profile, key, value),
        }
        Ok(())
    })?;
    let done = if value.is_empty() { "Removed" } else { "Saved" };
    let place = profile.map_or_else(String::new, |name| format!(" in profile {name}"));
    context.out.note(&format!("{done} {}{place} ({}).", key.name, file.path().display()));
    Ok(())
}

fn read_value(key: &Key) -> Result<String, Failure> {
    let failed = |error| Failure::local("could not read stdin", error);
    let value = if io::stdin().is_terminal() && key.secret {
        rpassword::prompt_password(format!("{}: ", key.name)).map_err(failed)?
    } else {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
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
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    for key in &KEYS {
        let (value, origin) = match context.setting(key)? {
            None => (None, None),
            Some(Setting { value, origin }) => {
                let value = if key.secret { mask(&value) } else { value };
                (Some(value), Some(origin.to_string()))
            }
        };
        rows.push(vec![
            cell(key.name),
            value.as_deref().map_or_else(|| styled("not set", FAINT), cell),
            cell(origin.as_deref().unwrap_or_default()),
        ]);
        documents.push(json!({"key": key.name, "value": value, "origin": origin}));
    }
    let path = ConfigFile::locate()?.path().display().to_string();
    context.out.note(&format!("{FAINT}file: {path}{FAINT:#}"));
    context.out.result(&json!({"path": path, "settings": Value::from(documents)}), || {
        table(&["SETTING", "VALUE", "FROM"], &rows)
    })
}
