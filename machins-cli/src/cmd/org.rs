//! The org: `machins usage`, `checkout`, `org create`.

use clap::Subcommand;
use machineid_client::PlanTier;

use crate::config::document::{Document, Kept};
use crate::config::file::ConfigFile;
use crate::config::key::{MACHINEID_BASE_URL, MACHINEID_ORG_KEY};
use crate::config::settings::{Origin, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::format::or_unknown;
use crate::naming::previous;
use crate::shown_once;
use crate::style::GOOD;
use crate::table::fields;
use crate::text::clean;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the plan and how much of it is in use
    #[command(after_help = "Example:\n  machins usage")]
    Usage,

    /// Print the URL of a page to pay for a plan
    #[command(after_help = "Example:\n  machins checkout pro")]
    Checkout {
        /// Plan: pro, scale or max
        #[arg(value_parser = known(&["pro", "scale", "max"]), hide_possible_values = true)]
        plan: String,
    },

    #[command(subcommand)]
    Org(Org),
}

/// Create an org
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[command(after_help = "Example:\n  machins org create --save")]
pub(crate) enum Org {
    /// Create a free org and print its key
    ///
    /// The service shows the key only once. --save also writes it to the config file as
    /// machineid.org_key; a key that is saved there already is moved to a profile.
    #[command(after_help = "Example:\n  machins org create --save")]
    Create {
        /// Save the key in the config file
        #[arg(long)]
        save: bool,
    },
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Usage => usage(context),
            Self::Checkout { plan } => checkout(context, &plan),
            Self::Org(Org::Create { save }) => create(context, save),
        }
    }
}

fn usage(context: &Context) -> Result<(), Failure> {
    let usage = context.machineid()?.usage()?;
    let figures = &usage.figures;
    let number = |number: Option<String>| or_unknown(number.as_deref());
    context.out.result(&usage, || {
        fields(&[
            ("plan", number(figures.plan_tier.as_ref().map(ToString::to_string))),
            ("devices in use", number(figures.devices_used.map(|count| count.to_string()))),
            ("devices allowed", number(figures.limit.map(|count| count.to_string()))),
            ("devices left", number(figures.remaining.map(|count| count.to_string()))),
        ])
    })
}

fn checkout(context: &Context, plan: &str) -> Result<(), Failure> {
    let checkout = context.machineid()?.checkout(&PlanTier::from(plan))?;
    context.out.result(&checkout, || clean(&checkout.url).into_owned())?;
    context.out.note("Open this page in a browser to pay.");
    Ok(())
}

fn create(context: &Context, save: bool) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    if save {
        context.allow_new_profile();
        // The file must be writable before there is a key to save.
        file.update(|_| ())?;
    }
    let client = context.machineid_without_key()?.build()?;
    let org = shown_once::receive(context.out, client.create_org())?;
    let key = org.org_key.expose();
    let mut reply = org.extra.clone();
    reply.insert("orgApiKey".to_owned(), key.into());
    let printed = context.out.next_result(&reply, || key.to_owned());
    if !save {
        let why = match printed {
            Ok(true) => None,
            Ok(false) => Some("stdout is closed".to_owned()),
            Err(failure) => Some(failure.message().to_owned()),
        };
        if let Some(why) = why {
            return Err(Failure::refused(format!(
                "the org was created, but its key could not be printed: {why}; the key, \
                 which is shown only once: {key}"
            )));
        }
        context.out.note(
            "This key is shown only once. Set MACHINEID_ORG_KEY for this shell, or save it:\n  \
             `machins config set machineid.org_key -`",
        );
        return Ok(());
    }
    let profile = context.profile()?;
    let url = context
        .setting(&MACHINEID_BASE_URL)?
        .filter(|Setting { origin, .. }| matches!(origin, Origin::Flag(_)));
    let kept = file.update(|document| {
        let kept = keep(document, profile, url.is_some());
        document.set(profile, &MACHINEID_ORG_KEY, key);
        if let Some(Setting { value, .. }) = &url {
            document.set(profile, &MACHINEID_BASE_URL, value);
        }
        kept
    })?;
    printed?;
    context.out.note(&format!("{GOOD}Saved{GOOD:#} in {}.", file.path().display()));
    if let Some(name) = kept {
        context.out.note(&format!("The key that was saved there is now in profile {name}."));
    }
    Ok(())
}

/// Copies the key that a new one replaces to a profile.
fn keep(document: &mut Document, profile: Option<&str>, moves: bool) -> Option<String> {
    let kept = Kept { secret: &MACHINEID_ORG_KEY, others: &[], base_url: &MACHINEID_BASE_URL };
    document.keep(profile, &kept, moves, previous(profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_lost_however_often_one_is_made() {
        let mut document = Document::default();
        let make = |document: &mut Document, profile, key| {
            let kept = keep(document, profile, false);
            document.set(profile, &MACHINEID_ORG_KEY, key);
            kept
        };
        assert_eq!(make(&mut document, None, "org_1"), None);
        assert_eq!(make(&mut document, None, "org_2").as_deref(), Some("previous"));
        assert_eq!(make(&mut document, None, "org_3").as_deref(), Some("previous-2"));
        assert_eq!(make(&mut document, Some("ci"), "org_4"), None);
        assert_eq!(make(&mut document, Some("ci"), "org_5").as_deref(), Some("ci-previous"));
        let key = |profile| document.get(profile, &MACHINEID_ORG_KEY);
        assert_eq!(key(None), Some("org_3"));
        assert_eq!(key(Some("previous")), Some("org_1"));
        assert_eq!(key(Some("previous-2")), Some("org_2"));
        assert_eq!(key(Some("ci-previous")), Some("org_4"));
        assert_eq!(key(Some("ci")), Some("org_5"));
    }
}
