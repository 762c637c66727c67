//! Environment variables.

use std::env::{self, VarError};

use crate::error::{Error, ErrorKind};

/// Returns the value of an environment variable, or `None` if it is unset or blank. Meant for the
/// client crates and the command line.
///
/// # Errors
/// Returns [`ErrorKind::InvalidInput`] if the value is not UTF-8. If it counted as unset, a key that
/// was meant for a test server would go to the default address.
#[doc(hidden)]
pub fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("the environment variable {name} is not UTF-8; correct it or unset it"),
        )),
    }
}
