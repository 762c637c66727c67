//! One request and its response.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::admit::{Admission, single};
use super::clients::Clients;
use super::in_use::{Claim, InUse};
use super::respond::{Body, Refused, error, json, passed};
use super::running::{Running, Tell};
use super::upstream::{HttpServer, is_plain_connection};
use crate::event::{Event, Peer};
use crate::gate::McpGate;
use crate::message::{INITIALIZE, Id, Message, Refusal};
use crate::reply::{self, DeniedCall};

/// How long the head of a request, and its body, may take to arrive.
pub(super) const READ_TIME: Duration = Duration::from_secs(30);

/// MCP: the headers of a request contradict its body.
const HEADER_MISMATCH: i32 = -32020;

/// What the requests of a gate share.
pub(super) struct Endpoint {
    pub(super) gate: Arc<McpGate>,
    pub(super) server: HttpServer,
    pub(super) admission: Admission,
    pub(super) clients: Clients,
    pub(super) in_use: InUse,
    /// The bytes that bodies of requests may take up at one time.
    pub(super) memory: Arc<Semaphore>,
    /// Is told of a denial that ends the gate.
    pub(super) stop: Tell,
}

impl Endpoint {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let answered = self.try_answer(request).await;
        answered.unwrap_or_else(|refused| {
            self.gate.observe(Event::Refused { from: Peer::Client, reason: refused.reason });
            *refused.response
        })
    }

    async fn try_answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
        let (head, body) = request.into_parts();
        if let Err(reason) = self.admission.refuse(&head.uri, &head.headers) {
            return Err(Refused::new(StatusCode::FORBIDDEN, reason));
        }
        if !is_plain_connection(&head.headers) {
            let reason = "its Connection names a header of the request";
            return Err(Refused::new(StatusCode::BAD_REQUEST, reason));
        }
        let is_endpoint = head.uri.path() == self.server.path();
        let path = head.uri.path();
        // Without anything that would lead out of that folder.
        let is_metadata = path.starts_with("/.well-known/")
            && !path.contains(['%', '\\'])
            && path.split('/').all(|part| part != "..");
        match head.method {
            Method::POST if is_endpoint => self.post(&head.headers, body).await,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE
                if is_endpoint || is_metadata && head.method != Method::DELETE =>
            {
                if !body.is_end_stream() {
                    return Err(Refused::new(StatusCode::BAD_REQUEST, "it has a body"));
                }
                let path = head.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
                let path = path.filter(|_| is_metadata);
                let sent = self.server.send(head.method, path, &head.headers, None).await;
                passed(sent, None, None)
            }
            _ if is_endpoint => Err(Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "its method is not one of this endpoint",
            )),
            _ => Err(Refused::new(StatusCode::NOT_FOUND, "its path is not the endpoint's")),
        }
    }

    async fn post(&self, headers: &HeaderMap, body: Incoming) -> Result<Response<Body>, Refused> {
        if !is_plain_json(headers) {
            let reason = "its body is not plain application/json";
            return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let (body, _memory) = timeout(READ_TIME, self.read(body)).await.map_err(|_| {
            Refused::new(StatusCode::REQUEST_TIMEOUT, "its body did not arrive in time")
        })??;
        let message = Message::read(&body).map_err(Refused::message)?;
        check_headers(headers, &message)?;
        let claim = match message.id() {
            Some(id) => self.in_use.claim(headers, id).map_err(Refusal::new),
            None => Ok(None),
        };
        let claim = claim.map_err(Refused::message)?;
        let (id, tool, client) = match message {
            Message::ToolCall { id, tool, client } => (id, tool, client),
            Message::Initialize { id, client } => {
                let sent = self.server.send(Method::POST, None, headers, Some(body)).await;
                let response = passed(sent, Some(&id), claim)?;
                if let Some(client) = client.filter(|_| self.gate.tells_clients_apart()) {
                    self.clients.remember(response.headers(), client);
                }
                return Ok(response);
            }
            Message::Request { id, .. } => {
                let sent = self.server.send(Method::POST, None, headers, Some(body)).await;
                return passed(sent, Some(&id), claim);
            }
            _ => {
                let sent = self.server.send(Method::POST, None, headers, Some(body)).await;
                return passed(sent, None, None);
            }
        };
        let client = client.or_else(|| self.clients.find(headers));
        match self.gate.check(&tool, client.as_deref(), None).await {
            Ok(permitted_by) => self.call(id, permitted_by, claim, headers, body).await,
            Err(denied) => {
                let form = self.gate.on_denial;
                let answer = reply::denied(&id, DeniedCall::Waiting, &denied, form);
                self.gate.observe(Event::Denied { tool, denied: denied.clone() });
                (self.stop)(denied);
                Ok(json(StatusCode::OK, &answer))
            }
        }
    }

    /// Passes a tool call on that was permitted.
    async fn call(
        &self,
        id: Id,
        permitted_by: usize,
        claim: Option<Claim>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, Refused> {
        let Some(interval) = self.gate.recheck else {
            let sent = self.server.send(Method::POST, None, headers, Some(body)).await;
            return passed(sent, Some(&id), claim);
        };
        let call = Running {
            gate: Arc::clone(&self.gate),
            server: self.server.clone(),
            id,
            permitted_by,
            headers: headers.clone(),
            stop: Arc::clone(&self.stop),
        };
        let (tell, head) = oneshot::channel();
        tokio::spawn(call.run(body, interval, claim, tell));
        head.await.unwrap_or_else(|_| {
            Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the gate has failed"))
        })
    }

    /// Reads the body of a request, which takes up its share of the memory for as long as it is kept.
    async fn read(&self, body: Incoming) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), Refused> {
        let mut body = body;
        let mut bytes = BytesMut::new();
        let mut memory = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "its body breaks off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.gate.max_message {
                return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "it is too long"));
            }
            let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let permit = Arc::clone(&self.memory).try_acquire_many_owned(size).map_err(|_| {
                Refused::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being sent at once")
            })?;
            match memory.first_mut() {
                None => memory.push(permit),
                Some(first) => OwnedSemaphorePermit::merge(first, permit),
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.freeze(), memory))
    }
}

