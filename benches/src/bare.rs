//! What bare HTTP clients send, so that the same bytes go over the wire as from ours.

use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};

pub(crate) const KEY: &str = "org_benchmark";
pub(crate) const USER_AGENT: &str = "machineid-client/0.1.0";
pub(crate) const JSON: &str = "application/json";
/// A time limit costs a timer of the operating system, which a client that may wait for ever spares.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn headers() -> HeaderMap {
    let no_store = HeaderValue::from_static("no-store");
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(JSON)), (CACHE_CONTROL, no_store)])
}

/// Bare reqwest, without a time limit.
pub(crate) fn reqwest() -> ClientBuilder {
    reqwest::Client::builder().no_proxy().user_agent(USER_AGENT).default_headers(headers())
}
