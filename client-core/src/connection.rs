//! Where and how to connect: what the builder of every client holds beside its keys.

use crate::base_url::BaseUrl;
use crate::credential::Credential;
use crate::error::Error;
use crate::options::ClientOptions;
use crate::transport::Async;

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

    /// A transport that holds these keys: to `default_url` and as `user_agent`, unless something
    /// else was said.
    ///
    /// # Errors
    /// As [`BaseUrl::parse`] and [`Async::new`].
    pub fn asynchronous(
        self,
        default_url: &str,
        user_agent: &str,
        credentials: Vec<Credential>,
    ) -> Result<Async, Error> {
        let (base_url, options) = self.parts(default_url, user_agent)?;
        Async::new(base_url, credentials, options)
    }

    /// The same for blocking callers.
    ///
    /// # Errors
    /// As [`asynchronous`](Self::asynchronous).
    #[cfg(feature = "blocking")]
    pub fn blocking(
        self,
        default_url: &str,
        user_agent: &str,
        credentials: Vec<Credential>,
    ) -> Result<crate::transport::Blocking, Error> {
        let (base_url, options) = self.parts(default_url, user_agent)?;
        crate::transport::Blocking::new(base_url, credentials, options)
    }

    fn parts(self, default_url: &str, user_agent: &str) -> Result<(BaseUrl, ClientOptions), Error> {
        let url = self.base_url.as_deref().unwrap_or(default_url);
        let base_url =
            if self.insecure_http { BaseUrl::parse_insecure(url) } else { BaseUrl::parse(url) }?;
        Ok((base_url, self.options.or_user_agent(user_agent)))
    }
}
