//! Requests that no route answers.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use http::{Method, Uri};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::output::{Output, Responses, json};
use super::{App, SITE};

/// How many known routes a "no such route" reply names.
const NEAREST: usize = 3;

/// How much of an unknown path is compared with the known ones, in bytes.
const COMPARED: usize = 200;

/// An error that belongs to no API of the vendors': unknown routes, and the control API's own.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Problem {
    #[serde(skip)]
    http_status: u16,
    /// Always `"error"`.
    status: &'static str,
    /// What is wrong, for programs.
    code: &'static str,
    /// What is wrong, for people.
    detail: String,
    /// The call's name, where a route was meant but not in this way.
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    /// Names this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
    /// The known routes whose names come nearest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nearest: Vec<String>,
}

impl Problem {
    pub(crate) fn new(http_status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            http_status,
            status: "error",
            code,
            detail: detail.into(),
            handler: None,
            request_id: None,
            nearest: Vec::new(),
        }
    }

    /// A control request that can't be done as it is.
    pub(crate) fn bad_request(error: &impl ToString) -> Self {
        Self::new(400, "BAD_REQUEST", error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        json(self.http_status, &self)
    }
}

impl Output for Problem {
    fn describe(responses: &mut Responses<'_>) {
        if responses.carries.body {
            responses.add::<Self>(400);
            responses.add::<Self>(413);
        }
        if responses.carries.path_parameter {
            responses.add::<Self>(404);
        }
    }
}

/// Answers what the routes don't.
pub(super) fn bind(router: Router<App>) -> Router<App> {
    router.fallback(no_route).method_not_allowed_fallback(wrong_method)
}

async fn no_route(State(app): State<App>, method: Method, uri: Uri) -> Problem {
    let nearest = nearest(&method, uri.path());
    let detail = format!("no such route; the nearest are {}", nearest.join(", "));
    let request_id = Some(app.world().random.uuid());
    Problem { request_id, nearest, ..Problem::new(404, "ROUTE_NOT_FOUND", detail) }
}

async fn wrong_method(State(app): State<App>, method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    let allowed: Vec<_> = SITE
        .routes
        .iter()
        .filter(|route| route.path == path)
        .map(|route| route.method.as_str())
        .collect();
    let detail = match &allowed[..] {
        [] => format!("{method} is not possible here"),
        allowed => format!("{method} is not possible here, only {}", allowed.join(", ")),
    };
    Problem {
        handler: path.strip_prefix("/api/v1/").map(ToOwned::to_owned),
        request_id: Some(app.world().random.uuid()),
        ..Problem::new(405, "METHOD_NOT_ALLOWED", detail)
    }
}

/// The known routes whose paths are most like the one asked for, the same method first.
fn nearest(method: &Method, path: &str) -> Vec<String> {
    let path = &path[..path.floor_char_boundary(COMPARED)];
    let mut routes: Vec<_> = SITE
        .routes
        .iter()
        .map(|route| {
            let likeness = strsim::normalized_damerau_levenshtein(route.path, path);
            (likeness, route.method == *method, route)
        })
        .collect();
    routes.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    routes.iter().take(NEAREST).map(|(.., it)| format!("{} {}", it.method, it.path)).collect()
}

/// Was the request sent by a web page of another origin? Browsers send such requests to any
/// address without asking, and a page must not control the server of whoever visits it.
pub(crate) fn is_cross_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    headers.get(ORIGIN).is_some_and(|origin| {
        let (_, authority) = origin.as_bytes().split_at(origin.len().min(b"http://".len()));
        authority != host
    })
}

/// Does the path belong to the mock itself rather than to a vendor's API?
pub(crate) fn is_infrastructure(path: &str) -> bool {
    let under = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    under("/_mock") || under("/docs") || path == "/openapi.json"
}
