//! What can be checked without a network.

use std::env;

use agent_client_core::variable;
use machineid_client::decision_log::DecisionLog;

use super::check::Check;
use crate::config::file::ConfigFile;
use crate::config::key::{KEYS, Key};
use crate::context::Context;
use crate::decision_log::configured_path;

/// The variables that name a proxy.
const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

pub(super) fn all(context: &Context) -> Vec<Check> {
    vec![
        version(),
        config(context).of_setup(),
        permissions().of_setup(),
        profile(context).of_setup(),
        environment(context).of_setup(),
        proxy(),
        decision_log(context),
    ]
}

fn version() -> Check {
    let features = if cfg!(feature = "jq") { ", with --jq" } else { "" };
    let version = env!("CARGO_PKG_VERSION");
    Check::ok("version", format!("{version} ({} {}{features})", env::consts::OS, env::consts::ARCH))
}

fn config(context: &Context) -> Check {
    const NAME: &str = "config";
    let file = match ConfigFile::find() {
        Ok(Some(file)) => file,
        Ok(None) => {
            return Check::skipped(NAME, "this user has no home directory, so no config file");
        }
        Err(failure) => return Check::failed(NAME, failure.message(), "correct MACHINS_CONFIG"),
    };
    let path = file.path().display().to_string();
    match context.document() {
        Err(failure) => {
            let cure = failure.advice().unwrap_or("repair the file, or move it away").to_owned();
            Check::failed(NAME, failure.message(), &cure)
        }
        Ok(_) if !file.path().exists() => {
            Check::skipped(NAME, format!("there is no {path}; the defaults hold"))
        }
        Ok(document) => match document.check_values() {
            Ok(()) => Check::ok(NAME, path),
            Err(why) => Check::failed(NAME, format!("{path}: {why}"), "`machins config edit`"),
        },
    }
}

fn permissions() -> Check {
    const NAME: &str = "permissions";
    match ConfigFile::find() {
        Ok(Some(file)) if file.path().exists() => match file.permission_warning() {
            None => Check::ok(NAME, "the config file is yours alone"),
            Some(warning) => {
                let (what, cure) = warning.rsplit_once(": ").unwrap_or((&warning, "chmod 600"));
                Check::warning(NAME, what, cure)
            }
        },
        _ => Check::skipped(NAME, "there is no config file"),
    }
}

fn profile(context: &Context) -> Check {
    const NAME: &str = "profile";
    match (context.check_profile(), context.profile()) {
        (Err(failure), _) | (_, Err(failure)) => {
            Check::failed(NAME, failure.message(), "to see the profiles: `machins profile list`")
        }
        (Ok(()), Ok(None)) => Check::ok(NAME, "none; the settings outside of all profiles hold"),
        (Ok(()), Ok(Some(name))) => Check::ok(NAME, name),
    }
}

/// Variables that cannot be read, and those that take precedence over another value in the file.
fn environment(context: &Context) -> Check {
    const NAME: &str = "environment";
    let mut overriding = Vec::new();
    for key in &KEYS {
        let Some(name) = key.variable else { continue };
        match variable(name) {
            Err(error) => {
                return Check::failed(NAME, error.message(), &format!("correct or unset {name}"));
            }
            Ok(Some(value)) => {
                if let Err(why) = key.check(&value) {
                    return Check::failed(
                        NAME,
                        format!("{name}: {why}"),
                        &format!("correct or unset {name}"),
                    );
                }
                if in_file(context, key).is_some_and(|own| own != value) {
                    overriding.push(name);
                }
            }
            Ok(None) => {}
        }
    }
    match overriding.as_slice() {
        [] => Check::ok(NAME, "no variable hides another value in the file"),
        names => Check::warning(
            NAME,
            format!("{} takes precedence over another value in the config file", names.join(", ")),
            "to see what holds: `machins config explain`",
        ),
    }
}

fn in_file(context: &Context, key: &Key) -> Option<String> {
    let (document, profile) = (context.document().ok()?, context.profile().ok()?);
    let own = document.get(profile, key).or_else(|| document.get(None, key));
    own.map(str::to_owned)
}

fn proxy() -> Check {
    const NAME: &str = "proxy";
    let mut names = Vec::new();
    for name in PROXIES {
        match variable(name) {
            Err(error) => {
                return Check::failed(NAME, error.message(), &format!("correct or unset {name}"));
            }
            Ok(Some(_)) => names.push(name),
            Ok(None) => {}
        }
    }
    match names.as_slice() {
        [] => Check::ok(NAME, "none"),
        // A proxy's address may hold a password.
        names => Check::ok(NAME, format!("as {} says, but for NO_PROXY", names.join(", "))),
    }
}

fn decision_log(context: &Context) -> Check {
    const NAME: &str = "decision log";
    match configured_path(context) {
        Err(failure) => Check::failed(NAME, failure.message(), "`machins config explain`"),
        Ok(None) => Check::skipped(NAME, "none is configured"),
        Ok(Some(path)) => {
            let shown = path.display().to_string();
            match DecisionLog::new(path).check() {
                Ok(()) => Check::ok(NAME, shown),
                Err(error) => Check::failed(NAME, error.to_string(), "`machins log verify`"),
            }
        }
    }
}
