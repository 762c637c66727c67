//! Keys and tokens: how they are held and which header carries them.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind};

/// A text that is never printed and is wiped from memory when dropped.
///
/// `Debug` shows `[REDACTED]`; there is no `Display` and no `Serialize`.
///
/// ```
/// let secret = agent_client_core::Secret::new("hush");
/// assert!(!format!("{secret:?}").contains("hush"));
/// assert_eq!(secret.expose(), "hush");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Takes a key that begins with `prefix` and goes on in visible ASCII; blanks around it are
    /// dropped. `None` for anything else.
    #[must_use]
    pub fn prefixed(prefix: &str, text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix(prefix)?;
        let is_key = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self::new(text))
    }

    /// The text itself. Keep what you do with it short.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// One way of proving who is calling: which header, and what to say when there is no key.
#[derive(Debug)]
pub struct Scheme {
    /// What the service calls it: `org key`.
    pub name: &'static str,
    /// The header, in lower case: `x-org-key`.
    pub header: &'static str,
    /// What stands before the key in the header: `Bearer ` or nothing.
    pub prefix: &'static str,
    /// What to do when a call needs it and it is not there.
    pub missing: &'static str,
}

/// A key for one [`Scheme`].
#[derive(Debug, Clone)]
pub struct Credential {
    pub(crate) scheme: &'static Scheme,
    pub(crate) secret: Secret,
    pub(crate) header: HeaderValue,
}

impl Credential {
    /// A key for this scheme.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when the key is empty or holds anything but visible ASCII.
    pub fn new(scheme: &'static Scheme, secret: Secret) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("the {} can't be used: {why}", scheme.name))
        };
        if secret.expose().is_empty() {
            return Err(refuse("it is empty"));
        }
        if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refuse("it may hold visible ASCII characters only"));
        }
        let mut header = HeaderValue::from_str(&format!("{}{}", scheme.prefix, secret.expose()))
            .map_err(|_| refuse("it does not fit in a header"))?;
        header.set_sensitive(true);
        Ok(Self { scheme, secret, header })
    }
}
