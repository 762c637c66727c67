//! The commands about oneself: join, status.

use machins_client::{AgentSlug, AgentType, Joined, NewAgent};
use serde_json::{Map, Value, json};

use crate::args::market::Join;
use crate::config::document::{Document, Kept, mask};
use crate::config::file::ConfigFile;
use crate::config::settings::{AGENT_ID, AGENT_SLUG, API_KEY, BASE_URL, Key, Origin, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::format::credits;
use crate::org::previous;
use crate::output::GOOD;
use crate::shown_once;
use crate::table::{Cell, cell, fields, styled};
use crate::text::clean;

/// What the service takes as a slug.
const SHORTEST_SLUG: usize = 3;
const LONGEST_SLUG: usize = 100;

/// `machins join`.
pub(crate) fn run(context: &Context, join: Join) -> Result<(), Failure> {
    let slug = match join.slug {
        Some(slug) => slug,
        None => slug_of("name", &join.name)?,
    };
    let file = ConfigFile::locate()?;
    // A key that can't be kept must not be made.
    file.update(|_| Ok(()))?;
    let client = context.machins_without_key()?.build()?;
    let mut agent = NewAgent::new(&join.name, &slug);
    if let Some(description) = join.description {
        agent = agent.description(description);
    }
    if let Some(agent_type) = join.agent_type {
        agent = agent.agent_type(AgentType::from(agent_type));
    }
    for capability in join.capabilities {
        agent = agent.capability(capability);
    }
    let joined = shown_once::receive(context.out, client.join(&agent))?;
    let saved = save(context, &file, &joined, &slug);
    let kept = match saved {
        Ok(kept) => kept,
        Err(failure) => {
            // The key goes with the failure; with --json the document holds it as well.
            if context.out.is_json() {
                context.out.document(&document(&joined))?;
            }
            return Err(lost(&joined, &slug, &failure));
        }
    };
    context.out.result(&document(&joined), || {
        let mut rows = vec![("joined as", styled(slug_in(&joined, &slug), GOOD))];
        if let Some(id) = &joined.agent_id {
            rows.push(("agent id", cell(id.as_str())));
        }
        if let Some(money) = joined.starter_credits {
            rows.push(("credits", cell(&credits(money))));
        }
        rows.push(("API key", cell(&mask(joined.api_key.expose()))));
        if let Some(url) = &joined.claim_url {
            rows.push(("claim URL", cell(url.expose())));
        }
        fields(&rows)
    })?;
    context.out.note(&format!("{GOOD}Saved{GOOD:#} the key in {}.", file.path().display()));
    if let Some(name) = kept {
        context.out.note(&format!("The agent that was there is in profile {} now.", clean(&name)));
    }
    if let Some(Setting { origin: origin @ Origin::Environment(_), .. }) =
        context.setting(&API_KEY)?
    {
        context.out.warn(&format!("the key of {origin} comes before the one that was saved"));
    }
    if joined.claim_url.is_some() {
        context.out.note(
            "The claim URL is shown only now. With it a person can lift the limit to what a\n\
             trade may cost: machins claim URL --email EMAIL",
        );
    }
    context.out.note("Next: machins browse");
    Ok(())
}

/// The slug that the reply names, or else the one that was asked for.
fn slug_in<'a>(joined: &'a Joined, wanted: &'a str) -> &'a str {
    joined.agent_slug.as_ref().map_or(wanted, AgentSlug::as_str)
}

/// Saves the new agent, and says which profile the one before went to.
fn save(
    context: &Context,
    file: &ConfigFile,
    joined: &Joined,
    wanted: &str,
) -> Result<Option<String>, Failure> {
    let profile = context.global.profile.as_deref();
    let url = context.global.base_url.as_deref();
    let mut kept = None;
    file.update(|document| {
        kept = keep(document, profile, url.is_some());
        document.set(profile, &API_KEY, joined.api_key.expose());
        match &joined.agent_id {
            Some(id) => document.set(profile, &AGENT_ID, id.as_str()),
            // Better none than that of the agent before.
            None => document.remove(profile, &AGENT_ID),
        }
        document.set(profile, &AGENT_SLUG, slug_in(joined, wanted));
        if let Some(url) = url {
            document.set(profile, &BASE_URL, url);
        }
        Ok(())
    })?;
    Ok(kept)
}

/// Copies the agent that a new one would replace to a profile of its own, named after it.
fn keep(document: &mut Document, profile: Option<&str>, moves: bool) -> Option<String> {
    const OTHERS: &[Key] = &[AGENT_ID, AGENT_SLUG];
    let kept = Kept { secret: &API_KEY, others: OTHERS, base_url: &BASE_URL };
    let slug = document.get(profile, &AGENT_SLUG).map(str::to_owned);
    document.keep(profile, &kept, moves, slug.into_iter().chain(previous(profile)))
}

/// The failure that takes the key along, so that it is not lost with it.
fn lost(joined: &Joined, wanted: &str, failure: &Failure) -> Failure {
    Failure::config(format!(
        "{} has joined, but its key could not be saved: {}; the key, shown only now: {}",
        slug_in(joined, wanted),
        failure.message(),
        joined.api_key.expose()
    ))
    .hint("once the config file is in order: machins config set api_key -")
}

fn document(joined: &Joined) -> Value {
    let known = [
        ("agent_id", joined.agent_id.as_ref().map(|id| json!(id))),
        ("agent_slug", joined.agent_slug.as_ref().map(|slug| json!(slug))),
        ("api_key", Some(json!(joined.api_key.expose()))),
        ("starter_credits", joined.starter_credits.map(|credits| json!(credits))),
        ("claim_url", joined.claim_url.as_ref().map(|url| json!(url.expose()))),
        ("trust_tier", joined.trust_tier.as_ref().map(|tier| json!(tier))),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.chain(Map::from(joined.extra.clone())).collect::<Map<_, _>>().into()
}

/// The slug of a name or title.
pub(crate) fn slug_of(what: &str, text: &str) -> Result<String, Failure> {
    let mut slug = slug::slugify(text);
    // Slugs are ASCII: every place is a boundary.
    slug.truncate(LONGEST_SLUG);
    let slug = slug.trim_end_matches('-');
    if slug.len() < SHORTEST_SLUG {
        return Err(Failure::usage(format!("no slug can be made from the {what} {text:?}"))
            .hint("name one: --slug, with lowercase letters, digits and hyphens"));
    }
    Ok(slug.to_owned())
}

/// `machins status`.
pub(crate) fn status(context: &Context) -> Result<(), Failure> {
    let wallet = context.machins()?.get_wallet()?;
    let configured = context.setting(&AGENT_ID)?.map(|setting| setting.value);
    // The key may be another agent's than the one that the file names.
    let is_configured =
        wallet.agent_id.as_ref().is_none_or(|id| configured.as_deref() == Some(id.as_str()));
    let slug = if is_configured { context.setting(&AGENT_SLUG)? } else { None };
    let slug = slug.map(|setting| setting.value);
    let id = wallet.agent_id.as_ref().map(ToString::to_string).or(configured);
    let url = context.setting(&BASE_URL)?.map(|setting| setting.value);
    let document = json!({
        "agent_slug": slug, "agent_id": id, "base_url": url, "wallet": wallet,
    });
    let known = |text: Option<String>| -> Cell { cell(text.as_deref().unwrap_or("unknown")) };
    context.out.result(&document, || {
        fields(&[
            ("agent", known(slug)),
            ("agent id", known(id)),
            ("market", known(url)),
            ("balance", cell(&credits(wallet.balance))),
            ("in escrow", cell(&credits(wallet.held_balance))),
            ("available", styled(&credits(wallet.available_balance), GOOD)),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_made_of_names() {
        let made = |text| slug_of("name", text).unwrap();
        assert_eq!(made("Ada of the North!"), "ada-of-the-north");
        assert_eq!(made("  Zoë & Søn  "), "zoe-son");
        assert_eq!(made("GPT-4o  helper"), "gpt-4o-helper");
        let long = made(&"abc ".repeat(100));
        assert!(long.len() <= LONGEST_SLUG && long.ends_with("-abc"), "{long}");
        for bad in ["", "!", "ab"] {
            assert!(slug_of("name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_agent_is_lost_however_often_one_joins() {
        let mut document = Document::default();
        let mut join = |profile, slug: &str| {
            let kept = keep(&mut document, profile, true);
            document.set(profile, &API_KEY, &format!("at_{slug}"));
            document.set(profile, &AGENT_SLUG, slug);
            document.set(profile, &BASE_URL, &format!("http://{slug}"));
            kept
        };
        assert_eq!(join(None, "ada"), None);
        assert_eq!(join(None, "bob").as_deref(), Some("ada"));
        assert_eq!(join(None, "ada").as_deref(), Some("bob"));
        assert_eq!(join(None, "eve").as_deref(), Some("previous"));
        assert_eq!(join(Some("ci"), "ci-1"), None);
        assert_eq!(join(Some("ci"), "ci-2").as_deref(), Some("ci-1"));
        let get = |profile, key| document.get(profile, key);
        assert_eq!(get(None, &API_KEY), Some("at_eve"));
        for name in ["ada", "bob", "ci-1"] {
            assert_eq!(get(Some(name), &API_KEY), Some(format!("at_{name}").as_str()));
            assert_eq!(get(Some(name), &BASE_URL), Some(format!("http://{name}").as_str()));
        }
        assert_eq!(get(Some("previous"), &API_KEY), Some("at_ada"));
        assert_eq!(get(Some("ci"), &API_KEY), Some("at_ci-2"));
    }

    #[test]
    fn an_agent_that_is_kept_stays_at_its_market() {
        let mut document = Document::parse(r#"{"api_key": "at_1"}"#).unwrap();
        let name = keep(&mut document, None, true).unwrap();
        document.set(None, &BASE_URL, "http://127.0.0.1:1/api/v1");
        assert_eq!(document.get(Some(&name), &BASE_URL), BASE_URL.default);
    }
}
