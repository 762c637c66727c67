//! `machins profile`.

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use serde_json::json;

use super::config::confirm_limits;
use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::key::{
    AGENT_SLUG, API_KEY, MACHINEID_DEVICE_ID, MACHINEID_ORG_KEY, OWNER_TOKEN,
};
use crate::context::Context;
use crate::error::Failure;
use crate::input;
use crate::list::{Limit, List, show_list};
use crate::records::Record;
use crate::style::GOOD;
use crate::table::{Table, cell, styled};

/// List, choose, rename and remove profiles
///
/// A profile holds the keys and settings of one identity. It is chosen by --profile, or else by
/// MACHINS_PROFILE, or else by profile use.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[command(after_help = "Example:\n  machins profile list")]
pub(crate) enum Profile {
    /// List the profiles in the config file
    #[command(after_help = "Example:\n  machins profile list")]
    List(Limit),
    /// Choose the profile to use when neither --profile nor MACHINS_PROFILE names one
    ///
    /// The choice is saved in the config file as default_profile.
    #[command(after_help = "Examples:\n  machins profile use eve\n  machins profile use --none")]
    Use {
        /// Name of the profile
        #[arg(value_name = "NAME", required_unless_present = "none")]
        name: Option<String>,
        /// Use the settings outside of all profiles
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Rename a profile
    #[command(after_help = "Example:\n  machins profile rename eve eva")]
    Rename {
        /// Name of the profile
        #[arg(value_name = "NAME")]
        name: String,
        /// New name
        #[arg(value_name = "NEW", value_parser = NonEmptyStringValueParser::new())]
        to: String,
    },
    /// Remove a profile with all its keys
    ///
    /// A key that is stored nowhere else is lost, so this asks first if the profile has one.
    #[command(after_help = "Example:\n  machins profile remove eve --yes")]
    Remove {
        /// Name of the profile
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

impl Profile {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(limit) => list(context, &limit),
            Self::Use { name, .. } => choose(context, name.as_deref()),
            Self::Rename { name, to } => rename(context, &name, &to),
            Self::Remove { name, yes } => remove(context, &name, yes),
        }
    }
}

/// A profile in a list.
#[derive(Serialize)]
struct Item {
    id: String,
    agent_slug: Option<String>,
    device_id: Option<String>,
    is_default: bool,
}

fn list(context: &Context, limit: &Limit) -> Result<(), Failure> {
    let document = context.document()?;
    let items: Vec<Item> =
        document.profiles().into_iter().map(|name| Item::new(document, name)).collect();
    let profiles = List::whole("profile", items, limit);
    let text = |text: &Option<String>| cell(text.as_deref().unwrap_or_default());
    let table = Table::<Item>::new()
        .column("PROFILE", |profile| cell(&profile.id))
        .column("AGENT", |profile| text(&profile.agent_slug))
        .column("DEVICE", |profile| text(&profile.device_id))
        .column("", |profile| styled(if profile.is_default { "default" } else { "" }, GOOD));
    let if_empty = "There are no profiles. To create one, add --profile: `machins join --help`";
    show_list(context.out, &profiles, if_empty, &table)
}

impl Item {
    fn new(document: &Document, name: &str) -> Self {
        Self {
            id: name.to_owned(),
            agent_slug: document.get(Some(name), &AGENT_SLUG).map(Into::into),
            device_id: document.get(Some(name), &MACHINEID_DEVICE_ID).map(Into::into),
            is_default: document.default_profile() == Some(name),
        }
    }
}

/// Fails if there is no such profile.
fn check(document: &Document, name: &str) -> Result<(), Failure> {
    if document.profiles().contains(&name) {
        return Ok(());
    }
    Err(Failure::config(format!("there is no profile {name:?}"))
        .hint("to see those there are: `machins profile list`"))
}

fn choose(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    file.update(|document| {
        if let Some(name) = name {
            check(document, name)?;
        }
        document.set_default_profile(name);
        Ok::<_, Failure>(())
    })??;
    let what = name.map_or_else(
        || "The settings outside of all profiles are used".to_owned(),
        |name| format!("Profile {name} is used"),
    );
    let note = format!("{what} when neither --profile nor MACHINS_PROFILE names one.");
    context.out.change(&json!({"default_profile": name}), &note)
}

fn rename(context: &Context, name: &str, to: &str) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    let renamed = file.update(|document| {
        check(document, name)?;
        if name != to && document.profiles().contains(&to) {
            return Err(Failure::usage(format!("there is a profile {to:?} already")));
        }
        document.rename_profile(name, to);
        Ok(Item::new(document, to))
    })??;
    context.out.change(&renamed, &format!("{GOOD}Renamed{GOOD:#} {name} to {to}."))
}

fn remove(context: &Context, name: &str, yes: bool) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    let document = file.read()?;
    check(&document, name)?;
    let keys: Vec<&str> = [API_KEY, MACHINEID_ORG_KEY, OWNER_TOKEN]
        .iter()
        .filter(|key| document.get(Some(name), key).is_some())
        .map(|key| key.name)
        .collect();
    if !keys.is_empty() {
        input::confirm(&format!("Remove profile {name} with its {}", keys.join(" and ")), yes)?;
    }
    let mut after = document.clone();
    after.remove_profile(name);
    confirm_limits(&document, &after)?;
    file.update(|document| document.remove_profile(name))?;
    let removed = Item::new(&document, name);
    context.out.change(&removed, &format!("{GOOD}Removed{GOOD:#} profile {name}."))
}

impl Record for Item {
    const COLUMNS: &'static [&'static str] = &["id", "agent_slug", "device_id", "is_default"];
}
