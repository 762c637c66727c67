//! Telling a certificate that is not trusted from a connection that failed.

use std::error::Error as StdError;
use std::io;

/// Returns why the server's certificate was rejected, or `None` if the error has another cause.
pub(crate) fn rejection(error: &(dyn StdError + 'static)) -> Option<String> {
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
fn reason(error: &(dyn StdError + 'static)) -> Option<String> {
    use rustls::{CertificateError, Error};

    let Some(Error::InvalidCertificate(reason)) = error.downcast_ref() else {
        return native(error);
    };
    Some(match reason {
        CertificateError::UnknownIssuer => "it is signed by an unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        other => format!("{other}"),
    })
}

#[cfg(not(feature = "rustls"))]
fn reason(error: &(dyn StdError + 'static)) -> Option<String> {
    native(error)
}

/// The TLS libraries of operating systems have no common type for this.
fn native(error: &(dyn StdError + 'static)) -> Option<String> {
    let is_rejection = error.to_string().contains("certificate verify failed");
    is_rejection.then(|| "the system does not accept it".to_owned())
}
