//! Reading the body of a request, within bounds.

use bytes::{Bytes, BytesMut};
use http::{Method, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::http::ReadError;
use crate::server_state::ServerState;

/// The largest request body: 1 MiB.
const MAX_BODY: usize = 1024 * 1024;

/// The largest stored world, and the largest set of fixtures: 64 MiB.
const MAX_LARGE_BODY: usize = 64 * 1024 * 1024;

/// How much of a body beyond its limit is read and thrown away, so that the caller is still
/// listening when the refusal is sent.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// Reads the body of a request, at most as long as the server's limits allow.
pub(super) async fn receive(
    server: &ServerState,
    parts: &Parts,
    body: Incoming,
) -> Result<Bytes, ReadError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let large = match parts.uri.path() {
        "/_mock/state" => parts.method == Method::PUT,
        "/_mock/fixtures" => parts.method == Method::POST,
        _ => false,
    };
    let read = async {
        if large {
            // One at a time; waiting counts towards the time limit.
            let _permit = server.large_bodies.acquire().await.ok();
            read(body, MAX_LARGE_BODY).await
        } else {
            read(body, MAX_BODY).await
        }
    };
    let read = tokio::time::timeout(server.limits.read_time, read);
    read.await.unwrap_or(Err(ReadError::Incomplete))
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
    let mut bytes = BytesMut::new();
    let mut discarded = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ReadError::Incomplete)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if discarded == 0 && bytes.is_empty() && body.is_end_stream() && data.len() <= limit {
            return Ok(data);
        }
        if discarded == 0 && bytes.len() + data.len() <= limit {
            bytes.extend_from_slice(&data);
        } else {
            bytes = BytesMut::new();
            discarded += data.len();
            if discarded > MAX_DISCARDED {
                break;
            }
        }
    }
    if discarded == 0 { Ok(bytes.freeze()) } else { Err(ReadError::TooLarge(limit)) }
}
