//! Replies of another server in the place of the world's own.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;

use crate::difference::Difference;
use crate::drift::compare_reply;
use crate::http::{Problem, ReadError};
use crate::server_state::Upstream;

/// Headers about one connection or about the way of a message, which are not sent on.
const NOT_SENT_ON: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Where a reply differs from that of this server, kept beside the reply.
#[derive(Clone)]
struct Differences(Vec<Difference>);

/// Sends a request on, and compares the reply with what this server replies.
pub(super) async fn send_on(
    upstream: &Upstream,
    parts: Parts,
    body: Result<Bytes, ReadError>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            return Problem::new(413, "PAYLOAD_TOO_LARGE", error.to_string()).into_response();
        }
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let mut request = Request::new(body.into());
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    remove_own(request.headers_mut());
    // A compressed reply could not be compared.
    request.headers_mut().remove(header::ACCEPT_ENCODING);
    match upstream(request).await {
        Ok(reply) => {
            let (mut parts, body) = reply.into_parts();
            let differences = compare_reply(&method, &path, parts.status.as_u16(), &body);
            remove_own(&mut parts.headers);
            parts.extensions.insert(Differences(differences));
            Response::from_parts(parts, Body::from(body))
        }
        Err(error) => {
            let detail = format!("no reply of the upstream server can be passed on: {error}");
            Problem::new(502, "UPSTREAM_UNREACHABLE", detail).into_response()
        }
    }
}

/// Returns where a reply differs from that of this server.
pub(super) fn take_differences(response: &mut Response) -> Vec<Difference> {
    response
        .extensions_mut()
        .remove::<Differences>()
        .map(|Differences(all)| all)
        .unwrap_or_default()
}

fn remove_own(headers: &mut HeaderMap) {
    for name in NOT_SENT_ON {
        headers.remove(name);
    }
}
