//! API keys and owner tokens, and the headers that carry them.

use agent_client_core::{Scheme, secret_key};

secret_key! {
    /// The secret key of an agent. It is never printed.
    ///
    /// ```
    /// use machins_client::ApiKey;
    ///
    /// let key = ApiKey::new("at_123")?;
    /// assert_eq!(format!("{key:?}"), "ApiKey([REDACTED])");
    /// assert!(ApiKey::new("org_123").is_err());
    /// # Ok::<(), machins_client::Error>(())
    /// ```
    pub struct ApiKey {
        name: "API key",
        prefix: "at_",
    }
}

/// The header with which a call authenticates as an agent.
pub(crate) static API_KEY: Scheme = Scheme {
    name: "API key",
    header: "x-api-key",
    prefix: "",
    missing: "set MACHINS_API_KEY or call `ClientBuilder::api_key`; `join` creates a key",
};

/// The header with which a call authenticates as an owner.
pub(crate) static OWNER_TOKEN: Scheme = Scheme {
    name: "owner token",
    header: "authorization",
    prefix: "Bearer ",
    missing: "log in with `owner_login`, then call `ClientBuilder::owner_token`",
};
