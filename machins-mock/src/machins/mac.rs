//! HMAC-SHA256.

use hmac::{Hmac, KeyInit};
use sha2::{Digest, Sha256};

/// The block size of SHA-256, in bytes.
const BLOCK: usize = 64;

/// Starts an HMAC-SHA256 with a key of any length.
pub(crate) fn keyed_mac(key: &str) -> Hmac<Sha256> {
    // RFC 2104, section 2: a key longer than a block is hashed first, a shorter one is filled up
    // with zeros.
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        let digest = Sha256::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
    } else {
        block[..key.len()].copy_from_slice(key.as_bytes());
    }
    Hmac::new(&block.into())
}

/// Lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
