//! Environment variables.

use std::env::{self, VarError};

use crate::error::{Error, ErrorKind};

/// Returns the value of an environment variable, or `None` if it is unset or empty. Meant for the
/// client crates and the command line.
///
/// # Errors
/// Returns [`ErrorKind::InvalidInput`] if the value is not UTF-8 or only white space. If it counted as
/// unset, a key that was meant for a test server would go to the default address.
#[doc(hidden)]
pub fn variable(name: &str) -> Result<Option<String>, Error> {
    let refuse = |why: &str| {
        let message = format!("the environment variable {name} is {why}; correct it or unset it");
        Err(Error::new(ErrorKind::InvalidInput, message))
    };
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) if value.trim().is_empty() => refuse("only white space"),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => refuse("not UTF-8"),
    }
}

/// Returns whether an environment variable is `1` or `true`. Meant for the client crates and the
/// command line.
///
/// # Errors
/// Returns [`ErrorKind::InvalidInput`] if it has another value than these, `0` and `false`.
#[doc(hidden)]
pub fn variable_is_true(name: &str) -> Result<bool, Error> {
    match variable(name)?.as_deref().map(str::trim) {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => {
            let message = format!("the environment variable {name} must be 1 or 0");
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}