/// Whether the body can only be read in one way.
fn is_plain_json(headers: &HeaderMap) -> bool {
    let is_encoded = headers.contains_key(CONTENT_ENCODING);
    let Ok(Some(content_type)) = single(headers, &CONTENT_TYPE) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf_8 = parts.all(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            !name.trim_end().eq_ignore_ascii_case("charset")
                || value.trim_start().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    !is_encoded && is_json && is_utf_8
}

/// Since revision 2026-07-28, headers repeat the method and the name of the tool.
fn check_headers(headers: &HeaderMap, message: &Message) -> Result<(), Refused> {
    let (method, tool) = match message {
        Message::ToolCall { tool, .. } => (Some("tools/call"), Some(tool.as_str())),
        Message::Initialize { .. } => (Some(INITIALIZE), None),
        Message::Request { method, .. } | Message::Notification { method } => {
            (Some(method.as_str()), None)
        }
        Message::Response { .. } => (None, None),
    };
    let mut methods = headers.get_all("mcp-method").iter().map(|value| value.to_str().ok());
    let mut names = headers.get_all("mcp-name").iter().map(|value| value.to_str().ok());
    let is_method = |value: Option<&str>| value.is_some() && value == method;
    // Of other requests, it repeats what the gate does not read.
    let is_name = |value: Option<&str>| {
        tool.is_none_or(|tool| value.is_some_and(|value| decoded(value).as_deref() == Some(tool)))
    };
    if methods.all(is_method) && names.all(is_name) {
        return Ok(());
    }
    let reason = "its headers contradict its body";
    let response = error(StatusCode::BAD_REQUEST, message.id(), HEADER_MISMATCH, reason).into();
    Err(Refused { reason: reason.to_owned(), response })
}

/// The name in a header, which is in Base64 if it is not plain ASCII.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}
