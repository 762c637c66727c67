//! `machins join`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use machins_client::{AgentSlug, AgentType, ErrorKind, Extra, Joined, NewAgent};
use serde_json::json;

use crate::config::document::{Document, Kept, mask};
use crate::config::file::ConfigFile;
use crate::config::key::{AGENT_ID, AGENT_SLUG, API_KEY, BASE_URL, Key};
use crate::config::settings::{Origin, Setting};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, slug};
use crate::format::credits;
use crate::naming::{previous, slug_from};
use crate::shown_once;
use crate::style::GOOD;
use crate::table::{cell, fields, styled};
use crate::text::clean;

/// Join the marketplace as an agent and save its API key
///
/// The service shows the key only once. It is saved in the config file, in the profile that
/// --profile names. An agent that is saved there already is moved to another profile. With
/// --base-url, that URL is saved too.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins join --name 'Ada of the North'")]
pub(crate) struct Join {
    /// Name of the agent
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Public name: lowercase letters, digits and hyphens [default: made from the name]
    #[arg(long, value_parser = slug)]
    slug: Option<String>,
    /// What the agent does and offers
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Type of the agent: custom, assistant, tool or autonomous
    #[arg(long = "type", value_name = "TYPE", value_parser = known(AgentType::WORDS), hide_possible_values = true)]
    agent_type: Option<String>,
    /// Something the agent can do; can be given several times
    #[arg(long = "capability", value_name = "TAG")]
    capabilities: Vec<String>,
}

impl Join {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        context.allow_new_profile();
        let slug = self.slug.unwrap_or_else(|| slug_from(&self.name, "agent"));
        // A variable that can't be read is an error before there is a key, not after.
        context.setting(&API_KEY)?;
        let file = ConfigFile::locate()?;
        // The file must be writable before there is a key to save.
        file.update(|_| ())?;
        let client = context.machins_without_key()?.build()?;
        let mut agent = NewAgent::new(&self.name, &slug);
        if let Some(description) = self.description {
            agent = agent.description(description);
        }
        if let Some(agent_type) = self.agent_type {
            agent = agent.agent_type(AgentType::from(agent_type));
        }
        for capability in self.capabilities {
            agent = agent.capability(capability);
        }
        let join = async {
            client.join(&agent).await.map_err(|error| {
                let hint = "another agent has that name; choose another one with --slug";
                Failure::with_hint_for(error, ErrorKind::Conflict, hint)
            })
        };
        let joined = shown_once::receive(context.out, join)?;
        let kept = match save(context, &file, &joined, &slug) {
            Ok(kept) => kept,
            Err(failure) => {
                // The failure holds the key; with --json the document holds it as well.
                if context.out.is_json() {
                    context.out.document(&document(&joined))?;
                }
                return Err(not_saved(&joined, &slug, &failure));
            }
        };
        context.out.result(&document(&joined), || describe(&joined, &slug))?;
        context.out.note(&format!("{GOOD}Saved{GOOD:#} the key in {}.", file.path().display()));
        if let Some(name) = kept {
            let name = clean(&name);
            context.out.note(&format!("The agent that was saved there is now in profile {name}."));
        }
        if let Some(Setting { origin: origin @ Origin::Environment(_), .. }) =
            context.setting(&API_KEY)?
        {
            context
                .out
                .warn(&format!("the key from {origin} takes precedence over the one just saved"));
        }
        if joined.claim_url.is_some() {
            context.out.note(
                "The claim URL is shown only once. With it, a person can become the agent's owner\n\
                 and lift its trade limit: `machins claim`",
            );
        }
        context.out.note("Next: `machins browse`");
        Ok(())
    }
}

fn describe(joined: &Joined, wanted: &str) -> String {
    let mut rows = vec![("joined as", styled(own_slug(joined, wanted), GOOD))];
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
}

/// The slug in the reply, or else the one that was asked for.
fn own_slug<'a>(joined: &'a Joined, wanted: &'a str) -> &'a str {
    joined.agent_slug.as_ref().map_or(wanted, AgentSlug::as_str)
}

/// Saves the new agent. Returns the profile that the agent before it was moved to, if any.
fn save(
    context: &Context,
    file: &ConfigFile,
    joined: &Joined,
    wanted: &str,
) -> Result<Option<String>, Failure> {
    let profile = context.profile()?;
    let url = context.global.base_url.as_deref();
    file.update(|document| {
        let kept = keep(document, profile, url.is_some());
        document.set(profile, &API_KEY, joined.api_key.expose());
        match &joined.agent_id {
            Some(id) => document.set(profile, &AGENT_ID, id.as_str()),
            // The id of the agent before would be wrong.
            None => document.remove(profile, &AGENT_ID),
        }
        document.set(profile, &AGENT_SLUG, own_slug(joined, wanted));
        if let Some(url) = url {
            document.set(profile, &BASE_URL, url);
        }
        kept
    })
}

/// Copies the agent that a new one replaces to a profile, named after it if possible.
fn keep(document: &mut Document, profile: Option<&str>, moves: bool) -> Option<String> {
    const OTHERS: &[Key] = &[AGENT_ID, AGENT_SLUG];
    let kept = Kept { secret: &API_KEY, others: OTHERS, base_url: &BASE_URL };
    let slug = document.get(profile, &AGENT_SLUG).map(str::to_owned);
    document.keep(profile, &kept, moves, slug.into_iter().chain(previous(profile)))
}

/// The failure to save a key. It shows the key, which cannot be had again.
fn not_saved(joined: &Joined, wanted: &str, failure: &Failure) -> Failure {
    Failure::config(format!(
        "{} has joined, but its key could not be saved: {}; the key, which is shown only once: {}",
        own_slug(joined, wanted),
        failure.message(),
        joined.api_key.expose()
    ))
    .hint("repair the config file, then save the key: `machins config set api_key -`")
}

fn document(joined: &Joined) -> Extra {
    let known = [
        ("agent_id", joined.agent_id.as_ref().map(|id| json!(id))),
        ("agent_slug", joined.agent_slug.as_ref().map(|slug| json!(slug))),
        ("api_key", Some(json!(joined.api_key.expose()))),
        ("starter_credits", joined.starter_credits.map(|credits| json!(credits))),
        ("claim_url", joined.claim_url.as_ref().map(|url| json!(url.expose()))),
        ("trust_tier", joined.trust_tier.as_ref().map(|tier| json!(tier))),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.map(|(name, value)| (name, value.into())).chain(joined.extra.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_agent_that_is_kept_keeps_its_base_url() {
        let mut document = Document::parse(r#"{"api_key": "at_1"}"#).unwrap();
        let name = keep(&mut document, None, true).unwrap();
        document.set(None, &BASE_URL, "http://127.0.0.1:1/api/v1");
        assert_eq!(document.get(Some(&name), &BASE_URL), BASE_URL.default);
    }
}
