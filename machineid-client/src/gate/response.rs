//! A denial as the response to an HTTP request.

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::denied::Denied;

/// Turns the denial into a response of status 403, or 503 during an outage, whose body is
/// `{"error":{"kind":"denied","code","message","device_id","request_id"}}`. It does not show what
/// went wrong between this program and MachineID: log the denial for that.
///
/// ```
/// use axum::extract::State;
/// use machineid_client::{Denied, Gate};
///
/// async fn handler(State(gate): State<Gate>) -> Result<&'static str, Denied> {
///     let _permit = gate.check().await?;
///     Ok("done")
/// }
/// ```
impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let is_outage = self.is_outage();
        let status =
            if is_outage { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
        let body = json!({"error": {
            "kind": "denied",
            "code": self.code(),
            "message": self.advice(),
            "device_id": self.device(),
            "request_id": self.request_id(),
        }});
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after().filter(|_| is_outage) {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        response
    }
}
