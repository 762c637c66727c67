//! The OpenAPI 3.1 document, generated from the routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::{Components, Operation, Route};

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
        paths.entry(route.path).or_default().insert(method, operation.finish().into());
    }
    json!({
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
    })
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
