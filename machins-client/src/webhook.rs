//! Receiving webhooks: checking that a request comes from machins, then reading it
//! ([reference](https://machins.co/docs): Webhooks & Subscriptions, *HMAC verification*).
//!
//! ```
//! use machins_client::Secret;
//! use machins_client::webhook::{Signer, Verifier};
//!
//! let body = br#"{"event":"new_agent","subscription_id":"s1","data":{}}"#;
//! let secret = Secret::new("whsec-0123456789"); // as given to `NewSubscription::secret`
//! let header = Signer::new(&secret)?.sign(body); // what machins sends
//!
//! let verifier = Verifier::new(&secret)?;
//! let webhook = verifier.read(body, Some(&header))?;
//! assert_eq!(webhook.event_type.as_str(), "new_agent");
//! assert!(verifier.verify(body, Some("00ff")).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use agent_client_core::{Document, Error, ErrorKind, Extra, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

use crate::model::event::{Event, EventType};
use crate::model::id::SubscriptionId;

/// The name of the header that carries a webhook's signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-machins-signature";

const SIGNATURE_BYTES: usize = 32;

/// The body of a request to a webhook URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Webhook {
    /// The type of the event, which some of the vendor's documents call `type` instead of `event`.
    /// [`event`](Self::event) reads the data by it.
    #[serde(rename = "event")]
    pub event_type: EventType,
    /// The id of the subscription that the event was sent for. `None` when the service does not
    /// say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The event's data, as the service sent it.
    pub data: Document,
    /// Fields of the body that this version of the crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for Webhook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Extra::deserialize(deserializer)?;
        let mut event_type = extra.take("event").map_err(D::Error::custom)?;
        if event_type.is_none() {
            event_type = extra.take("type").map_err(D::Error::custom)?;
        }
        Ok(Self {
            event_type: event_type.ok_or_else(|| D::Error::missing_field("event"))?,
            subscription_id: extra.take("subscription_id").map_err(D::Error::custom)?,
            data: extra.remove("data").unwrap_or_default(),
            extra,
        })
    }
}

impl Webhook {
    /// Returns the event with typed data.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::new(self.event_type.clone(), self.data.clone())
    }
}

/// The reply of a trade's `verification_url`, which says whether the delivery is as agreed
/// ([reference](https://machins.co/docs): Trades, `verification_url`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Verification {
    /// Creates the answer that accepts the delivery.
    #[must_use]
    pub fn accept() -> Self {
        Self { accepted: true, reason: None }
    }

    /// Creates the answer that rejects the delivery, with a reason.
    #[must_use]
    pub fn reject(reason: impl Into<String>) -> Self {
        Self { accepted: false, reason: Some(reason.into()) }
    }
}

/// Signs bodies as the service does, to test a receiver.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// Creates a signer with a subscription's secret.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the secret is empty.
    pub fn new(secret: &Secret) -> Result<Self, Error> {
        keyed_mac(secret).map(Self)
    }

    /// Returns the value of [`SIGNATURE_HEADER`] for a body: its HMAC-SHA256 in lowercase hex.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        base16ct::lower::encode_string(&self.0.clone().chain_update(body).finalize().into_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer([REDACTED])")
    }
}

/// Checks the signatures of webhooks.
#[derive(Clone)]
pub struct Verifier(Hmac<Sha256>);

/// The reason why a webhook was rejected. Do not act on its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The request has no signature.
    Missing,
    /// The request has several signatures, or one that is not 64 lowercase hex digits.
    Malformed,
    /// The signature does not match the body and the secret.
    Wrong,
    /// The body is longer than the receiver allows.
    TooLarge,
    /// The signature is right, but the body is not a webhook's JSON.
    Unreadable,
}

impl Verifier {
    /// Creates a verifier with a subscription's secret.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the secret is empty: anyone could sign with it.
    pub fn new(secret: &Secret) -> Result<Self, Error> {
        keyed_mac(secret).map(Self)
    }

    /// Checks, in constant time, that `header` is the signature of `body`. The body must be the
    /// bytes of the request: JSON that was parsed and written again has another signature.
    ///
    /// # Errors
    /// Returns [`Rejection::Missing`] if the header is `None`, [`Rejection::Malformed`] if it is
    /// not 64 lowercase hex digits, and [`Rejection::Wrong`] if it is another signature.
    pub fn verify(&self, body: &[u8], header: Option<&str>) -> Result<(), Rejection> {
        let header = header.ok_or(Rejection::Missing)?;
        let mut signature = [0; SIGNATURE_BYTES];
        match base16ct::lower::decode(header, &mut signature) {
            Ok(decoded) if decoded.len() == SIGNATURE_BYTES => {}
            _ => return Err(Rejection::Malformed),
        }
        self.0.clone().chain_update(body).verify_slice(&signature).map_err(|_| Rejection::Wrong)
    }

