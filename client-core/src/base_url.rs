//! The address of a service, and whether a key may be sent there.

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, ErrorKind};

/// The address that the paths of a client's calls are appended to.
///
/// It must be `https`, because a key sent in plain text can be read on the way. Plain `http` is
/// allowed for this machine (`localhost`, `*.localhost`, `127.0.0.0/8`, `[::1]`);
/// [`BaseUrl::parse_insecure`] allows it for every host. `localhost` and `*.localhost` are loopback
/// addresses, whatever a resolver says.
///
/// ```
/// use agent_client_core::BaseUrl;
///
/// assert!(BaseUrl::parse("https://machineid.io").is_ok());
/// assert!(BaseUrl::parse("http://127.0.0.1:8080/api/v1").is_ok());
/// assert!(BaseUrl::parse("http://mock.localhost:8080").is_ok());
/// assert!(BaseUrl::parse("http://machineid.io").is_err());
/// assert!(BaseUrl::parse("https://user:password@machineid.io").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Parses the address and checks that a key may be sent there.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the text is not an `http` or `https` URL, if it is
    /// plain `http` to another machine, or if it has a user name, password, query or fragment.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Self::parse_insecure(text)?;
        if url.is_plain_http() && !url.is_loopback() {
            return Err(refuse(
                "plain http to another machine would expose the key; use https, or allow insecure http explicitly",
            ));
        }
        Ok(url)
    }

    /// Parses the address like [`parse`](Self::parse), but allows plain `http` to any host.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the text is not an `http` or `https` URL, or if it
    /// has a user name, password, query or fragment.
    pub fn parse_insecure(text: &str) -> Result<Self, Error> {
        // The text is not repeated in the message: it may contain a password.
        let mut url = Url::parse(text.trim())
            .map_err(|error| refuse(&format!("{error}; write it like https://machineid.io")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must start with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it must not contain a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not contain a query or fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Returns whether the address is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => is_localhost(name),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Returns the host and the port, for spans.
    pub(crate) fn server(&self) -> (&str, u16) {
        (self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or_default())
    }

    /// Returns the URL of a call. `path` is percent-encoded already and starts with `/`; `query` is
    /// form-encoded already.
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

/// Whether a name in lower case is reserved for this machine (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("invalid base URL: {why}"))
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
