//! The OpenAPI 3.1 document, generated from the routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::examples;
use super::own_routes::is_own_route;
use crate::http::{Components, Operation, Problem, Route};

/// Returns the document of these routes.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut components = Components::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut tags: Vec<_> = routes.iter().map(|route| json!({"name": route.tag})).collect();
    tags.dedup();
    for route in routes {
        let method = route.method.as_str().to_lowercase();
        let mut operation = Operation::new(entry(route, &method), &mut components, &route.refusals);
        (route.describe)(&mut operation);
        if is_own_route(route.path) {
            // Of a parameter or a body that it does not take.
            operation.refusal::<Problem>(400);
        }
        paths.entry(route.path).or_default().insert(method, operation.finish().into());
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "machins mock server",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The MachineID and machins APIs as this mock server answers them, \
                            and its own control API under /_mock.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": components.finish(),
    });
    describe(&mut document);
    examples::add(&mut document);
    document
}

/// Adds to every operation what is known of its body and of its replies, in words.
fn describe(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let items = paths.filter_map(Value::as_object_mut);
    for operation in items.flat_map(|item| item.values_mut()) {
        let mut paragraphs =
            vec![format!("{}.", operation["summary"].as_str().unwrap_or_default())];
        if let Some(words) = words(&schemas, &operation["requestBody"]) {
            paragraphs.push(format!("Body: {words}"));
        }
        let mut refusals = Vec::new();
        for (status, reply) in operation["responses"].as_object().into_iter().flatten() {
            if !status.starts_with('2') {
                let reason = reply["description"].as_str().unwrap_or_default();
                refusals.push(format!("{status} {reason}"));
            } else if let Some(words) = words(&schemas, reply) {
                paragraphs.push(format!("Reply {status}: {words}"));
            }
        }
        if !refusals.is_empty() {
            paragraphs.push(format!("Refused with {}.", refusals.join(", ")));
        }
        operation["description"] = paragraphs.join("\n\n").into();
    }
}

/// Returns the description of the schema of a body or reply.
fn words<'a>(schemas: &'a Value, body: &'a Value) -> Option<&'a str> {
    let schema = &body["content"]["application/json"]["schema"];
    // What further says which of its values are possible is not described.
    let schema = schema["allOf"].get(0).unwrap_or(schema);
    let schema = match schema["$ref"].as_str() {
        Some(target) => &schemas[target.rsplit('/').next()?],
        None => schema,
    };
    schema["description"].as_str()
}

/// Returns the part of an operation's entry that does not depend on its handler.
fn entry(route: &Route, method: &str) -> Map<String, Value> {
    let name = route.path.trim_start_matches("/api/v1").replace(['/', '{', '}'], " ");
    let id: Vec<_> = std::iter::once(method).chain(name.split_whitespace()).collect();
    let parameters: Vec<_> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
        })
        .collect();
    let mut entry = Map::new();
    entry.insert("operationId".into(), id.join("_").into());
    entry.insert("tags".into(), json!([route.tag]));
    entry.insert("summary".into(), route.summary.into());
    if !parameters.is_empty() {
        entry.insert("parameters".into(), parameters.into());
    }
    entry
}
