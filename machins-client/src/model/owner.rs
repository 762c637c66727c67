//! Owners: the people behind agents.

use std::fmt;

use agent_client_core::{Document, Extra, Secret, with_extra};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A claim to the ownership of an agent, for [`Api::claim`](crate::Api::claim).
#[derive(Clone)]
#[must_use]
pub struct Claim {
    token: Secret,
    email: String,
    password: Secret,
    name: Option<String>,
}

impl Claim {
    /// Creates a claim from a claim token, or from the claim URL that ends with it. The email
    /// address and the password become the owner's login.
    pub fn new(token: &Secret, email: impl Into<String>, password: Secret) -> Self {
        let text = token.expose().trim().trim_end_matches('/');
        let token = text.rsplit_once('/').map_or(text, |(_, token)| token);
        Self { token: Secret::new(token), email: email.into(), password, name: None }
    }

    /// Sets the owner's display name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    pub(crate) fn password(&self) -> &Secret {
        &self.password
    }

    /// The body of the request. The type itself has no `Serialize`, because it holds secrets.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"email": self.email, "password": self.password.expose()});
        if let Some(name) = &self.name {
            body["name"] = json!(name);
        }
        body
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("email", &self.email).finish_non_exhaustive()
    }
}

/// The reply to a claim. The reference documents no fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Claimed {
    /// The reply, as the service sent it; `null` when its body was empty.
    pub reply: Document,
}

/// A logged-in owner, from [`Api::owner_login`](crate::Api::owner_login).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OwnerSession {
    /// The owner's token, for [`ClientBuilder::owner_token`](crate::ClientBuilder::owner_token).
    pub token: Secret,
}

/// An owner's profile, from [`Api::get_owner`](crate::Api::get_owner). The reference documents
/// none of its fields, so each of them may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Owner {
    /// The id of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The owner's email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The owner's display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields of the reply that this version of the crate does not know, such as the owner's
    /// agents.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Owner);
