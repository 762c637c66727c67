//! Webhooks: make sure that what arrives is from machins, then read it.
//!
//! ```
//! use machins_client::Secret;
//! use machins_client::webhook::{Signer, Verifier};
//!
//! let body = br#"{"event":"new_agent","subscription_id":"s1","data":{}}"#;
//! let header = Signer::new(&Secret::new("shared")).sign(body);
//!
//! let verifier = Verifier::new(&Secret::new("shared"))?;
//! let webhook = verifier.read(body, Some(&header))?;
//! assert_eq!(webhook.event_type.as_str(), "new_agent");
//! assert!(verifier.verify(body, Some("00ff")).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use agent_client_core::{Document, Error, ErrorKind, Extra, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::event::{Event, EventType};
use crate::id::SubscriptionId;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-machins-signature";

const SIGNATURE_BYTES: usize = 32;

/// What the platform sends to a webhook URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Webhook {
    /// What kind of event it tells of.
    #[serde(rename = "event")]
    pub event_type: EventType,
    /// The subscription that it was sent for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The event's data, as it came.
    #[serde(default)]
    pub data: Document,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Webhook {
    /// The event that it tells of.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::new(self.event_type.clone(), self.data.clone())
    }
}

/// What a trade's `verification_url` answers when the platform asks about a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Verification {
    /// The delivery is as agreed.
    #[must_use]
    pub fn accept() -> Self {
        Self { accepted: true, reason: None }
    }

    /// It is not, for this reason.
    #[must_use]
    pub fn reject(reason: impl Into<String>) -> Self {
        Self { accepted: false, reason: Some(reason.into()) }
    }
}

/// Signs bodies as the platform does: for tests of a receiver.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// A signer with the subscription's secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(keyed(secret))
    }

    /// The header's value for this body: lowercase hex of its HMAC-SHA256.
    #[must_use]
    pub fn sign(&self, body: &[u8]) -> String {
        let signature = self.0.clone().chain_update(body).finalize().into_bytes();
        signature.iter().fold(String::with_capacity(SIGNATURE_BYTES * 2), |mut hex, byte| {
            for digit in [byte >> 4, byte & 0xf] {
                hex.extend(char::from_digit(digit.into(), 16));
            }
            hex
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer([REDACTED])")
    }
}

/// Tells the platform's webhooks from forgeries.
#[derive(Clone)]
pub struct Verifier(Hmac<Sha256>);

/// What arrived is not from the platform, or not readable. Answer 401 and do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// There is no signature.
    Missing,
    /// There is more than one, or it is not 64 lowercase hex digits.
    Malformed,
    /// It is not that of this body with this secret.
    Wrong,
    /// The body is too long.
    TooLarge,
    /// The signature is right, but the body is no event.
    Unreadable,
}

impl Verifier {
    /// A verifier with the subscription's secret.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an empty secret: everybody could sign with it.
    pub fn new(secret: &Secret) -> Result<Self, Error> {
        if secret.expose().is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "the webhook secret is empty"));
        }
        Ok(Self(keyed(secret)))
    }

    /// Checks a body against the header, in constant time. `body` must be the bytes as they came:
    /// JSON that was read and written again has another signature.
    ///
    /// # Errors
    /// [`Rejection`]: do not believe the body.
    pub fn verify(&self, body: &[u8], header: Option<&str>) -> Result<(), Rejection> {
        let signature = unhex(header.ok_or(Rejection::Missing)?).ok_or(Rejection::Malformed)?;
        self.0.clone().chain_update(body).verify_slice(&signature).map_err(|_| Rejection::Wrong)
    }

    /// Checks a body, and only then reads it.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`Rejection::Unreadable`].
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
            Self::Missing => "the webhook is not signed",
            Self::Malformed => "the webhook's signature is malformed",
            Self::Wrong => "the webhook's signature is wrong",
            Self::TooLarge => "the webhook's body is too long",
            Self::Unreadable => "the webhook's body is no event",
        })
    }
}

impl std::error::Error for Rejection {}

fn keyed(secret: &Secret) -> Hmac<Sha256> {
    // HMAC takes a key of any length: a longer one is hashed, a shorter one padded.
    match Hmac::new_from_slice(secret.expose().as_bytes()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes a key of any length"),
    }
}

/// Reads exactly 64 lowercase hex digits.
fn unhex(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != SIGNATURE_BYTES * 2 {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; SIGNATURE_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(feature = "axum")]
pub use self::extract::{MAX_BODY_BYTES, Verified};

#[cfg(feature = "axum")]
mod extract {
    use axum_core::body::Body;
    use axum_core::extract::{FromRef, FromRequest, Request};
    use axum_core::response::{IntoResponse, Response};
    use http_body_util::{BodyExt, Limited};

    use super::{Rejection, SIGNATURE_HEADER, Verifier, Webhook};

    /// The longest body that [`Verified`] reads: 1 MiB.
    pub const MAX_BODY_BYTES: usize = 1024 * 1024;

    /// An axum extractor: a webhook whose signature was checked before it was read. The router's
    /// state is or holds the [`Verifier`]. Anything else is answered with 401, 413 or 400.
    ///
    /// It reads [`MAX_BODY_BYTES`] at most. How many headers a request may have, and how long a
    /// body may take to arrive, is up to the server beneath: that of `axum::serve` takes 100
    /// headers and sets no time.
    #[derive(Debug, Clone)]
    pub struct Verified(
        /// The webhook.
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
            Signer::new(&Secret::new("Jefe")).sign(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
