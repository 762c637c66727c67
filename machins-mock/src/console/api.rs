//! Calling the control API, in this process, through its own router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service;

use crate::http::Received;
use crate::state::App;
use crate::worlds::Worlds;

/// The API, as one world answers it.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) router: Router,
    pub(super) app: App,
    pub(super) worlds: Arc<Worlds>,
    /// The name under which the browser knows the server.
    pub(super) host: Option<HeaderValue>,
}

/// A call that was refused.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// The reason, for people.
    pub(super) message: String,
}

/// The part of a refusal that is read: both APIs send it.
#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "message")]
    detail: Option<String>,
}

impl Api {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        self.send(Method::GET, path, &Value::Null, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send(Method::POST, path, body, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.send(Method::DELETE, path, &Value::Null, None).await
    }

    /// Sends a request with a JSON body, or without one for null.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        bearer: Option<&str>,
    ) -> Result<T, Refused> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Refused::new(400, "invalid address"))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        if let Some(token) = bearer {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            headers.insert(AUTHORIZATION, value.map_err(|_| Refused::new(401, "invalid token"))?);
        }
        request.extensions_mut().insert(Received {
            app: Arc::clone(&self.app),
            worlds: Arc::clone(&self.worlds),
            body: Ok(body),
            is_own: true,
            is_strict: true,
        });
        let Ok(response) = self.router.clone().call(request).await;
        let status = response.status();
        let read = response.into_body().collect().await;
        let bytes = read.map_err(|error| Refused::new(500, error.to_string()))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| Refused::new(500, error.to_string()));
        }
        let refusal = serde_json::from_slice(&bytes).ok();
        let message = refusal.and_then(|Refusal { detail }| detail);
        Err(Refused::new(status.as_u16(), message.unwrap_or_else(|| status.to_string())))
    }
}

impl Refused {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}
