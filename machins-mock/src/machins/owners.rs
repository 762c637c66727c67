//! The owners of agents: claiming an agent, and logging in.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::Context;
use super::error::{Error, Result};
use super::input;
use super::jwt::Purpose;
use super::password::{self, PasswordHash};
use super::platform::Machins;
use super::records::{Claim, Tier};
use super::views::{PublicAgent, TrustTier};
use crate::clock::Time;

/// How long a claim token is valid.
const CLAIM_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a login token is valid.
const LOGIN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

const MIN_PASSWORD: usize = 8;

/// The longest password, because all of it is hashed.
const MAX_PASSWORD: usize = 1_024;

const MAX_EMAIL: usize = 254;

/// The person who claims an agent.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ClaimRequest {
    email: String,
    /// 8 to 1024 characters.
    password: String,
    name: Option<String>,
}

/// The credentials of an owner.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct LoginRequest {
    email: String,
    password: String,
}

/// An agent that was claimed, and its owner.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(crate) struct Claimed {
    owner_id: Uuid,
    email: String,
    name: Option<String>,
    agent_id: Uuid,
    agent_slug: String,
    trust_tier: TrustTier,
    claimed_at: Time,
}

/// A login token.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LoggedIn {
    /// The token, to be sent as `Authorization: Bearer TOKEN`.
    access_token: String,
    token_type: &'static str,
    /// How long the token is valid, in seconds.
    expires_in: u64,
    owner_id: Uuid,
}

/// An owner and its agents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OwnerProfile {
    id: Uuid,
    email: String,
    name: Option<String>,
    agents: Vec<PublicAgent>,
    claimed_at: Time,
    created_at: Time,
}

/// Returns the normal form of an email address, which all its spellings share.
fn canonical(email: &str) -> String {
    email.trim().to_lowercase()
}

fn check_email(email: &str) -> Result<()> {
    let is_email = email.split_once('@').is_some_and(|(local, domain)| {
        let labels = || domain.split('.');
        !local.is_empty()
            && labels().count() >= 2
            && labels().all(|label| !label.is_empty())
            && !domain.contains('@')
    });
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    if is_email && email.len() <= MAX_EMAIL && email.chars().all(plain) {
        Ok(())
    } else {
        Err(Error::field("email", "must be an email address"))
    }
}

impl ClaimRequest {
    fn check(&self) -> Result<()> {
        check_email(&canonical(&self.email))?;
        let length = self.password.chars().count();
        if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&length) {
            let rule = format!("must have {MIN_PASSWORD} to {MAX_PASSWORD} characters");
            return Err(Error::field("password", rule));
        }
        self.name.as_deref().map_or(Ok(()), |name| input::name("name", name))
    }
}

impl Machins {
    pub(crate) fn claim_url(&self, owner: Uuid, now: Time) -> String {
        let token = self.signing_key.sign(owner, Purpose::Claim, now, now.plus(CLAIM_TTL));
        format!("/claim/{token}")
    }

    /// Makes a person the owner of an agent, which is verified from now on.
    pub(crate) fn claim(
        &mut self,
        cx: &mut Context<'_>,
        token: &str,
        request: Result<ClaimRequest>,
    ) -> Result<Claimed> {
        let owner = self.signing_key.verify(token, Purpose::Claim, cx.now).ok();
        let owner = owner.and_then(|id| self.owners.get_mut(&id));
        let owner =
            owner.ok_or_else(|| Error::unauthorized("the claim token is forged or has expired"))?;
        let request = request?;
        request.check()?;
        if owner.claim.is_some() {
            return Err(Error::duplicate("token", "the agent has been claimed already"));
        }
        let ClaimRequest { email, password, name } = request;
        let email = canonical(&email);
        if self.emails.contains_key(&email) {
            return Err(Error::duplicate("email", "another owner has this email"));
        }
        let (owner_id, claimed_at) = (owner.id, cx.now);
        let agent = self
            .agents
            .values_mut()
            .find(|agent| agent.owner_id == owner_id)
            .ok_or_else(|| Error::not_found("agent"))?;
        agent.tier = Tier::Verified;
        let password = PasswordHash::new(&self.signing_key, owner_id, &password);
        owner.claim =
            Some(Claim { email: email.clone(), name: name.clone(), password, claimed_at });
        self.emails.insert(email.clone(), owner_id);
        Ok(Claimed {
            owner_id,
            email,
            name,
            agent_id: agent.id,
            agent_slug: agent.slug.clone(),
            trust_tier: agent.tier.into(),
            claimed_at,
        })
    }

    pub(crate) fn log_in(&self, cx: &Context<'_>, request: &LoginRequest) -> Result<LoggedIn> {
        let owner = self.emails.get(&canonical(&request.email));
        let owner =
            owner.and_then(|id| Some((*id, &self.owners.get(id)?.claim.as_ref()?.password)));
        let right = password::verify(&self.signing_key, owner, &request.password);
        let (owner_id, _) = owner
            .filter(|_| right)
            .ok_or_else(|| Error::unauthorized("the email or the password is wrong"))?;
        let expires_at = cx.now.plus(LOGIN_TTL);
        Ok(LoggedIn {
            access_token: self.signing_key.sign(owner_id, Purpose::Login, cx.now, expires_at),
            token_type: "bearer",
            expires_in: LOGIN_TTL.as_secs(),
            owner_id,
        })
    }

    /// Returns the owner that a login token was made for.
    pub(crate) fn owner(&self, cx: &Context<'_>, token: Option<&str>) -> Result<OwnerProfile> {
        let token = token.ok_or_else(|| Error::unauthorized("the bearer token is missing"))?;
        let id = self.signing_key.verify(token, Purpose::Login, cx.now).ok();
        let owner = id.and_then(|id| self.owners.get(&id));
        let (owner, claim) = owner
            .and_then(|owner| Some((owner, owner.claim.as_ref()?)))
            .ok_or_else(|| Error::unauthorized("the bearer token is forged or has expired"))?;
        let agents = self.agents.values().filter(|agent| agent.owner_id == owner.id);
        Ok(OwnerProfile {
            id: owner.id,
            email: claim.email.clone(),
            name: claim.name.clone(),
            agents: agents.map(PublicAgent::new).collect(),
            claimed_at: claim.claimed_at,
            created_at: owner.created_at,
        })
    }
}
