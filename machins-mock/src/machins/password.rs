//! Password hashes: HMAC-SHA256 with the world's secret, salted with the owner's id.
//!
//! A real service must use a slow hash, because whoever steals its hashes can otherwise try many
//! passwords quickly. A mock server stores passwords of tests only, beside keys that are not hashed
//! at all.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::jwt::SigningKey;
use super::mac::{hex, keyed_mac};

const PREFIX: &str = "hmac-sha256$";

/// A password hash: `hmac-sha256$` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    pub(super) fn new(key: &SigningKey, owner: Uuid, password: &str) -> Self {
        Self(format!("{PREFIX}{}", hex(&mac(key, owner, password).finalize().into_bytes())))
    }

    fn bytes(&self) -> Option<[u8; 32]> {
        unhex(self.0.strip_prefix(PREFIX)?)
    }
}

/// Returns whether a password is an owner's. Without an owner, it takes as long and is not, so that
/// the time of a refusal does not tell which emails are known.
pub(super) fn verify(
    key: &SigningKey,
    owner: Option<(Uuid, &PasswordHash)>,
    password: &str,
) -> bool {
    let (id, hash) = match owner {
        Some((id, hash)) => (id, hash.bytes()),
        None => (Uuid::nil(), None),
    };
    // Compared in constant time.
    mac(key, id, password).verify_slice(&hash.unwrap_or_default()).is_ok() && owner.is_some()
}

fn mac(SigningKey(key): &SigningKey, owner: Uuid, password: &str) -> Hmac<Sha256> {
    #[cfg(test)]
    tests::HASHES.set(tests::HASHES.get() + 1);
    keyed_mac(key).chain_update("password").chain_update(owner).chain_update(password)
}

/// Reads 64 hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes().chunks(2);
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl TryFrom<String> for PasswordHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.strip_prefix(PREFIX).and_then(unhex).is_some() {
            Ok(Self(text))
        } else {
            Err("an owner's `password` must begin with `hmac-sha256$`; snapshots with other \
                 hashes were taken by an older version: set the owner's `claim` to null to \
                 claim the agent anew")
        }
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How many hashes were made or compared.
        pub(super) static HASHES: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn every_login_costs_one_hash_whether_the_email_is_known_or_not() {
        let key = SigningKey("secret".to_owned());
        let (owner, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let known = PasswordHash::new(&key, owner, "securepassword");
        for (owner, password, right) in [
            (Some((owner, &known)), "securepassword", true),
            (Some((owner, &known)), "wrongpassword", false),
            (Some((other, &known)), "securepassword", false),
            (None, "securepassword", false),
        ] {
            HASHES.set(0);
            assert_eq!(verify(&key, owner, password), right, "{owner:?} {password}");
            assert_eq!(HASHES.get(), 1, "{owner:?} {password}");
        }
    }
}
