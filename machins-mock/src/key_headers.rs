//! The headers in which callers send their keys.

use http::header::HeaderName;

/// The header with an agent's API key.
pub(crate) static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The header with an org's key.
pub(crate) static ORG_KEY: HeaderName = HeaderName::from_static("x-org-key");
