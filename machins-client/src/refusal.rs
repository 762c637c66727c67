//! What an error says about a call: that it had no effect, or that waiting cannot help.

use agent_client_core::{Error, ErrorKind};

/// Whether the call certainly had no effect: it was not sent, or the service refused it. A reply with
/// status 408, 499, 3xx or 5xx leaves that open: 303 is how a POST that succeeded may be answered.
pub(crate) fn is_refused(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::NotSent
        | ErrorKind::UntrustedCertificate
        | ErrorKind::MissingCredential
        | ErrorKind::InvalidInput
        | ErrorKind::Forked => true,
        ErrorKind::OutcomeUnknown => false,
        _ => matches!(error.status(), Some(400..=407 | 409..=498)),
    }
}

/// Whether what waits for something ends with this error, because trying again cannot help: the call is
/// invalid, or the service itself refuses it. A page that something in between answers is not its word.
pub(crate) fn is_final(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::InvalidInput
        | ErrorKind::MissingCredential
        | ErrorKind::Unauthorized
        | ErrorKind::Forked => true,
        ErrorKind::BadRequest | ErrorKind::Forbidden | ErrorKind::NotFound => {
            error.excerpt().is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_in_a_forked_process() {
        assert!(is_final(&Error::new(ErrorKind::Forked, "")));
    }
}
