//! One operation of the OpenAPI document, and what operations share.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::output::{Carries, Refusal, Responses};

/// What the operations of a document share: schemas by name, and ways to prove who is calling.
pub(crate) struct Components {
    security: Map<String, Value>,
    /// Schemas of request bodies: what may be left out is optional.
    requests: SchemaGenerator,
    /// Schemas of replies: what is always sent is required.
    replies: SchemaGenerator,
}

/// One route's entry in the document.
pub(crate) struct Operation<'a> {
    entry: Map<String, Value>,
    components: &'a mut Components,
    refusals: &'a [Refusal],
}

/// A way to prove who is calling.
pub(crate) struct Security {
    pub(crate) name: &'static str,
    pub(crate) proof: Proof,
    pub(crate) description: &'static str,
}

/// What a caller sends as proof.
pub(crate) enum Proof {
    /// A key in this header.
    Header(&'static str),
    /// A token in the Authorization header.
    Bearer,
}

impl Components {
    pub(crate) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| {
                    settings.meta_schema = None;
                    settings.definitions_path = "/components/schemas".into();
                })
                .with_transform(RecursiveTransform(say_null))
        };
        Self {
            security: Map::new(),
            requests: settings().for_deserialize().into_generator(),
            replies: settings().for_serialize().into_generator(),
        }
    }

    pub(crate) fn finish(mut self) -> Value {
        let mut schemas = self.requests.take_definitions(true);
        for (name, schema) in self.replies.take_definitions(true) {
            let known = schemas.insert(name, schema.clone());
            debug_assert!(known.is_none_or(|known| known == schema), "two schemas of one name");
        }
        json!({"schemas": schemas, "securitySchemes": self.security})
    }
}

impl<'a> Operation<'a> {
    pub(crate) fn new(
        entry: Map<String, Value>,
        components: &'a mut Components,
        refusals: &'a [Refusal],
    ) -> Self {
        Self { entry, components, refusals }
    }

    pub(crate) fn finish(self) -> Map<String, Value> {
        self.entry
    }

    /// Documents how a request proves who is calling.
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
        self.components.security.insert((*name).to_owned(), scheme);
        self.entry.insert("security".into(), json!([{*name: []}]));
    }

    /// Documents the JSON body of requests.
    pub(super) fn body<T: JsonSchema>(&mut self, required: bool) {
        let schema = self.components.requests.subschema_for::<T>();
        let content = json!({"application/json": {"schema": schema}});
        self.entry.insert("requestBody".into(), json!({"required": required, "content": content}));
    }

    /// Documents the query parameters, all of which are optional.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let mut schema = T::json_schema(&mut self.components.requests).to_value();
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

    /// Documents a refusal that comes before the handler.
    pub(crate) fn refusal<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.components.replies.subschema_for::<T>();
        if let Some(Value::Object(responses)) = self.entry.get_mut("responses") {
            let refusal = || response(status, vec![schema]);
            responses.entry(status.to_string()).or_insert_with(refusal);
        }
    }

    /// Documents the replies.
    pub(super) fn responses(&mut self, describe: impl FnOnce(&mut Responses<'_>)) {
        let carries = Carries {
            key: self.entry.contains_key("security"),
            body: self.entry.contains_key("requestBody"),
            path_parameter: self
                .entry
                .get("parameters")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "path")),
        };
        let mut responses = Responses::new(&mut self.components.replies, carries, self.refusals);
        describe(&mut responses);
        let responses: Map<_, _> = responses
            .finish()
            .into_iter()
            .map(|(status, schemas)| (status.to_string(), response(status, schemas)))
            .collect();
        self.entry.insert("responses".into(), responses.into());
    }
}

/// Adapts a doc comment that explains a Rust value to readers of the document, which is about JSON.
fn say_null(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("`None` (null in JSON)", "null");
    }
}

/// Removes null from the schema of a value that can be left out but cannot be null.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").filter(|types| types.is_array()) {
        *types = types[0].take();
    }
    match schema["anyOf"].as_array().map(Vec::as_slice) {
        Some([value, null]) if *null == json!({"type": "null"}) => value.clone(),
        _ => schema,
    }
}

/// Returns the entry of a documented reply, which has one of the schemas.
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
