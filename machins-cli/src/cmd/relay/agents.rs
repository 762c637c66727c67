//! The agents whose events are passed on.

use std::time::Duration;

use machins_client::{AgentId, Client};

use crate::config::key::AGENT_ID;
use crate::context::Context;
use crate::error::Failure;
use crate::text::clean;

/// The first and the longest wait before the service is asked again which agent this is.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The status by which the service refuses a key.
const UNAUTHORIZED: u16 = 401;

/// An agent, and the client that has its key.
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) client: Client,
}

/// The agents of these profiles, or the one whose key the command has. Of several, one whose key is
/// refused is left out, as it is when that happens later.
pub(super) async fn agents(context: &Context, profiles: &[String]) -> Result<Vec<Agent>, Failure> {
    if profiles.is_empty() {
        return Ok(vec![agent(context).await?]);
    }
    let mut agents: Vec<(&String, Agent)> = Vec::new();
    let mut refused = Vec::new();
    for profile in profiles {
        let mut global = context.global.clone();
        global.profile = Some(profile.clone());
        let found = match agent(&Context::new(global, context.out)).await {
            Ok(found) => found,
            Err(failure) if failure.http_status() == Some(UNAUTHORIZED) => {
                refused.push(failure.about(&format!("profile {profile}")));
                continue;
            }
            Err(failure) => return Err(failure.about(&format!("profile {profile}"))),
        };
        if let Some((other, _)) = agents.iter().find(|(_, other)| other.id == found.id) {
            let what = format!("the profiles {other} and {profile} are the same agent");
            return Err(Failure::usage(what).hint("MACHINS_API_KEY replaces the keys of profiles"));
        }
        agents.push((profile, found));
    }
    if agents.is_empty() && !refused.is_empty() {
        return Err(refused.remove(0));
    }
    for failure in refused {
        let what = format!("{}; the inbox of this agent is not read", failure.message());
        context.out.warn_always(&clean(&what));
    }
    Ok(agents.into_iter().map(|(_, agent)| agent).collect())
}

/// The agent whose key a context has.
async fn agent(context: &Context) -> Result<Agent, Failure> {
    context.limit_each_call();
    let client = context.machins_with_key()?.build()?;
    let profile = context.global.profile.as_ref();
    let whose = profile.map(|name| format!("profile {name}: ")).unwrap_or_default();
    let mut wait = FIRST_WAIT;
    let wallet = loop {
        match client.get_wallet().await {
            Ok(wallet) => break wallet,
            Err(error) if error.is_retryable() => {
                context.out.warn(&clean(&format!("trying again: {whose}{error:#}")));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(id) = wallet.agent_id {
        return Ok(Agent { id, client });
    }
    let id = context.value(&AGENT_ID)?.ok_or_else(|| {
        let what = "the service does not say which agent this key belongs to";
        Failure::refused(what).hint("save its id: `machins config set agent_id -`")
    })?;
    Ok(Agent { id: AgentId::new(&id)?, client })
}
