//! Random values that cannot be guessed.

use uuid::{Builder, Uuid};

use crate::error::Failure;

/// Returns 128 random bits as 32 hexadecimal digits.
pub(crate) fn hex() -> Result<String, Failure> {
    Ok(format!("{:032x}", u128::from_be_bytes(bytes()?)))
}

/// Returns a random UUID (version 4).
pub(crate) fn uuid() -> Result<Uuid, Failure> {
    Ok(Builder::from_random_bytes(bytes()?).into_uuid())
}

fn bytes() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::local("no random numbers", error))?;
    Ok(bytes)
}
