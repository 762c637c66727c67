//! Replies that document themselves.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Value, json};

/// The length in bytes that most replies do not exceed.
const COMMON_LENGTH: usize = 512;

/// The result of a handler, which documents every reply that it can become.
pub(crate) trait Output: IntoResponse {
    fn describe(responses: &mut Responses<'_>);
}

/// A way to refuse a request that a route lists, in addition to those that follow from what its
/// requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A value in the request is invalid, or the buyer lacks credits: 400.
    Invalid = 400,
    /// A token in the request is not valid: 401.
    Unauthorized = 401,
    /// The caller may not do this: 403.
    Forbidden = 403,
    /// The path refers to something that does not exist: 404.
    NotFound = 404,
    /// Something else has the same name: 409.
    Conflict = 409,
    /// The trade or listing is in another state: 422.
    InvalidState = 422,
}

/// The documented replies of one route: schemas by HTTP status.
pub(crate) struct Responses<'a> {
    generator: &'a mut SchemaGenerator,
    /// What the requests carry, which determines how they can be invalid.
    pub(crate) carries: Carries,
    refusals: &'a [Refusal],
    by_status: BTreeMap<u16, Vec<Schema>>,
}

/// What a route's requests carry.
#[derive(Clone, Copy)]
pub(crate) struct Carries {
    pub(crate) key: bool,
    pub(crate) body: bool,
    pub(crate) path_parameter: bool,
}

impl<'a> Responses<'a> {
    pub(super) fn new(
        generator: &'a mut SchemaGenerator,
        carries: Carries,
        refusals: &'a [Refusal],
    ) -> Self {
        Self { generator, carries, refusals, by_status: BTreeMap::new() }
    }

    /// Returns whether the route lists this refusal.
    pub(crate) fn refuses(&self, refusal: Refusal) -> bool {
        self.refusals.contains(&refusal)
    }

    /// Adds a reply of this shape for each refusal that the route lists.
    pub(crate) fn add_refusals<T: JsonSchema>(&mut self) {
        for status in self.refusals() {
            self.add::<T>(status);
        }
    }

    /// Returns the statuses of the refusals that the route lists.
    pub(crate) fn refusals(&self) -> Vec<u16> {
        self.refusals.iter().map(|refusal| *refusal as u16).collect()
    }

    pub(crate) fn add<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.generator.subschema_for::<T>();
        let schemas = self.by_status.entry(status).or_default();
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }

    /// Adds a reply of this shape that also fits one of these schemas.
    pub(crate) fn add_cases<T: JsonSchema>(&mut self, status: u16, mut cases: Vec<Value>) {
        let shape = self.generator.subschema_for::<T>();
        let case = match cases.pop() {
            Some(only) if cases.is_empty() => only,
            last => {
                cases.extend(last);
                json!({"anyOf": cases})
            }
        };
        let schema = json_schema!({"type": "object", "allOf": [shape, case]});
        self.by_status.entry(status).or_default().push(schema);
    }

    pub(super) fn finish(self) -> BTreeMap<u16, Vec<Schema>> {
        self.by_status
    }
}

/// A JSON reply with a fixed status.
pub(crate) struct Reply<const STATUS: u16, T>(pub(crate) T);

impl<const STATUS: u16, T: Serialize> IntoResponse for Reply<STATUS, T> {
    fn into_response(self) -> Response {
        json(STATUS, &self.0)
    }
}

impl<const STATUS: u16, T: Serialize + JsonSchema> Output for Reply<STATUS, T> {
    fn describe(responses: &mut Responses<'_>) {
        responses.add::<T>(STATUS);
    }
}

impl<A: Output, B: Output> Output for Result<A, B> {
    fn describe(responses: &mut Responses<'_>) {
        A::describe(responses);
        B::describe(responses);
    }
}

/// Returns a JSON reply.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(COMMON_LENGTH);
    let written = serde_json::to_writer(&mut text, body);
    let (status, text) = match (StatusCode::from_u16(status), written) {
        (Ok(status), Ok(())) => (status, text),
        // Does not happen: every map has text keys, and every status is in range.
        _ => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
