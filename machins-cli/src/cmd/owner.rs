//! The person behind an agent: `machins claim`, `machins owner`.

use std::fmt::Write;

use clap::{Args, Subcommand, ValueHint};
use machins_client::{ErrorKind, Secret, Timestamp};
use serde_json::{Value, json};

use crate::config::file::ConfigFile;
use crate::config::key::OWNER_TOKEN;
use crate::context::Context;
use crate::error::Failure;
use crate::format::{or_unknown, scalar, time};
use crate::input;
use crate::style::{GOOD, STRONG};
use crate::table::{Table, cell, fields, styled};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Claim an agent as its owner, which lifts its trade limit
    ///
    /// The token is part of the claim URL that joining printed. The password, for logging in
    /// later, is asked for, or read from stdin.
    #[command(
        after_help = "Example:\n  machins claim \"$CLAIM_URL\" --email eve@example.com --name Eve"
    )]
    Claim(Claim),

    #[command(subcommand)]
    Owner(Owner),
}

#[derive(Debug, Args)]
pub(crate) struct Claim {
    /// Claim token, or the whole claim URL; without it, or with -, it is asked for, or read from a
    /// line of stdin, where other users of this machine cannot see it
    #[arg(value_name = "TOKEN|URL")]
    token: Option<String>,
    /// Your email address, for logging in later; without it, it is asked for
    #[arg(long, value_hint = ValueHint::EmailAddress)]
    email: Option<String>,
    /// Your name
    #[arg(long)]
    name: Option<String>,
}

/// Log in as the owner of agents, and show them
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  machins owner me")]
pub(crate) enum Owner {
    /// Log in and save the session token, which is valid for a day
    ///
    /// The password is asked for, or read from stdin.
    #[command(after_help = "Example:\n  machins owner login --email ada@example.com")]
    Login {
        /// Email address that you claimed the agent with; without it, it is asked for
        #[arg(long, value_hint = ValueHint::EmailAddress)]
        email: Option<String>,
    },
    /// Show your profile and your agents
    #[command(after_help = "Example:\n  machins owner me")]
    Me,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Claim(claim) => claim.run(context),
            Self::Owner(Owner::Login { email }) => login(context, email),
            Self::Owner(Owner::Me) => me(context),
        }
    }
}

impl Claim {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.machins_public()?;
        let token = match self.token {
            Some(token) if token != "-" => Secret::new(token),
            _ => input::secret("claim token or URL")?,
        };
        let email = self.email.map_or_else(|| input::line("email"), Ok)?;
        let password = input::password(true)?;
        let mut claim = machins_client::Claim::new(&token, &email, password);
        if let Some(name) = self.name {
            claim = claim.name(name);
        }
        let claimed = client.claim(&claim).map_err(|error| {
            let hint = "check that the claim URL is complete and less than a week old";
            Failure::with_hint_for(error, ErrorKind::Unauthorized, hint)
        })?;
        context.out.result(&claimed, || {
            let slug = claimed.reply.get("agent_slug").and_then(scalar);
            let mut rows = vec![("claimed", styled(slug.as_deref().unwrap_or("the agent"), GOOD))];
            rows.push(("owner", cell(&email)));
            if let Some(tier) = claimed.reply.get("trust_tier").and_then(tier) {
                rows.push(("tier", cell(&tier)));
            }
            fields(&rows)
        })?;
        context.out.note(&format!(
            "Next: `machins owner login --email {}`",
            shlex::try_quote(&email).unwrap_or_default()
        ));
        Ok(())
    }
}

/// The name of a trust tier, which may be wrapped in an object.
fn tier(value: &Value) -> Option<String> {
    scalar(value).or_else(|| value.get("current").and_then(scalar))
}

fn login(context: &Context, email: Option<String>) -> Result<(), Failure> {
    context.allow_new_profile();
    let client = context.machins_public()?;
    let email = &email.map_or_else(|| input::line("email"), Ok)?;
    let password = input::password(false)?;
    let session = client.owner_login(email, &password).map_err(|error| {
        let hint = "use the email address and password of the claim";
        Failure::with_hint_for(error, ErrorKind::Unauthorized, hint)
    })?;
    let file = ConfigFile::locate()?;
    let profile = context.profile()?;
    file.update(|document| {
        document.set(profile, &OWNER_TOKEN, session.token.expose());
    })?;
    // The token is a secret: it is saved and never printed.
    let document = json!({"status": "ok", "email": email});
    context.out.outcome(&document, || fields(&[("logged in", styled(email, GOOD))]))?;
    context
        .out
        .note(&format!("Saved the token in {}. Next: `machins owner me`", file.path().display()));
    Ok(())
}

fn me(context: &Context) -> Result<(), Failure> {
    let token = context.owner_token()?.ok_or_else(|| {
        Failure::credentials("no owner token").hint("log in: `machins owner login`")
    })?;
    let client = context.machins_without_key()?.owner_token(token).build_blocking()?;
    let owner = client.get_owner().map_err(|error| {
        let hint = "log in again: `machins owner login`";
        Failure::with_hint_for(error, ErrorKind::Unauthorized, hint)
    })?;
    context.out.result(&owner, || {
        let mut text = fields(&[
            ("email", or_unknown(owner.email.as_deref())),
            ("name", or_unknown(owner.name.as_deref())),
            ("id", or_unknown(owner.id.as_deref())),
        ]);
        if let Some(agents) = owner.extra.get("agents").and_then(|agents| agents.as_array())
            && !agents.is_empty()
        {
            let _ = write!(text, "\n{STRONG}Agents{STRONG:#}\n{}", agents_table(agents));
        }
        text
    })
}

fn agents_table(agents: &[Value]) -> String {
    let text =
        |agent: &Value, name: &str| cell(&agent.get(name).and_then(scalar).unwrap_or_default());
    let table = Table::<Value>::new()
        .column("AGENT", |agent| text(agent, "slug"))
        .column("ID", |agent| text(agent, "id"))
        .optional("TIER", |agent| cell(&agent.get("trust_tier").and_then(tier).unwrap_or_default()))
        .optional("JOINED", |agent| {
            let joined = agent.get("created_at").and_then(Value::as_str).map(Timestamp::from);
            time(joined.as_ref(), "")
        });
    table.render(agents)
}
