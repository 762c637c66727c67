//! The commands of the person behind an agent: claim, owner.

use std::fmt::Write;

use machins_client::{ErrorKind, Secret, Timestamp};
use serde_json::{Value, json};

use crate::args::market::{Claim, Owner};
use crate::config::file::ConfigFile;
use crate::config::settings::OWNER_TOKEN;
use crate::context::Context;
use crate::error::Failure;
use crate::format::moment;
use crate::market::word;
use crate::output::{GOOD, STRONG};
use crate::secret;
use crate::table::{Cell, Column, cell, fields, fitted, styled};

/// `machins claim`.
pub(crate) fn claim(context: &Context, claim: Claim) -> Result<(), Failure> {
    let client = context.machins_without_key()?.build_blocking()?;
    let password = secret::password(true)?;
    let token = Secret::new(claim.token);
    let mut wanted = machins_client::Claim::new(&token, &claim.email, password);
    if let Some(name) = claim.name {
        wanted = wanted.name(name);
    }
    let claimed = client
        .claim(&wanted)
        .map_err(|error| unauthorized(error, "is the claim URL whole, and younger than a week?"))?;
    context.out.result(&claimed, || {
        let slug = claimed.reply.get("agent_slug").and_then(word);
        let mut rows = vec![("claimed", styled(slug.as_deref().unwrap_or("the agent"), GOOD))];
        rows.push(("owner", cell(&claim.email)));
        if let Some(tier) = claimed.reply.get("trust_tier").and_then(tier) {
            rows.push(("tier", cell(&tier)));
        }
        fields(&rows)
    })?;
    context.out.note("Next: machins owner login --email EMAIL");
    Ok(())
}

/// The failure with what to do when it was not the key that was refused.
fn unauthorized(error: machins_client::Error, hint: &str) -> Failure {
    let is_refused = error.kind() == ErrorKind::Unauthorized;
    let failure = Failure::from(error);
    if is_refused { failure.hint(hint) } else { failure }
}

/// A trust tier: its name, or an object that holds it.
fn tier(value: &Value) -> Option<String> {
    word(value).or_else(|| value.get("current").and_then(word))
}

/// `machins owner`.
pub(crate) fn run(context: &Context, command: &Owner) -> Result<(), Failure> {
    match command {
        Owner::Login { email } => login(context, email),
        Owner::Me => me(context),
    }
}

fn login(context: &Context, email: &str) -> Result<(), Failure> {
    let client = context.machins_without_key()?.build_blocking()?;
    let password = secret::password(false)?;
    let session = client
        .owner_login(email, &password)
        .map_err(|error| unauthorized(error, "are address and password those of the claim?"))?;
    let profile = context.global.profile.as_deref();
    let file = ConfigFile::locate()?;
    file.update(|document| {
        document.set(profile, &OWNER_TOKEN, session.token.expose());
        Ok(())
    })?;
    // The token itself is nobody's business.
    let document = json!({"status": "ok", "email": email});
    context.out.result(&document, || fields(&[("logged in", styled(email, GOOD))]))?;
    context
        .out
        .note(&format!("Saved the token in {}. Next: machins owner me", file.path().display()));
    Ok(())
}

fn me(context: &Context) -> Result<(), Failure> {
    let token = context.owner_token()?.ok_or_else(|| {
        Failure::credentials("no owner token").hint("log in: machins owner login --email EMAIL")
    })?;
    let client = context.machins_without_key()?.owner_token(token).build_blocking()?;
    let owner = client
        .get_owner()
        .map_err(|error| unauthorized(error, "log in again: machins owner login --email EMAIL"))?;
    let text = |text: Option<&str>| cell(text.unwrap_or("unknown"));
    context.out.result(&owner, || {
        let mut shown = fields(&[
            ("email", text(owner.email.as_deref())),
            ("name", text(owner.name.as_deref())),
            ("id", text(owner.id.as_deref())),
        ]);
        let rows: Vec<Vec<Cell>> = owner
            .extra
            .get("agents")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(agent)
            .collect();
        if !rows.is_empty() {
            let columns = [
                Column::whole("AGENT"),
                Column::whole("ID"),
                Column::extra("TIER"),
                Column::extra("JOINED"),
            ];
            let _ = write!(shown, "\n{STRONG}Agents{STRONG:#}\n{}", fitted(&columns, &rows));
        }
        shown
    })
}

fn agent(agent: &Value) -> Vec<Cell> {
    let text = |name: &str| agent.get(name).and_then(word).unwrap_or_default();
    let joined = agent.get("created_at").and_then(Value::as_str).map(Timestamp::from);
    vec![
        cell(&text("slug")),
        cell(&text("id")),
        cell(&agent.get("trust_tier").and_then(tier).unwrap_or_default()),
        moment(joined.as_ref(), ""),
    ]
}
