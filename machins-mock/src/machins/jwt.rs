//! JSON Web Tokens (HS256) for claims and logins.
//!
//! A token's header must be the very bytes that this server writes, so that no other algorithm,
//! `none` included, is ever considered.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::mac::keyed_mac;
use crate::clock::Time;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The longest token that is read, in bytes.
const MAX_TOKEN: usize = 1024;

/// The secret that signs a world's tokens.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SigningKey(pub(super) String);

/// The purpose of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    Claim,
    Login,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    purpose: Purpose,
    iat: i64,
    exp: i64,
}

/// The token is forged or expired, or has another purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidToken;

impl SigningKey {
    /// Returns a token for an owner that is valid until `expires_at`.
    pub(crate) fn sign(&self, sub: Uuid, purpose: Purpose, now: Time, expires_at: Time) -> String {
        let (iat, exp) = (now.unix_seconds(), expires_at.unix_seconds());
        // Claims are numbers and plain text: they always become JSON.
        let claims = serde_json::to_vec(&Claims { sub, purpose, iat, exp }).unwrap_or_default();
        let mut token = URL_SAFE_NO_PAD.encode(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.mac(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// Returns the owner that a valid token was made for.
    pub(crate) fn verify(
        &self,
        token: &str,
        purpose: Purpose,
        now: Time,
    ) -> Result<Uuid, InvalidToken> {
        if token.len() > MAX_TOKEN {
            return Err(InvalidToken);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| InvalidToken)?;
        self.mac(signed).verify_slice(&signature).map_err(|_| InvalidToken)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidToken)?;
        if header != URL_SAFE_NO_PAD.encode(HEADER) {
            return Err(InvalidToken);
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| InvalidToken)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| InvalidToken)?;
        if claims.purpose == purpose && now.unix_seconds() < claims.exp {
            Ok(claims.sub)
        } else {
            Err(InvalidToken)
        }
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        keyed_mac(&self.0).chain_update(signed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}
