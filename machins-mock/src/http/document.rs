//! The OpenAPI 3.1 document, put together route by route.

use std::collections::BTreeMap;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::api::Route;
use super::output::{Carries, Responses};

/// The document so far.
struct Document {
    paths: BTreeMap<String, Map<String, Value>>,
    security: Map<String, Value>,
    /// Request bodies: what may be left out is optional.
    requests: SchemaGenerator,
    /// Replies: what is always sent is required.
    replies: SchemaGenerator,
}

/// One route's entry in the document.
pub(crate) struct Operation<'a> {
    entry: Map<String, Value>,
    document: &'a mut Document,
}

/// A way to prove who is calling.
pub(crate) struct Security {
    pub(crate) name: &'static str,
    pub(crate) proof: Proof,
    pub(crate) description: &'static str,
}

/// What a caller sends as a proof.
pub(crate) enum Proof {
    /// A key in this header.
    Header(&'static str),
    /// A token in the Authorization header.
    Bearer,
}

/// The document of these routes.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut document = Document::new();
    for route in routes {
        document.add(route);
    }
    document.finish()
}

impl Document {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = "/components/schemas".into();
            })
        };
        Self {
            paths: BTreeMap::new(),
            security: Map::new(),
            requests: settings().for_deserialize().into_generator(),
            replies: settings().for_serialize().into_generator(),
        }
    }

    fn add(&mut self, &Route { ref method, path, tag, summary, describe }: &Route) {
        let method = method.as_str().to_lowercase();
        let name = path.trim_start_matches("/api/v1").replace(['/', '{', '}'], " ");
        let id: Vec<_> = std::iter::once(&*method).chain(name.split_whitespace()).collect();
        let parameters: Vec<_> = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| {
                json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
            })
            .collect();
        let mut entry = Map::new();
        entry.insert("operationId".into(), id.join("_").into());
        entry.insert("tags".into(), json!([tag]));
        entry.insert("summary".into(), summary.into());
        if !parameters.is_empty() {
            entry.insert("parameters".into(), parameters.into());
        }
        let mut operation = Operation { entry, document: self };
        describe(&mut operation);
        let entry = operation.entry.into();
        self.paths.entry(path.to_owned()).or_default().insert(method, entry);
    }

    fn finish(mut self) -> Value {
        let mut schemas = self.requests.take_definitions(true);
        for (name, schema) in self.replies.take_definitions(true) {
            let known = schemas.insert(name, schema.clone());
            debug_assert!(known.is_none_or(|it| it == schema), "two schemas of one name");
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
            "paths": self.paths,
            "components": {"schemas": schemas, "securitySchemes": self.security},
        })
    }
}

impl Operation<'_> {
    /// The call proves who is calling in this way.
    pub(crate) fn security(&mut self, security: &Security) {
        let Security { name, proof, description } = security;
        let scheme = match proof {
            Proof::Header(header) => {
                json!({"type": "apiKey", "in": "header", "name": header, "description": description})
            }
            Proof::Bearer => json!({
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description,
            }),
        };
        self.document.security.insert((*name).to_owned(), scheme);
        self.entry.insert("security".into(), json!([{*name: []}]));
    }

    /// The call carries this JSON body.
    pub(super) fn body<T: JsonSchema>(&mut self, required: bool) {
        let schema = self.document.requests.subschema_for::<T>();
        let content = json!({"application/json": {"schema": schema}});
        self.entry.insert("requestBody".into(), json!({"required": required, "content": content}));
    }

    /// The call takes these parameters in its query, all of them optional.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let mut schema = T::json_schema(&mut self.document.requests).to_value();
        let properties = schema["properties"].as_object_mut().map(std::mem::take);
        let parameters = properties.into_iter().flatten().map(|(name, mut schema)| {
            let description =
                schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter =
                json!({"name": name, "in": "query", "schema": without_null(schema)});
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameter
        });
        let known = self.entry.entry("parameters").or_insert_with(|| json!([]));
        if let Value::Array(known) = known {
            known.extend(parameters);
        }
    }

    /// The call is answered like this.
    pub(super) fn responses(&mut self, describe: impl FnOnce(&mut Responses<'_>)) {
        let carries = Carries {
            key: self.entry.contains_key("security"),
            body: self.entry.contains_key("requestBody"),
            path_parameter: self
                .entry
                .get("parameters")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|it| it["in"] == "path")),
        };
        let mut responses = Responses::new(&mut self.document.replies, carries);
        describe(&mut responses);
        let responses: Map<_, _> = responses
            .finish()
            .into_iter()
            .map(|(status, schemas)| (status.to_string(), response(status, schemas)))
            .collect();
        self.entry.insert("responses".into(), responses.into());
    }
}

/// The schema of an optional value, for where it can be left out but not be null.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").filter(|types| types.is_array()) {
        *types = types[0].take();
    }
    match schema["anyOf"].as_array().map(Vec::as_slice) {
        Some([value, null]) if *null == json!({"type": "null"}) => value.clone(),
        _ => schema,
    }
}

/// One documented reply: any of the schemas.
fn response(status: u16, mut schemas: Vec<Schema>) -> Value {
    let schema = match (schemas.pop(), schemas.is_empty()) {
        (Some(only), true) => only.to_value(),
        (last, _) => {
            schemas.extend(last);
            json!({"anyOf": schemas})
        }
    };
    let description = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Reply");
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}
