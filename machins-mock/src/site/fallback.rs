//! Requests that no route answers.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode, Uri};

use crate::http::{CurrentApp, Problem, Route};
use crate::state::App;
use crate::text::beginning;

/// How many known routes the reply to an unknown path names.
const NEAREST: usize = 3;

/// How much of an unknown path is compared with the known ones, in bytes.
const COMPARED: usize = 200;

/// Adds the replies to unknown paths, and to known paths with another method.
pub(super) fn add(router: Router, known: Arc<[Route]>) -> Router {
    let all = Arc::clone(&known);
    router
        .fallback(async move |CurrentApp(app): CurrentApp, method: Method, uri: Uri| {
            no_route(&app, &known, &method, uri.path())
        })
        .method_not_allowed_fallback(
            async move |CurrentApp(app): CurrentApp, method: Method, uri: Uri| {
                if method == Method::OPTIONS {
                    return options(&all, uri.path());
                }
                wrong_method(&app, &all, &method, uri.path()).into_response()
            },
        )
}

fn no_route(app: &App, routes: &[Route], method: &Method, path: &str) -> Problem {
    let nearest = nearest(routes, method, path);
    let detail = format!("no such route; the nearest are {}", nearest.join(", "));
    let mut problem = Problem::new(404, "ROUTE_NOT_FOUND", detail);
    problem.request_id = Some(app.new_request_id(false));
    problem.nearest = nearest;
    problem
}

/// Returns the answer to the question which methods a path takes.
fn options(routes: &[Route], path: &str) -> Response {
    let routes = routes.iter().filter(|route| matches(route.path, path));
    let mut methods: Vec<_> = routes.map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

fn wrong_method(app: &App, routes: &[Route], method: &Method, path: &str) -> Problem {
    let allowed: Vec<_> = routes
        .iter()
        .filter(|route| matches(route.path, path))
        .map(|route| route.method.as_str())
        .collect();
    let detail = match &allowed[..] {
        [] => format!("{method} is not possible here"),
        allowed => format!("{method} is not possible here, only {}", allowed.join(", ")),
    };
    let mut problem = Problem::new(405, "METHOD_NOT_ALLOWED", detail);
    problem.handler = path.strip_prefix("/api/v1/").map(Into::into);
    problem.request_id = Some(app.new_request_id(false));
    problem
}

/// Returns whether a path is one of a route's, whose `{parameters}` stand for one segment each.
pub(super) fn matches(route: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = |expected: &str| {
        segments.next().is_some_and(|segment| {
            expected == segment || (expected.starts_with('{') && !segment.is_empty())
        })
    };
    route.split('/').all(fits) && segments.next().is_none()
}

/// Returns the routes with the most similar paths, those with the same method first.
fn nearest(routes: &[Route], method: &Method, path: &str) -> Vec<String> {
    let path = beginning(path, COMPARED);
    let mut routes: Vec<_> = routes
        .iter()
        .map(|route| {
            let similarity = strsim::normalized_damerau_levenshtein(route.path, path);
            (similarity, route.method == *method, route)
        })
        .collect();
    routes.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    let nearest = routes.iter().take(NEAREST);
    nearest.map(|(.., route)| format!("{} {}", route.method, route.path)).collect()
}
