//! The operations as the server's own document lists them, so that a new one cannot be forgotten.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;

use crate::support::raw::get;

/// One method of one path.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<String>,
    /// The names of the fields of the object that it takes, if it takes one.
    pub(crate) fields: Vec<String>,
}

/// What the document says can be sent.
pub(crate) struct Document {
    pub(crate) operations: Vec<Operation>,
    /// Every word of a closed set, of whatever field.
    pub(crate) words: Vec<String>,
}

impl Document {
    pub(crate) fn fetch(addr: SocketAddr) -> Self {
        let document = get(addr, "/openapi.json").json();
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, value) in item.as_object().unwrap() {
                let schema = &value["requestBody"]["content"]["application/json"]["schema"];
                let mut fields = BTreeSet::new();
                collect_fields(&document, schema, &mut fields);
                let parameters = value["parameters"].as_array().into_iter().flatten();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    query: parameters
                        .filter(|parameter| parameter["in"] == "query")
                        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                        .collect(),
                    fields: fields.into_iter().collect(),
                });
            }
        }
        assert!(operations.len() > 60, "{operations:?}");
        let mut words = BTreeSet::new();
        collect_words(&document, &mut words);
        Self { operations, words: words.into_iter().collect() }
    }
}

/// The names of a schema's fields, those of its alternatives included.
fn collect_fields(document: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return collect_fields(document, schema, names);
    }
    names.extend(schema["properties"].as_object().into_iter().flatten().map(|(it, _)| it.clone()));
    for group in ["oneOf", "anyOf", "allOf"] {
        for alternative in schema[group].as_array().into_iter().flatten() {
            collect_fields(document, alternative, names);
        }
    }
}

fn collect_words(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let own = fields.get("enum").and_then(Value::as_array).into_iter().flatten();
            words.extend(own.chain(fields.get("const")).filter_map(Value::as_str).map(Into::into));
            fields.values().for_each(|field| collect_words(field, words));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, words)),
        _ => {}
    }
}
