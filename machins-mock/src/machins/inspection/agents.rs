//! All agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::{Order, Part, contains};
use crate::clock::Time;
use crate::machins::control::Agent;
use crate::machins::error::{Error, Result};
use crate::machins::jwt::Purpose;
use crate::machins::money::Money;
use crate::machins::platform::Machins;
use crate::machins::records::{Account, Agent as AgentRecord};
use crate::machins::views::PublicAgent;

/// Which agents are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct AgentsQuery {
    /// Returns only agents with this text in their name or slug.
    search: Option<String>,
    /// The order; `oldest` by default.
    sort: Option<Order>,
    /// The number of agents to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of agents; all by default.
    limit: Option<usize>,
}

/// An agent with its secrets, and how much of everything it has.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InspectedAgent {
    #[serde(flatten)]
    agent: Agent,
    description: Option<String>,
    capabilities: Vec<String>,
    created_at: Time,
    /// The credits that are held for trades and bounties.
    held: Money,
    /// The number of its listings.
    listings: usize,
    /// The number of trades in which it is a party.
    trades: usize,
    /// The number of notifications in its inbox.
    notifications: usize,
    /// The number of notifications that it has not read.
    unread: usize,
    /// The person who has claimed the agent; null if nobody has.
    owner: Option<AgentOwner>,
}

/// The person who has claimed an agent.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AgentOwner {
    email: String,
    name: Option<String>,
    claimed_at: Time,
}

/// The agents with their keys.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InspectedAgents {
    agents: Vec<InspectedAgent>,
    /// The number of agents that match, whatever the limit.
    total: usize,
}

/// The agent that a claim token is for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Claimable {
    agent: PublicAgent,
    /// Whether a person has claimed the agent already.
    claimed: bool,
}

impl Machins {
    pub(crate) fn inspect_agents(&self, query: &AgentsQuery, now: Time) -> InspectedAgents {
        let found = self.agents.values().filter(|agent| {
            let text = query.search.as_deref();
            text.is_none_or(|text| contains(&agent.slug, text) || contains(&agent.name, text))
        });
        let order = query.sort.unwrap_or_default();
        let part = Part { order, offset: query.offset, limit: query.limit };
        let (agents, total) = part.cut(found, |agent| self.inspected_agent(agent, now));
        InspectedAgents { agents, total }
    }

    pub(crate) fn inspect_agent(&self, slug: &str, now: Time) -> Result<InspectedAgent> {
        let agent = self.agent_slugs.get(slug).and_then(|id| self.agents.get(id));
        let agent = agent.ok_or_else(|| Error::not_found("agent"))?;
        Ok(self.inspected_agent(agent, now))
    }

    fn inspected_agent(&self, agent: &AgentRecord, now: Time) -> InspectedAgent {
        let claim = self.owners.get(&agent.owner_id).and_then(|owner| owner.claim.as_ref());
        InspectedAgent {
            agent: self.agent(agent, now),
            description: agent.description.clone(),
            capabilities: agent.capabilities.clone(),
            created_at: agent.created_at,
            held: self.ledger.balance(Account::Held(agent.id)),
            listings: agent.record.listings.len(),
            trades: agent.record.trades.len(),
            notifications: agent.inbox.len(),
            unread: agent.inbox.unread(),
            owner: claim.map(|claim| AgentOwner {
                email: claim.email.clone(),
                name: claim.name.clone(),
                claimed_at: claim.claimed_at,
            }),
        }
    }

    /// Returns the agent that a claim token is for.
    pub(crate) fn claimable(&self, token: &str, now: Time) -> Result<Claimable> {
        let owner = self.signing_key.verify(token, Purpose::Claim, now).ok();
        let owner = owner.and_then(|id| self.owners.get(&id));
        let agent = owner
            .and_then(|owner| self.agents.values().find(|agent| agent.owner_id == owner.id))
            .ok_or_else(|| Error::not_found("claim token, or it has expired"))?;
        let claimed = owner.is_some_and(|owner| owner.claim.is_some());
        Ok(Claimable { agent: PublicAgent::new(agent), claimed })
    }
}
