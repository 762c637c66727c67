//! Owners: claiming an agent, logging in, and the owner's profile.

use agent_client_core::{Call, Error, ErrorKind, Reply, Secret, Transport, operation};
use serde_json::{Map, Value, json};

use crate::auth::OWNER_TOKEN;
use crate::client::Api;
use crate::endpoints::read_undocumented;
use crate::model::owner::{Claim, Claimed, Owner, OwnerSession};

/// Claiming the ownership of an agent, and what owners may do
/// ([reference](https://machins.co/docs): Trust Tiers).
///
/// ```
/// use machins_client::{Claim, NewAgent, Secret};
///
/// # test_support::machins(async |test_support::Marketplace { public: client, .. }| {
/// let joined = client.join(&NewAgent::new("Grace Hopper", "grace")).await?;
/// let claim_url = joined.claim_url.ok_or("the reply has no claim URL")?;
///
/// // A person, within seven days:
/// let password = Secret::new("correct horse battery staple");
/// client.claim(&Claim::new(&claim_url, "grace@example.com", password.clone())).await?;
/// let session = client.owner_login("grace@example.com", &password).await?;
/// println!("log in with {:?}", session.token); // prints [REDACTED]
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Claims the ownership of an agent, which is in the verified tier from then on. Calls
    /// `POST /claim/{token}` ([reference](https://machins.co/docs): Trust Tiers, *Claiming
    /// ownership*). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the token is malformed,
    /// [`ErrorKind::Unauthorized`] if it is forged or expired, [`ErrorKind::Conflict`] if the agent
    /// has been claimed before or the email address is taken, [`ErrorKind::BadRequest`] if the
    /// email address or password is invalid, and [`ErrorKind::OutcomeUnknown`] if no readable reply
    /// arrived.
    pub fn claim(&self, claim: &Claim) -> T::Reply<Claimed> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if !claim.token().expose().chars().all(is_allowed) {
            // The token is a secret, so the message does not repeat it.
            let message = "this is neither a claim token nor a claim URL";
            return self.send(Call::refused(Error::new(ErrorKind::InvalidInput, message)));
        }
        let call = Call::post("/claim/{token}")
            .operation(operation!("machins.claim"))
            .segment("token", claim.token().expose())
            .secret(claim.token())
            .secret(claim.password())
            .body(&claim.body())
            .unknown_hint("the claim may have been made: try to log in");
        self.send(call.decode(|reply| read_undocumented(reply).map(|reply| Claimed { reply })))
    }

    /// Logs an owner in with an email address and a password. Calls `POST /owners/login`
    /// ([reference](https://machins.co/docs): Trust Tiers, *After claiming*). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`] if the email address or the password is wrong.
    pub fn owner_login(&self, email: &str, password: &Secret) -> T::Reply<OwnerSession> {
        let body = json!({"email": email, "password": password.expose()});
        let call = Call::post("/owners/login")
            .operation(operation!("machins.owner_login"))
            .secret(password)
            .body(&body)
            .idempotent();
        self.send(call.decode(read_session))
    }

    /// Returns the profile of the logged-in owner. Calls `GET /owners/me`
    /// ([reference](https://machins.co/docs): Trust Tiers, *After claiming*). Needs an owner token:
    /// see [`ClientBuilder::owner_token`](crate::ClientBuilder::owner_token).
    ///
    /// # Errors
    /// Returns [`ErrorKind::MissingCredential`] if the client has no owner token, and
    /// [`ErrorKind::Unauthorized`] if the token has expired.
    pub fn get_owner(&self) -> T::Reply<Owner> {
        self.send(
            Call::get("/owners/me")
                .operation(operation!("machins.get_owner"))
                .auth(&OWNER_TOKEN)
                .json(),
        )
    }
}

#[cfg(feature = "test-util")]
impl OwnerSession {
    /// Reads a reply as [`Api::owner_login`] does, for tests (feature `test-util`).
    ///
    /// # Errors
    /// Returns an error in the same cases as [`Api::owner_login`].
    pub fn from_reply(reply: &Reply) -> Result<Self, Error> {
        read_session(reply)
    }
}

/// Reads the reply. No error repeats any of it, because it holds the token. The reference does not
/// say in which field.
fn read_session(reply: &Reply) -> Result<OwnerSession, Error> {
    if !reply.is_success() {
        return Err(reply.error());
    }
    let unreadable =
        || Error::new(ErrorKind::UnreadableReply, "the reply to logging in holds no token");
    let body: Map<String, Value> = reply.json().map_err(|_| unreadable())?;
    let token = ["access_token", "token", "jwt"]
        .into_iter()
        .find_map(|name| body.get(name)?.as_str())
        .ok_or_else(unreadable)?;
    Ok(OwnerSession { token: Secret::new(token) })
}
