//! Seeded randomness: the same seed and the same calls make the same world.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
