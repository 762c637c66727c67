//! Where and how to connect: what the builder of every client stores beside its keys.

use crate::base_url::BaseUrl;
use crate::environment::variable_is_true;
use crate::error::Error;
use crate::options::ClientOptions;

/// The settings of a client builder that do not depend on the service: base URL and options.
///
/// Meant for crates that define endpoints.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Connection {
    base_url: Option<String>,
    insecure_http: bool,
    options: ClientOptions,
}

impl Connection {
    /// Sets the base URL to connect to. It is checked by [`resolve`](Self::resolve).
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets whether plain `http` to another machine is allowed. The default is `false`.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.insecure_http = allow;
        self
    }

    /// Allows plain `http` to other machines if this environment variable is `1` or `true`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it has another value
    /// than these, `0` and `false`.
    pub fn allow_insecure_http_from_env(self, name: &str) -> Result<Self, Error> {
        let is_allowed = self.insecure_http || variable_is_true(name)?;
        Ok(self.allow_insecure_http(is_allowed))
    }

    /// Sets the options of the client.
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Returns the address and the options to create a transport with: `default_url` and
    /// `user_agent` stand in for what was not set.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the base URL is
    /// invalid or not allowed: see [`BaseUrl::parse`].
    pub fn resolve(
        self,
        default_url: &str,
        user_agent: &str,
    ) -> Result<(BaseUrl, ClientOptions), Error> {
        let url = self.base_url.as_deref().unwrap_or(default_url);
        let base_url =
            if self.insecure_http { BaseUrl::parse_insecure(url) } else { BaseUrl::parse(url) }?;
        Ok((base_url, self.options.or_user_agent(user_agent)))
    }
}
