//! `/openapi.json`: a valid document, and every real reply as it says.

mod alterations;
mod control;
mod machineid;
mod machins;
mod openapi;
mod reference;

use std::collections::{HashMap, HashSet};

use jsonschema::Validator;
use machins_mock::{MockServer, compare_reply};
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
    let keyed = of_machins(document, |operation| {
        let schemes = operation["security"].as_array().into_iter().flatten();
        schemes.into_iter().any(|scheme| scheme.get("machins").is_some())
    });
    assert!(keyed.len() >= 23, "{keyed:?}");
    keyed
}

/// The operations of machins that take a body, with their paths below the base URL.
fn with_body(document: &Value) -> Vec<(Method, String)> {
    let with_body = of_machins(document, |operation| operation["requestBody"].is_object());
    assert!(with_body.len() >= 13, "{with_body:?}");
    with_body
}

fn of_machins(document: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<(Method, String)> {
    operations(document)
        .filter(|(.., operation)| {
            let tag = operation["tags"][0].as_str().unwrap();
            tag.starts_with("machins ") && is_wanted(operation)
        })
        .map(|(method, path, _)| {
            let path = path.strip_prefix("/api/v1").unwrap();
            (method.parse().unwrap(), path.to_owned())
        })
        .collect()
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
    /// The schemas that were needed so far. Each takes long to compile.
    validators: HashMap<String, Validator>,
    /// The `METHOD path status` that were seen.
    seen: HashSet<String>,
    /// The alterations of replies that a comparison does not name.
    unnoticed: Vec<String>,
}

impl Inspector {
    pub(crate) async fn new(server: MockServer) -> Self {
        let document = document(&server).await;
        Self {
            server,
            document,
            validators: HashMap::new(),
            seen: HashSet::new(),
            unnoticed: Vec::new(),
        }
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

    /// The alterations of replies that a comparison does not name, although it could.
    pub(crate) fn unnoticed_alterations(&self) -> Vec<&String> {
        self.unnoticed.iter().filter(|what| !alterations::is_possible(what)).collect()
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
        let errors: Vec<_> = self
            .validators
            .entry(call.clone())
            .or_insert_with(|| validator(&self.document, documented))
            .iter_errors(&reply.json())
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{call}: {errors:#?}\n{}", reply.text);
        if reply.status.is_success() && !sent.is_null() && reply.json()["status"] != "blocked" {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let validator = self
                .validators
                .entry(format!("{method} {template}"))
                .or_insert_with(|| validator(&self.document, schema));
            assert!(validator.is_valid(&sent), "{call}: taken but not documented: {sent}");
        }
        if self.seen.insert(call.clone()) {
            let (path, status) = (path.split('?').next().unwrap(), reply.status.as_u16());
            let compare = |status: u16, body: &Value| {
                compare_reply(&method, path, status, body.to_string().as_bytes())
            };
            assert_eq!(compare(status, &reply.json()), [], "{call}: {}", reply.text);
            let unnoticed = alterations::unnoticed(status, &reply.json(), compare);
            self.unnoticed.extend(unnoticed.into_iter().map(|what| format!("{call} {what}")));
        }
        reply.json()
    }
}
