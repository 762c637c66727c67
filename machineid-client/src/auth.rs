//! The org key, and the header that carries it.

use agent_client_core::{Scheme, secret_key};

secret_key! {
    /// The secret key of an org, shared by all of its devices. It is never printed.
    ///
    /// ```
    /// use machineid_client::OrgKey;
    ///
    /// let key = OrgKey::new(" org_123 ")?;
    /// assert_eq!(format!("{key:?}"), "OrgKey([REDACTED])");
    /// assert!(OrgKey::new("at_123").is_err());
    /// # Ok::<(), machineid_client::Error>(())
    /// ```
    pub struct OrgKey {
        name: "org key",
        prefix: "org_",
    }
}

/// The header with which a call authenticates as an org.
pub(crate) static ORG_KEY: Scheme = Scheme {
    name: "org key",
    header: "x-org-key",
    prefix: "",
    missing: "set MACHINEID_ORG_KEY or call `ClientBuilder::org_key`",
};
