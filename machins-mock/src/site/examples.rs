//! Examples of bodies and replies, made from their schemas.

use serde_json::{Map, Value, json};

/// How deep an example goes.
const MAX_DEPTH: usize = 12;

/// Values for fields and parameters of these names, whose schemas say only that they are text.
const TEXTS: [(&str, &str); 43] = [
    ("agent", "a-seller"),
    ("agent_id", "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"),
    ("agent_slug", "a-seller"),
    ("api_key", "at_test"),
    ("body", "Thank you"),
    ("buyer", "a-buyer"),
    ("credits", "500.00"),
    ("claim_url", "/claim/eyJhbGciOi"),
    ("delivery_callback_url", "http://127.0.0.1:9000/verify"),
    ("description", "Sums up any text in three sentences"),
    ("device", "agent-01"),
    ("deviceId", "agent-01"),
    ("deviceIds", "agent-01"),
    ("devices", "agent-01"),
    ("email", "owner@example.com"),
    ("error", "the receiver answered 500"),
    ("event", "trade_proposed"),
    ("fault", "status"),
    ("endpoint_url", "http://127.0.0.1:9000/"),
    ("id", "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"),
    ("listing", "a-summary"),
    ("listing_id", "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"),
    ("machineid_base_url", "http://127.0.0.1:8080"),
    ("machins_base_url", "http://127.0.0.1:8080/api/v1"),
    ("method", "POST"),
    ("n", "1"),
    ("name", "a-seller"),
    ("notification_ids", "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"),
    ("orgApiKey", "org_test"),
    ("org_key", "org_test"),
    ("password", "a long password"),
    ("path", "/api/v1/devices/*"),
    ("plan", "pro"),
    ("reason", "no longer needed"),
    ("revoked", "agent-02"),
    ("signature", "6f0d9a…"),
    ("slug", "a-summary"),
    ("subscription_id", "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d"),
    ("tags", "text"),
    ("title", "A summary"),
    ("token", "eyJhbGciOi"),
    ("url", "http://127.0.0.1:8080"),
    ("webhook_url", "http://127.0.0.1:9000/hook"),
];

/// Adds an example to every body and reply of the document, and to every parameter in a path.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].take();
    let examples = Examples { schemas: &schemas };
    for item in fields_mut(&mut document["paths"]) {
        for operation in fields_mut(item) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if parameter["in"] == "path" {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    parameter["example"] = text(name, &json!({})).into();
                }
            }
            if let Some(body) = operation.get_mut("requestBody") {
                examples.add_to(body);
            }
            fields_mut(&mut operation["responses"]).for_each(|reply| examples.add_to(reply));
        }
    }
    document["components"]["schemas"] = schemas;
}

fn fields_mut(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_object_mut().into_iter().flat_map(|fields| fields.values_mut())
}

struct Examples<'a> {
    schemas: &'a Value,
}

impl Examples<'_> {
    /// Adds an example to the JSON content of a body or reply.
    fn add_to(&self, body: &mut Value) {
        let content = &mut body["content"]["application/json"];
        let example = self.example("", &content["schema"], MAX_DEPTH);
        content["example"] = example;
    }

    /// Returns an example of the field of this name.
    fn example(&self, name: &str, schema: &Value, depth: usize) -> Value {
        if let Some(target) = schema["$ref"].as_str() {
            let target = target.rsplit('/').next().unwrap_or_default();
            return self.example(name, &self.schemas[target], depth);
        }
        if let Some(example) = schema["examples"].get(0) {
            return self.complete(example, schema, depth);
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Value::Null;
        };
        let alternatives = ["oneOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
        let chosen = alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null"));
        if let Some(chosen) = chosen.filter(|_| schema.get("properties").is_none()) {
            return self.example(name, chosen, depth);
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        let kind = kind.or_else(|| schema["properties"].is_object().then_some("object"));
        match kind {
            Some("object") => {
                let mut object = Map::new();
                for part in [Some(schema), chosen].into_iter().flatten() {
                    self.add_fields(&mut object, part, depth);
                }
                for part in schema["allOf"].as_array().into_iter().flatten() {
                    let part = self.example(name, part, depth);
                    if let Value::Object(fields) = part {
                        merge(&mut object, fields);
                    }
                }
                object.into()
            }
            Some("array") => {
                let least = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 20);
                (0..least).map(|_| self.example(name, &schema["items"], depth)).collect()
            }
            Some("string") => text(name, schema).into(),
            Some("integer" | "number") => number(name, schema),
            Some("boolean") => json!(name != "frozen"),
            _ => Value::Null,
        }
    }

    /// Adds the fields that are always there to an example that was written for a part of them.
    fn complete(&self, example: &Value, schema: &Value, depth: usize) -> Value {
        let (Value::Object(example), Some(depth)) = (example, depth.checked_sub(1)) else {
            return example.clone();
        };
        let required = schema["required"].as_array().into_iter().flatten();
        let mut object: Map<String, Value> = required
            .filter_map(Value::as_str)
            .filter_map(|name| {
                let field = schema["properties"].get(name)?;
                Some((name.to_owned(), self.example(name, field, depth)))
            })
            .collect();
        object.extend(example.clone());
        object.into()
    }

    fn add_fields(&self, object: &mut Map<String, Value>, schema: &Value, depth: usize) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.example(name, field, depth));
        }
    }
}

/// Adds fields to an object, and the fields of objects in it to those that are there.
fn merge(object: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (name, value) in fields {
        match (object.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(value)) => merge(known, value),
            (_, value) => {
                object.insert(name, value);
            }
        }
    }
}

/// Returns an example of a number of this name.
fn number(name: &str, schema: &Value) -> Value {
    match name {
        "status" => json!(200),
        "timeout_ms" => json!(5000),
        "since" => json!(0),
        "latency_ms" => json!(0.4),
        _ => schema.get("minimum").filter(|least| **least != 0).cloned().unwrap_or(json!(1)),
    }
}

/// Returns an example of a text of this name.
fn text(name: &str, schema: &Value) -> String {
    match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("uuid"), _) => return "7f8d1a52-3c4e-4b6f-9a0d-1e2f3a4b5c6d".to_owned(),
        (Some("date-time"), _) => return "2026-01-31T12:00:00.000Z".to_owned(),
        // An amount.
        (None, Some(r"^-?\d+\.\d\d$")) => return "50.00".to_owned(),
        _ => {}
    }
    let known = TEXTS.iter().find(|(known, _)| *known == name);
    known.map_or("text", |(_, text)| *text).to_owned()
}
