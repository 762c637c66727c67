//! Replies that document themselves.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

/// The bytes that most replies fit in.
const COMMON_LENGTH: usize = 512;

/// A handler's result that knows every reply it can become.
pub(crate) trait Output: IntoResponse {
    fn describe(responses: &mut Responses<'_>);
}

/// The documented replies of one route: schemas by HTTP status.
pub(crate) struct Responses<'a> {
    generator: &'a mut SchemaGenerator,
    /// What the request carries, on which it depends what can be wrong with it.
    pub(crate) carries: Carries,
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
    pub(super) fn new(generator: &'a mut SchemaGenerator, carries: Carries) -> Self {
        Self { generator, carries, by_status: BTreeMap::new() }
    }

    pub(crate) fn add<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.generator.subschema_for::<T>();
        let schemas = self.by_status.entry(status).or_default();
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
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

/// One of two kinds of reply.
pub(crate) enum Either<A, B> {
    Left(A),
    Right(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Either<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::Left(reply) => reply.into_response(),
            Self::Right(reply) => reply.into_response(),
        }
    }
}

impl<A: Output, B: Output> Output for Either<A, B> {
    fn describe(responses: &mut Responses<'_>) {
        A::describe(responses);
        B::describe(responses);
    }
}

impl<A: Output, B: Output> Output for Result<A, B> {
    fn describe(responses: &mut Responses<'_>) {
        A::describe(responses);
        B::describe(responses);
    }
}

/// A JSON reply.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(COMMON_LENGTH);
    let written = serde_json::to_writer(&mut text, body);
    let (status, text) = match (StatusCode::from_u16(status), written) {
        (Ok(status), Ok(())) => (status, text),
        // No reply of ours has a key that is not text or a status out of range.
        _ => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
