//! The commands about the organisation: org create, usage, checkout.

use machineid_client::PlanTier;
use serde_json::json;

use crate::args::Org;
use crate::config::document::{Document, Kept};
use crate::config::file::ConfigFile;
use crate::config::settings::{MACHINEID_BASE_URL, MACHINEID_ORG_KEY, Origin, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::output::GOOD;
use crate::shown_once;
use crate::table::{Cell, cell, pairs};
use crate::text::clean;

/// `machins org`.
pub(crate) fn run(context: &Context, command: &Org) -> Result<(), Failure> {
    match command {
        Org::Create { save } => create(context, *save),
    }
}

fn create(context: &Context, save: bool) -> Result<(), Failure> {
    let file = ConfigFile::locate()?;
    if save {
        // A key that can't be kept must not be made.
        file.update(|_| Ok(()))?;
    }
    let client = context.machineid_without_key()?.build()?;
    let org = shown_once::receive(context.out, client.create_org())?;
    let key = org.org_key.expose();
    let mut reply = serde_json::Map::from(org.extra.clone());
    reply.insert("orgApiKey".to_owned(), json!(key));
    context.out.result(&reply, || key.to_owned())?;
    if !save {
        context.out.note(
            "This key is shown only now. Keep it: machins config set machineid.org_key -\n\
             or for this shell: export MACHINEID_ORG_KEY",
        );
        return Ok(());
    }
    let profile = context.global.profile.as_deref();
    let url = context
        .setting(&MACHINEID_BASE_URL)?
        .filter(|Setting { origin, .. }| matches!(origin, Origin::Flag(_)));
    let mut kept = None;
    file.update(|document| {
        kept = keep_old_key(document, profile, url.is_some());
        document.set(profile, &MACHINEID_ORG_KEY, key);
        if let Some(Setting { value, .. }) = &url {
            document.set(profile, &MACHINEID_BASE_URL, value);
        }
        Ok(())
    })?;
    context.out.note(&format!("{GOOD}Saved{GOOD:#} in {}.", file.path().display()));
    if let Some(name) = kept {
        context.out.note(&format!("The key that was there is in profile {name} now."));
    }
    Ok(())
}

/// Copies the key that a new one would replace to a profile of its own.
fn keep_old_key(document: &mut Document, profile: Option<&str>, moves: bool) -> Option<String> {
    let kept = Kept { secret: &MACHINEID_ORG_KEY, others: &[], base_url: &MACHINEID_BASE_URL };
    document.keep(profile, &kept, moves, previous(profile))
}

/// Names for the profile of what was there before.
pub(crate) fn previous(profile: Option<&str>) -> impl Iterator<Item = String> {
    let base = profile.map_or_else(|| "previous".to_owned(), |name| format!("{name}-previous"));
    std::iter::once(base.clone())
        .chain((2..=u32::MAX).map(move |number| format!("{base}-{number}")))
}

/// `machins usage`.
pub(crate) fn usage(context: &Context) -> Result<(), Failure> {
    let usage = context.machineid()?.usage()?;
    let figures = &usage.figures;
    let number = |number: Option<String>| cell(number.as_deref().unwrap_or("unknown"));
    let rows: [(&str, Cell); 4] = [
        ("plan", number(figures.plan_tier.as_ref().map(ToString::to_string))),
        ("devices in use", number(figures.devices_used.map(|count| count.to_string()))),
        ("devices allowed", number(figures.limit.map(|count| count.to_string()))),
        ("devices left", number(figures.remaining.map(|count| count.to_string()))),
    ];
    context.out.result(&usage, || pairs(rows.iter().map(|(name, cell)| (*name, cell))))
}

/// `machins checkout`.
pub(crate) fn checkout(context: &Context, plan: &str) -> Result<(), Failure> {
    let checkout = context.machineid()?.checkout(&PlanTier::from(plan))?;
    context.out.result(&checkout, || clean(&checkout.url).into_owned())?;
    context.out.note("Open this page in a browser to pay.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_lost_however_often_one_is_made() {
        let mut document = Document::default();
        let make = |document: &mut Document, profile, key| {
            let kept = keep_old_key(document, profile, false);
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
