//! Where a service lives, and whether a key may be sent there.

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, ErrorKind};

/// The address that a client's paths are appended to.
///
/// `https` is required, except for a service on this machine (`localhost`, `127.0.0.0/8`,
/// `[::1]`): a key sent in the clear is a key given away. [`BaseUrl::parse_insecure`] lifts the
/// rule.
///
/// ```
/// use agent_client_core::BaseUrl;
///
/// assert!(BaseUrl::parse("https://machineid.io").is_ok());
/// assert!(BaseUrl::parse("http://127.0.0.1:8080/api/v1").is_ok());
/// assert!(BaseUrl::parse("http://machineid.io").is_err());
/// assert!(BaseUrl::parse("https://user:password@machineid.io").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads the address and checks that a key may be sent there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`]: not a URL, not `http(s)`, plain `http` to another machine,
    /// or a URL with user name, query or fragment.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Self::parse_insecure(text)?;
        if url.is_plain_http() && !url.is_loopback() {
            return Err(refuse(
                "plain http to another machine would send the key in the clear; use https, or allow insecure http if you must",
            ));
        }
        Ok(url)
    }

    /// Like [`parse`](Self::parse), but takes plain `http` to any host.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), but for that one rule.
    pub fn parse_insecure(text: &str) -> Result<Self, Error> {
        // The text is not repeated in the message: it may hold a password.
        let mut url = Url::parse(text.trim())
            .map_err(|error| refuse(&format!("{error}; write it like https://machineid.io")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it must not hold a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not hold a query or fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Whether the address is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The address of a call: `path` is percent-encoded already and begins with `/`, and `query`
    /// is form-encoded.
    pub(crate) fn join(&self, path: &str, query: &str) -> Url {
        let mut url = self.0.clone();
        match url.path() {
            "/" => url.set_path(path),
            prefix => {
                let path = format!("{prefix}{path}");
                url.set_path(&path);
            }
        }
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        url
    }
}

fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("the base URL can't be used: {why}"))
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}
