//! Which errors say that a call had no effect.

use agent_client_core::{Error, ErrorKind};

/// Whether the call certainly had no effect: it was not sent, or the service refused it. A reply with
/// status 408 or 5xx leaves that open.
pub(crate) fn is_refused(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotSent
        | ErrorKind::UntrustedCertificate
        | ErrorKind::MissingCredential
        | ErrorKind::InvalidInput
        | ErrorKind::Forked => true,
        ErrorKind::OutcomeUnknown => false,
        _ => matches!(error.status(), Some(300..=407 | 409..=499)),
    }
}
