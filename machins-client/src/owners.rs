//! Owners: the people behind agents.

use std::fmt;

use agent_client_core::{Call, Error, ErrorKind, Extra, Secret, Transport};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::OWNER_TOKEN;
use crate::client::Api;

/// A claim to be made: a person takes ownership of an agent, which is verified then.
#[derive(Clone)]
#[must_use]
pub struct Claim {
    token: Secret,
    email: String,
    password: Secret,
    name: Option<String>,
}

impl Claim {
    /// A claim with this token, or with the whole claim URL that holds it.
    pub fn new(token: &Secret, email: impl Into<String>, password: Secret) -> Self {
        let text = token.expose().trim().trim_end_matches('/');
        let token = text.rsplit_once('/').map_or(text, |(_, token)| token);
        Self { token: Secret::new(token), email: email.into(), password, name: None }
    }

    /// The owner's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("email", &self.email).finish_non_exhaustive()
    }
}

/// The reply to a claim. The reference documents none; what came is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claimed {
    /// The reply.
    pub reply: Extra,
}

/// An owner who has logged in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OwnerSession {
    /// The token, for [`ClientBuilder::owner_token`](crate::ClientBuilder::owner_token).
    pub token: Secret,
}

/// An owner's profile. The reference documents no fields; those that are common are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// The owner's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The owner's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The owner's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Everything else, the owner's agents among it.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reference's *Trust Tiers*: claiming ownership, and what owners may do.
///
/// ```
/// use machins_client::{Claim, Client, NewAgent, Secret};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let builder = || Client::builder().base_url(server.machins_base_url());
/// # let client = builder().build()?;
/// let joined = client.join(&NewAgent::new("Ada", "ada")).await?;
/// let claim_url = joined.claim_url.ok_or("the reply has no claim URL")?;
///
/// // A person, within seven days:
/// let password = Secret::new("correct horse battery staple");
/// client.claim(&Claim::new(&claim_url, "ada@example.com", password.clone())).await?;
/// let session = client.owner_login("ada@example.com", &password).await?;
///
/// let owner = builder().owner_token(session.token).build()?;
/// assert_eq!(owner.get_owner().await?.email.as_deref(), Some("ada@example.com"));
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Claims an agent. It is verified from then on: no limit to a trade's size. Needs no key.
    /// `POST /claim/{token}`
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what can't be a token,
    /// [`Unauthorized`](ErrorKind::Unauthorized) for one that is forged or expired,
    /// [`Conflict`](ErrorKind::Conflict) when it was claimed before or the address is taken,
    /// [`BadRequest`](ErrorKind::BadRequest) for an address or password that can't be,
    /// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) when no readable reply came.
    pub fn claim(&self, claim: &Claim) -> T::Reply<Claimed> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if !claim.token.expose().chars().all(is_fine) {
            // The token is not repeated: it is a secret.
            let error =
                Error::new(ErrorKind::InvalidInput, "that is neither a claim token nor URL");
            return self.send(Call::refused(error));
        }
        let mut body = json!({"email": claim.email, "password": claim.password.expose()});
        if let Some(name) = &claim.name {
            body["name"] = json!(name);
        }
        let call = Call::post("/claim/{token}")
            .segment("token", claim.token.expose())
            .secret(&claim.token)
            .secret(&claim.password)
            .body(&body)
            .unknown_hint("the claim may have been made: try to log in");
        self.send(call.json())
    }

    /// Logs an owner in. Needs no key. `POST /owners/login`
    ///
    /// # Errors
    /// [`Unauthorized`](ErrorKind::Unauthorized) when address and password are no pair.
    pub fn owner_login(&self, email: &str, password: &Secret) -> T::Reply<OwnerSession> {
        let body = json!({"email": email, "password": password.expose()});
        let call = Call::post("/owners/login").secret(password).body(&body).idempotent();
        self.send(call.decode(|reply| {
            if !reply.is_success() {
                return Err(reply.error());
            }
            // Nothing of this reply goes into an error: it holds the token.
            let unreadable =
                || Error::new(ErrorKind::UnreadableReply, "the reply to logging in holds no token");
            let body: Map<String, Value> = reply.json().map_err(|_| unreadable())?;
            let token = ["access_token", "token", "jwt"]
                .into_iter()
                .find_map(|name| body.get(name)?.as_str())
                .ok_or_else(unreadable)?;
            Ok(OwnerSession { token: Secret::new(token) })
        }))
    }

    /// The profile of the owner who is logged in. Needs the owner token. `GET /owners/me`
    ///
    /// # Errors
    /// [`MissingCredential`](ErrorKind::MissingCredential) without a token, and
    /// [`Unauthorized`](ErrorKind::Unauthorized) with one that has expired.
    pub fn get_owner(&self) -> T::Reply<Owner> {
        self.send(Call::get("/owners/me").auth(&OWNER_TOKEN).json())
    }
}
