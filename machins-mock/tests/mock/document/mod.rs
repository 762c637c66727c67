//! `/openapi.json`: a valid document, and every real reply as it says.

mod machineid;
mod machins;
mod openapi;

use std::collections::HashSet;

use jsonschema::Validator;
use machins_mock::MockServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::http::send;

pub(crate) async fn document(server: &MockServer) -> Value {
    send(server, Method::GET, "/openapi.json", "", Value::Null).await.json()
}

/// Every operation of a document: method, path, operation.
fn operations(document: &Value) -> impl Iterator<Item = (String, &String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    })
}

/// The operations that need the API key of an agent, with their paths below the base URL.
pub(crate) fn with_api_key(document: &Value) -> Vec<(Method, String)> {
    let keyed = operations(document).filter(|(.., operation)| {
        let schemes = operation["security"].as_array().into_iter().flatten();
        schemes.into_iter().any(|scheme| scheme.get("machins").is_some())
    });
    let operations: Vec<_> = keyed
        .map(|(method, path, _)| {
            let path = path.strip_prefix("/api/v1").unwrap();
            (method.parse().unwrap(), path.to_owned())
        })
        .collect();
    assert!(operations.len() >= 23, "{operations:?}");
    operations
}

/// A schema of the document, its references resolved within the document.
fn validator(document: &Value, schema: &Value) -> Validator {
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [schema],
    });
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
}

/// Sends requests and holds every reply against the document.
pub(crate) struct Inspector {
    pub(crate) server: MockServer,
    document: Value,
    /// The `METHOD path status` that were seen.
    seen: HashSet<String>,
}

impl Inspector {
    pub(crate) async fn new(server: MockServer) -> Self {
        let document = document(&server).await;
        Self { server, document, seen: HashSet::new() }
    }

    /// What is documented under these headings and was never sent.
    pub(crate) fn unseen(&self, heading: &str) -> Vec<String> {
        operations(&self.document)
            .filter(|(.., operation)| {
                operation["tags"][0].as_str().is_some_and(|tag| tag.starts_with(heading))
            })
            .flat_map(|(method, path, operation)| {
                let statuses = operation["responses"].as_object().unwrap().keys();
                statuses.map(move |status| format!("{method} {path} {status}"))
            })
            .filter(|call| !self.seen.contains(call))
            .collect()
    }

    /// Sends to the path, which is documented under a template of its own.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        template: &str,
        key: &str,
        body: Value,
    ) -> Value {
        let sent = body.clone();
        let reply = send(&self.server, method.clone(), path, key, body).await;
        let operation = &self.document["paths"][template][method.as_str().to_lowercase()];
        let status = reply.status.as_str();
        let call = format!("{method} {template} {status}");
        let documented = &operation["responses"][status]["content"]["application/json"]["schema"];
        assert!(!documented.is_null(), "{call} is not documented: {}", reply.text);
        assert_eq!(reply.headers["content-type"], "application/json");
        let errors: Vec<_> = validator(&self.document, documented)
            .iter_errors(&reply.json())
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{call}: {errors:#?}\n{}", reply.text);
        if reply.status.is_success() && !sent.is_null() && reply.json()["status"] != "blocked" {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(
                validator(&self.document, schema).is_valid(&sent),
                "{call}: taken but not documented: {sent}"
            );
        }
        self.seen.insert(call);
        reply.json()
    }

    async fn machineid(&mut self, org: &str, call: &str, body: Value) {
        let method = if body.is_null() { Method::GET } else { Method::POST };
        let path = format!("/api/v1/{call}");
        self.send(method, &path, &path, org, body).await;
    }
}
