//! Random values that cannot be guessed.

use crate::error::Failure;

/// Returns 128 random bits as 32 hexadecimal digits.
pub(crate) fn hex() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::local("no random numbers", error))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Returns a random UUID (version 4).
pub(crate) fn uuid() -> Result<String, Failure> {
    let hex = hex()?;
    let (version, variant) = (format!("4{}", &hex[13..16]), format!("8{}", &hex[17..20]));
    Ok([&hex[..8], &hex[8..12], &version, &variant, &hex[20..]].join("-"))
}
