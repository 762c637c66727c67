//! Password hashes: Argon2id.
//!
//! The parameters are far below what a service needs (OWASP's least is 7 MiB and 5 passes), so
//! that a test suite logs in by the hundred: what this server keeps are tests' passwords, and
//! whoever reaches its control API reads everything else anyway. Every hash still costs memory
//! and time, is salted, and is compared in constant time.

use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

/// 256 KiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 256;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash in the customary text form (PHC), made with the parameters above.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PasswordHash(String);

/// What makes or compares one hash.
fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    #[cfg(test)]
    tests::HASHES.set(tests::HASHES.get() + 1);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl PasswordHash {
    /// None only if the machine has no memory to hash with.
    pub(crate) fn new(password: &str, salt: [u8; 16]) -> Option<Self> {
        let hash = argon2().ok()?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
        Some(Self(hash.to_string()))
    }

    pub(crate) fn matches(&self, password: &str) -> bool {
        argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), &*self.0).is_ok())
    }
}

/// Does a password match, if there is a hash at all? Takes as long either way, so that the time
/// of a refusal does not tell which emails are known.
pub(crate) fn verify(hash: Option<&PasswordHash>, password: &str) -> bool {
    if let Some(hash) = hash {
        return hash.matches(password);
    }
    std::hint::black_box(PasswordHash::new(password, [0; 16]));
    false
}

/// Only hashes with our own parameters: others could ask for any amount of memory.
impl TryFrom<String> for PasswordHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let ours = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
        if text.starts_with(&ours) && text.len() < 200 {
            Ok(Self(text))
        } else {
            Err("a password hash of another make")
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
        let known = PasswordHash::new("securepassword", [1; 16]).unwrap();
        for (hash, password, right) in [
            (Some(&known), "securepassword", true),
            (Some(&known), "wrongpassword", false),
            (None, "securepassword", false),
        ] {
            HASHES.set(0);
            assert_eq!(verify(hash, password), right);
            assert_eq!(HASHES.get(), 1, "{hash:?}");
        }
    }
}
