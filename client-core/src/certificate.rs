//! Telling a certificate that is not trusted from a connection that failed.

use std::error::Error as StdError;
use std::io;

/// Returns why the server's certificate was rejected, or `None` if the error has another cause.
pub(crate) fn rejection(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(reason) = reason(error) {
            return Some(reason);
        }
        // The source of an I/O error is that of the error inside, which is left out.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as _).or_else(|| error.source());
    }
    None
}

#[cfg(feature = "rustls")]
fn reason(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(reason)) => Some(in_words(reason)),
        _ => native(error),
    }
}

/// `rustls` shows most reasons by the names of its types.
#[cfg(feature = "rustls")]
fn in_words(reason: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError::{
        BadEncoding, BadSignature, Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext,
        NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext, Revoked,
        UnknownIssuer, UnsupportedSignatureAlgorithmContext,
        UnsupportedSignatureAlgorithmForPublicKeyContext,
    };

    match reason {
        UnknownIssuer => "it is signed by an unknown authority",
        Expired | ExpiredContext { .. } => "it has expired",
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet",
        NotValidForName | NotValidForNameContext { .. } => "it is for another name",
        InvalidPurpose | InvalidPurposeContext { .. } => "it is not for a server",
        Revoked => "it is revoked",
        BadEncoding => "it cannot be read",
        // The name of the authority is known, and has another key.
        BadSignature
        | UnsupportedSignatureAlgorithmContext { .. }
        | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its signature is not that of a known authority"
        }
        _ => "it is not valid",
    }
}

#[cfg(not(feature = "rustls"))]
fn reason(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    native(error)
}

/// The TLS libraries of operating systems have no common type for this.
fn native(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let is_rejection = error.to_string().contains("certificate verify failed");
    is_rejection.then_some("the system does not accept it")
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use rstest::rstest;
    use rustls::CertificateError;

    use super::*;

    #[rstest]
    #[case::unknown(CertificateError::UnknownIssuer, "it is signed by an unknown authority")]
    #[case::too_early(CertificateError::NotValidYet, "it is not valid yet")]
    #[case::other_key(
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![6, 8],
            public_key_algorithm_id: vec![6, 9],
        },
        "its signature is not that of a known authority"
    )]
    #[case::any_other(CertificateError::UnhandledCriticalExtension, "it is not valid")]
    fn a_rejection_is_told_in_words(#[case] reason: CertificateError, #[case] expected: &str) {
        let error = rustls::Error::InvalidCertificate(reason);
        assert_eq!(rejection(&error), Some(expected));
    }
}
