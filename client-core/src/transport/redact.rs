//! Removing secrets from what a server sends back.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::credential::Secret;

pub(super) const REDACTED: &str = "[REDACTED]";

pub(super) fn redact_text<'a>(text: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    secrets
        .filter(|secret| !secret.expose().is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret.expose(), REDACTED))
}

/// Redacts a body byte for byte and changes nothing else: a body that was not valid JSON must not
/// become valid.
pub(super) fn redact_body<'a>(body: Bytes, secrets: impl Iterator<Item = &'a Secret>) -> Bytes {
    secrets.fold(body, redact_secret)
}

fn redact_secret(body: Bytes, secret: &Secret) -> Bytes {
    let secret = secret.expose().as_bytes();
    if secret.is_empty() || memmem::find(&body, secret).is_none() {
        return body;
    }
    let mut redacted = BytesMut::with_capacity(body.len());
    let mut end = 0;
    for start in memmem::find_iter(&body, secret) {
        redacted.extend_from_slice(&body[end..start]);
        redacted.extend_from_slice(REDACTED.as_bytes());
        end = start + secret.len();
    }
    redacted.extend_from_slice(&body[end..]);
    redacted.freeze()
}
