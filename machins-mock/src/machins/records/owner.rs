//! An owner, as it is stored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::context::Context;
use crate::machins::password::PasswordHash;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) id: Uuid,
    pub(crate) created_at: Time,
    /// `None` until a person has claimed the agent.
    pub(crate) claim: Option<Claim>,
}

/// The person who has claimed the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) password: PasswordHash,
    pub(crate) claimed_at: Time,
}

impl Owner {
    pub(crate) fn placeholder(cx: &mut Context<'_>) -> Self {
        Self { id: cx.random.uuid(), created_at: cx.now, claim: None }
    }
}
