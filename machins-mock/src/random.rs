//! Seeded randomness: the same seed and the same calls make the same world.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Where a sequence of random values begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed {
    value: u64,
    /// Whether the user chose it, so that the same values come again.
    is_chosen: bool,
}

impl Seed {
    /// Returns the seed that the user chose, or a random one.
    pub(crate) fn new(chosen: Option<u64>) -> Self {
        let value = chosen.unwrap_or_else(|| fastrand::u64(..));
        Self { value, is_chosen: chosen.is_some() }
    }

    pub(crate) fn is_chosen(self) -> bool {
        self.is_chosen
    }

    /// Returns this seed if the user chose it, and otherwise another random one.
    pub(crate) fn again(self) -> Self {
        if self.is_chosen { self } else { Self::new(None) }
    }

    /// Returns a seed for a purpose of its own, which follows from this one and from its name.
    pub(crate) fn derive(self, name: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix(self.value.to_le_bytes());
        for part in name {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut value = [0; 8];
        value.copy_from_slice(&hash.finalize()[..8]);
        Self { value: u64::from_le_bytes(value), is_chosen: self.is_chosen }
    }

    pub(crate) fn random(self) -> Random {
        Random::new(self.value)
    }
}

/// A random number generator whose whole state can be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.u128(..).to_ne_bytes()).into_uuid()
    }

    /// Returns the prefix followed by 32 random letters and digits.
    pub(crate) fn token(&mut self, prefix: &str) -> String {
        let mut token = prefix.to_owned();
        token.extend((0..32).map(|_| self.0.alphanumeric()));
        token
    }

    /// Returns whether something with this probability happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }
}

/// As text, because many JSON readers have no 64-bit integers.
impl From<Random> for String {
    fn from(random: Random) -> Self {
        random.0.get_seed().to_string()
    }
}

impl TryFrom<String> for Random {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self::new)
    }
}
