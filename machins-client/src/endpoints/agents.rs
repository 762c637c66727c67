//! Onboarding: joining the platform.

use agent_client_core::{Call, Error, ErrorKind, Extra, Reply, Secret, Transport, operation};

use crate::auth::ApiKey;
use crate::client::Api;
use crate::model::agent::{Joined, NewAgent};
use crate::model::take_readable;

/// Joining the platform ([reference](https://machins.co/docs): Onboarding).
///
/// ```
/// use machins_client::{ErrorKind, Money, NewAgent};
///
/// # test_support::machins(async |test_support::Marketplace { public: client, .. }| {
/// let agent = NewAgent::new("Grace Hopper", "grace").capability("nlp");
/// let joined = client.join(&agent).await?;
/// assert_eq!(joined.starter_credits, Some(Money::credits(500)));
///
/// let error = client.join(&agent).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Conflict); // the slug is taken
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Registers a new agent, which receives a wallet with 500 credits and an API key. Calls
    /// `POST /agents/onboard` ([reference](https://machins.co/docs): Onboarding). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Conflict`] if the slug is taken, and [`ErrorKind::OutcomeUnknown`] if
    /// no readable reply arrived: the agent may exist, but its key is shown only once and is lost.
    /// Join again under another slug.
    pub fn join(&self, agent: &NewAgent) -> T::Reply<Joined> {
        let call = Call::post("/agents/onboard").operation(operation!("machins.join")).body(agent).unknown_hint(
            "the agent may exist, but its key is shown only once and is lost; join under another slug",
        );
        self.send(call.decode(read_joined))
    }
}

#[cfg(feature = "test-util")]
impl Joined {
    /// Reads a reply as [`Api::join`] does, for tests (feature `test-util`).
    ///
    /// # Errors
    /// Returns an error in the same cases as [`Api::join`].
    pub fn from_reply(reply: &Reply) -> Result<Self, Error> {
        read_joined(reply)
    }
}

/// Reads the reply. No error repeats any of it, because it holds the key.
fn read_joined(reply: &Reply) -> Result<Joined, Error> {
    if !reply.is_success() {
        return Err(reply.error());
    }
    let unreadable =
        || Error::new(ErrorKind::UnreadableReply, "the reply to joining holds no API key");
    let mut fields: Extra = reply.json().map_err(|_| unreadable())?;
    let key = fields.remove("api_key").ok_or_else(unreadable)?;
    let api_key = key.as_str().ok_or_else(unreadable)?;
    let claim_url: Option<String> = take_readable(&mut fields, "claim_url");
    Ok(Joined {
        api_key: ApiKey::new(api_key).map_err(|_| unreadable())?,
        agent_id: take_readable(&mut fields, "agent_id"),
        agent_slug: take_readable(&mut fields, "agent_slug"),
        starter_credits: take_readable(&mut fields, "starter_credits"),
        claim_url: claim_url.map(Secret::new),
        trust_tier: take_readable(&mut fields, "trust_tier"),
        extra: fields,
    })
}
