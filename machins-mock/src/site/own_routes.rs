//! The mock's own routes, which are not part of a vendor's API.

use http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

/// Returns whether a path belongs to the mock itself rather than to a vendor's API.
pub(crate) fn is_own_route(path: &str) -> bool {
    let under = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    under("/_mock") || under("/docs") || path == "/openapi.json"
}

/// Returns whether a web page of another origin sent the request. Browsers send such requests to
/// any address without asking, and a page must not control the server of its visitor.
pub(crate) fn is_cross_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    headers.get(ORIGIN).is_some_and(|origin| {
        let (_, authority) = origin.as_bytes().split_at(origin.len().min(b"http://".len()));
        authority != host
    })
}