    /// Checks that `header` is the signature of `body`, and only then reads the body.
    ///
    /// # Errors
    /// Returns a [`Rejection`] in the same cases as [`verify`](Self::verify), and
    /// [`Rejection::Unreadable`] if the body is not a webhook's JSON.
    pub fn read(&self, body: &[u8], header: Option<&str>) -> Result<Webhook, Rejection> {
        self.verify(body, header)?;
        serde_json::from_slice(body).map_err(|_| Rejection::Unreadable)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([REDACTED])")
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the webhook has no signature",
            Self::Malformed => "the webhook's signature is malformed",
            Self::Wrong => "the webhook's signature is wrong",
            Self::TooLarge => "the webhook's body is too long",
            Self::Unreadable => "the webhook's body is not an event",
        })
    }
}

impl std::error::Error for Rejection {}

fn keyed_mac(secret: &Secret) -> Result<Hmac<Sha256>, Error> {
    let refuse = |message: &str| Error::new(ErrorKind::InvalidInput, message);
    if secret.expose().is_empty() {
        return Err(refuse("the webhook secret is empty"));
    }
    Hmac::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| refuse("the webhook secret has a length that HMAC does not support"))
}

#[cfg(feature = "axum")]
pub use self::extract::{MAX_BODY_BYTES, Verified};

#[cfg(feature = "axum")]
mod extract {
    use axum_core::body::Body;
    use axum_core::extract::{FromRef, FromRequest, Request};
    use axum_core::response::{IntoResponse, Response};
    use http_body_util::{BodyExt, Limited};

    use crate::webhook::{Rejection, SIGNATURE_HEADER, Verifier, Webhook};

    /// The maximum length of a body that [`Verified`] reads, in bytes: 1 MiB.
    pub const MAX_BODY_BYTES: usize = 1024 * 1024;

    /// An axum extractor for a webhook, which checks the signature before it reads the body. The
    /// router's state is the [`Verifier`], or provides it through [`FromRef`].
    ///
    /// Other requests are answered with 401 if the signature is missing or wrong, 413 if the body
    /// is longer than [`MAX_BODY_BYTES`], and 400 if it is not a webhook's JSON. The number of
    /// headers and the time that a body may take to arrive are limited by the server:
    /// `axum::serve` allows 100 headers and any time.
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use machins_client::Secret;
    /// use machins_client::webhook::{Verified, Verifier};
    ///
    /// let router: Router = Router::new()
    ///     .route("/webhooks", post(async |Verified(webhook): Verified| {
    ///         println!("{}", webhook.event_type);
    ///     }))
    ///     .with_state(Verifier::new(&Secret::new("whsec-0123456789"))?);
    /// # Ok::<(), machins_client::Error>(())
    /// ```
    // Exhaustive: a handler takes it apart in its arguments, `Verified(webhook): Verified`.
    #[derive(Debug, Clone)]
    pub struct Verified(
        /// The webhook, whose signature has been checked.
        pub Webhook,
    );

    impl<S> FromRequest<S> for Verified
    where
        Verifier: FromRef<S>,
        S: Send + Sync,
    {
        type Rejection = Rejection;

        async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
            let (parts, body) = request.into_parts();
            let mut headers = parts.headers.get_all(SIGNATURE_HEADER).iter();
            let signature = headers.next().map(|header| header.to_str());
            if headers.next().is_some() {
                return Err(Rejection::Malformed);
            }
            let signature = signature.transpose().map_err(|_| Rejection::Malformed)?;
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
            let body = body.map_err(|_| Rejection::TooLarge)?.to_bytes();
            Verifier::from_ref(state).read(&body, signature).map(Self)
        }
    }

    impl IntoResponse for Rejection {
        fn into_response(self) -> Response {
            let status: u16 = match self {
                Self::TooLarge => 413,
                Self::Unreadable => 400,
                _ => 401,
            };
            let mut response = Response::new(Body::from(self.to_string()));
            if let Ok(status) = status.try_into() {
                *response.status_mut() = status;
            }
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_hmac_sha256_in_lowercase_hex() {
        assert_eq!(
            Signer::new(&Secret::new("Jefe")).unwrap().sign(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
