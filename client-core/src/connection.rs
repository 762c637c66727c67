//! Where and how to connect: what the builder of every client holds beside its keys.

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::options::ClientOptions;

/// Where and how to connect. Meant for the builders of crates that define endpoints.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Connection {
    base_url: Option<String>,
    insecure_http: bool,
    options: ClientOptions,
}

impl Connection {
    /// To this address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Also by plain `http` to another machine.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.insecure_http = allow;
        self
    }

    /// Within these limits.
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
