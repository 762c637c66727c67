//! `docs/control-api.md`, the reference of the control API: generated from `/openapi.json`, and checked.
//!
//! `SNAPSHOTS=overwrite cargo test -p machins-mock --test mock reference` rewrites it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use machins_mock::MockServer;
use serde_json::Value;

use super::{document, operations};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/control-api.md");

const HEAD: &str = "\
# The control API of the mock server

For tests in any language: JSON over HTTP, on the server's own address. Under the URL of a
[world](testing.md) each route is there for that world. Unknown fields and parameters are refused with
status 400, the name, and the nearest known one; every refusal has the form

```json
{\"status\": \"error\", \"code\": \"BAD_REQUEST\", \"detail\": \"…\", \"field\": \"match.path\", \"nearest\": [\"path\"]}
```

`machins mock` has the same for a shell, and `GET /openapi.json` the schema of every field. This page is
generated from the types of the handlers.
";

/// The reference of the control routes in a document.
fn reference(document: &Value) -> String {
    let mut text = HEAD.to_owned();
    for (method, path, operation) in operations(document) {
        if operation["tags"][0] != "Mock control" {
            continue;
        }
        let summary = operation["summary"].as_str().unwrap();
        let _ = write!(text, "\n## {method} {path}\n\n{summary}.\n");
        parameters(&mut text, operation);
        if let Some(body) = operation.get("requestBody") {
            let content = &body["content"]["application/json"];
            fields(&mut text, document, &content["schema"]);
            let _ = write!(text, "\nRequest:\n\n```json\n{}\n```\n", shown(&content["example"]));
        }
        let mut refusals = Vec::new();
        for (status, reply) in operation["responses"].as_object().unwrap() {
            let content = &reply["content"]["application/json"];
            if status.starts_with('2') {
                let example = shown(&content["example"]);
                let _ = write!(text, "\nReply, status {status}:\n\n```json\n{example}\n```\n");
            } else {
                refusals.push(format!("{status} {}", reply["description"].as_str().unwrap()));
            }
        }
        let _ = write!(text, "\nRefused with {}.\n", refusals.join(", "));
    }
    text
}

fn parameters(text: &mut String, operation: &Value) {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let all: Vec<_> = all.filter(|parameter| parameter["in"] == "query").collect();
    if all.is_empty() {
        return;
    }
    text.push_str("\n| parameter | |\n|---|---|\n");
    for parameter in all {
        let (name, what) = (parameter["name"].as_str().unwrap(), &parameter["description"]);
        let _ = writeln!(text, "| `{name}` | {} |", line(what));
    }
}

/// The fields of a body with their descriptions, those of its parts in the same table.
fn fields(text: &mut String, document: &Value, schema: &Value) {
    let mut rows = Vec::new();
    collect(document, schema, "", &mut rows);
    if rows.is_empty() {
        return;
    }
    text.push_str("\n| field | |\n|---|---|\n");
    for (name, what) in rows {
        let _ = writeln!(text, "| `{name}` | {what} |");
    }
}

fn collect(document: &Value, schema: &Value, prefix: &str, rows: &mut Vec<(String, String)>) {
    let schema = resolve(document, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if field.get("const").is_some() {
            continue;
        }
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let inner = resolve(document, field);
        let known = if field["description"].is_string() { field } else { inner };
        rows.push((name.clone(), line(&known["description"])));
        let items = resolve(document, &inner["items"]);
        if items["properties"].is_object() {
            collect(document, items, &format!("{name}[]"), rows);
        } else if inner["properties"].is_object() {
            collect(document, inner, &name, rows);
        }
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        if let Some(kind) = one["properties"]["kind"]["const"].as_str() {
            rows.push((format!("kind: {kind}"), line(&one["description"])));
            collect(document, one, prefix, rows);
        }
    }
}

/// Follows a reference, also one that may be null instead.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

/// A description on one line of a table.
fn line(description: &Value) -> String {
    description.as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// The same with the fields in the order of their names, whatever features of `serde_json` are on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, sorted(value)));
            fields.collect::<BTreeMap<_, _>>().into_iter().collect()
        }
        Value::Array(items) => {
            let mut items: Vec<_> = items.into_iter().map(sorted).collect();
            // Parameters, which are made from fields.
            items.sort_by_key(|item| item["name"].as_str().map(str::to_owned));
            items.into()
        }
        other => other,
    }
}

fn shown(example: &Value) -> String {
    serde_json::to_string_pretty(example).unwrap()
}

#[tokio::test]
async fn the_reference_of_the_control_api_is_current() {
    let text = reference(&sorted(document(&MockServer::start().await).await));
    if std::env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite") {
        fs::write(REFERENCE, text).unwrap();
    } else {
        let known = fs::read_to_string(REFERENCE).unwrap();
        assert!(known == text, "docs/control-api.md is not current: run with SNAPSHOTS=overwrite");
    }
}
