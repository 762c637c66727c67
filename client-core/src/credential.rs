//! Keys and tokens: how they are stored and which header carries them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};

/// A text that is never printed, and is wiped from memory when dropped.
///
/// `Debug` shows `[REDACTED]`. There is no `Display` and no `Serialize`.
///
/// ```
/// let secret = agent_client_core::Secret::new("hush");
/// assert!(!format!("{secret:?}").contains("hush"));
/// assert_eq!(secret.expose(), "hush");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Creates a secret from any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into().into_boxed_str()))
    }

    /// Creates a secret from a key that consists of `prefix` and visible ASCII characters.
    /// Whitespace around it is removed. Returns `None` if the text is anything else.
    #[must_use]
    pub fn prefixed(prefix: &str, text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix(prefix)?;
        let is_key = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then(|| Self::new(text))
    }

    /// Returns the text itself. Do not store or print the result.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// A way to authenticate: which header carries the key, and what to say if the client has none.
// Exhaustive: crates that define endpoints write it as a `static`.
#[derive(Debug)]
pub struct Scheme {
    /// What the service calls the key, for example `org key`.
    pub name: &'static str,
    /// The name of the header in lower case, for example `x-org-key`.
    pub header: &'static str,
    /// The text before the key in the header's value, for example `Bearer `; may be empty.
    pub prefix: &'static str,
    /// What the user can do if a call needs the key and the client has none.
    pub missing: &'static str,
}

/// A key together with the [`Scheme`] that it is for.
#[derive(Clone)]
pub struct Credential {
    pub(crate) scheme: &'static Scheme,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Fixed(Key),
    Function(Arc<dyn Fn() -> Result<Secret, Error> + Send + Sync>),
}

/// A key, and the value of the header that carries it.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) secret: Secret,
    pub(crate) header: HeaderValue,
}

impl Credential {
    /// Creates a credential from a key for this scheme.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the key is empty or contains anything but visible
    /// ASCII.
    pub fn new(scheme: &'static Scheme, secret: Secret) -> Result<Self, Error> {
        Ok(Self { scheme, source: Source::Fixed(Key::new(scheme, secret)?) })
    }

    /// Creates a credential whose key is asked for before each attempt of a call, so that it can
    /// change while the program runs. The call ends with the function's error if there is one.
    pub fn from_function(
        scheme: &'static Scheme,
        key: impl Fn() -> Result<Secret, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { scheme, source: Source::Function(Arc::new(key)) }
    }

    /// Creates a credential from a key that may be malformed: calls that need it then return the error.
    #[must_use]
    pub fn deferred(scheme: &'static Scheme, secret: Secret) -> Self {
        Self::new(scheme, secret)
            .unwrap_or_else(|error| Self::from_function(scheme, move || Err(error.clone())))
    }

    /// Returns the key to send now.
    pub(crate) fn key(&self) -> Result<Cow<'_, Key>, Error> {
        match &self.source {
            Source::Fixed(key) => Ok(Cow::Borrowed(key)),
            Source::Function(function) => Ok(Cow::Owned(Key::new(self.scheme, function()?)?)),
        }
    }

    /// Returns the key if it is always the same.
    pub(crate) fn fixed_secret(&self) -> Option<&Secret> {
        match &self.source {
            Source::Fixed(key) => Some(&key.secret),
            Source::Function(_) => None,
        }
    }
}

impl Key {
    fn new(scheme: &Scheme, secret: Secret) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("invalid {}: {why}", scheme.name))
        };
        if secret.expose().is_empty() {
            return Err(refuse("it is empty"));
        }
        if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refuse("it must consist of visible ASCII characters"));
        }
        let mut header = HeaderValue::from_str(&format!("{}{}", scheme.prefix, secret.expose()))
            .map_err(|_| refuse("it is not a valid header value"))?;
        header.set_sensitive(true);
        Ok(Self { secret, header })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.scheme.name)
    }
}
