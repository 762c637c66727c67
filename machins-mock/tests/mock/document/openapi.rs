//! The document itself.

use std::collections::HashSet;

use machins_mock::MockServer;
use serde_json::{Value, json};

use super::{document, operations, validator};
use crate::support::http::send;

/// The rules of OpenAPI 3.1 that its own schema states for what this document uses; objects take
/// only what is listed.
fn openapi_rules() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["openapi", "info", "paths", "components"],
        "additionalProperties": false,
        "properties": {
            "openapi": {"pattern": "^3\\.1\\.\\d+$"},
            "jsonSchemaDialect": {"type": "string", "format": "uri"},
            "info": {
                "type": "object", "required": ["title", "version"], "additionalProperties": false,
                "properties": {
                    "title": {"type": "string"}, "version": {"type": "string"}, "description": {"type": "string"},
                    "license": {"type": "object", "required": ["name"], "properties": {"name": {}, "identifier": {}}, "additionalProperties": false},
                },
            },
            "servers": {"type": "array", "items": {"required": ["url"]}},
            "tags": {"type": "array", "uniqueItems": true, "items": {"required": ["name"]}},
            "paths": {
                "type": "object",
                "propertyNames": {"pattern": "^/"},
                "additionalProperties": {
                    "type": "object", "minProperties": 1, "additionalProperties": false,
                    "patternProperties": {"^(get|put|post|delete|patch)$": {"$ref": "#/$defs/operation"}},
                },
            },
            "components": {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "schemas": {
                        "type": "object",
                        "propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"},
                        "additionalProperties": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
                    },
                    "securitySchemes": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object", "required": ["type"], "additionalProperties": false,
                            "properties": {
                                "type": {"enum": ["apiKey", "http"]}, "in": {"enum": ["header", "query", "cookie"]},
                                "name": {"type": "string"}, "scheme": {"const": "bearer"},
                                "bearerFormat": {"type": "string"}, "description": {"type": "string"},
                            },
                            "if": {"properties": {"type": {"const": "apiKey"}}},
                            "then": {"required": ["name", "in"]}, "else": {"required": ["scheme"]},
                        },
                    },
                },
            },
        },
        "$defs": {
            "operation": {
                "type": "object",
                "required": ["operationId", "summary", "description", "tags", "responses"],
                "additionalProperties": false,
                "properties": {
                    "operationId": {"type": "string", "minLength": 1},
                    "summary": {"type": "string", "minLength": 1},
                    "description": {"type": "string", "minLength": 1},
                    "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
                    "security": {"type": "array", "items": {"type": "object"}},
                    "parameters": {
                        "type": "array",
                        "items": {
                            "type": "object", "required": ["name", "in", "schema"], "additionalProperties": false,
                            "properties": {
                                "name": {"type": "string"}, "in": {"enum": ["path", "query", "header"]},
                                "required": {"type": "boolean"}, "description": {"type": "string"}, "example": {}, "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
                            },
                            "if": {"properties": {"in": {"const": "path"}}},
                            "then": {"required": ["required"], "properties": {"required": {"const": true}}},
                        },
                    },
                    "requestBody": {
                        "type": "object", "required": ["content"], "additionalProperties": false,
                        "properties": {"required": {"type": "boolean"}, "content": {"$ref": "#/$defs/content"}},
                    },
                    "responses": {
                        "type": "object", "minProperties": 1, "additionalProperties": false,
                        "patternProperties": {
                            "^[1-5][0-9][0-9]$": {
                                "type": "object", "required": ["description"], "additionalProperties": false,
                                "properties": {"description": {"type": "string"}, "content": {"$ref": "#/$defs/content"}},
                            },
                        },
                    },
                },
            },
            "content": {
                "type": "object",
                "additionalProperties": {
                    "type": "object", "required": ["schema", "example"], "additionalProperties": false,
                    "properties": {"example": {}, "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}},
                },
            },
        },
    })
}

#[tokio::test]
async fn the_document_is_valid_openapi() {
    let document = document(&MockServer::start().await).await;
    let rules =
        jsonschema::options().should_validate_formats(true).build(&openapi_rules()).unwrap();
    let errors: Vec<_> = rules
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let mut ids = HashSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(&operation["operationId"]), "{method} {path}: its id is another's too");
        let in_path = path.matches('{').count();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(parameters, in_path, "{method} {path}: every path parameter is documented");
        let tag = serde_json::json!({"name": operation["tags"][0]});
        assert!(document["tags"].as_array().unwrap().contains(&tag), "{method} {path}: {tag}");
        for scheme in operation["security"].as_array().into_iter().flatten() {
            for name in scheme.as_object().unwrap().keys() {
                assert!(document["components"]["securitySchemes"][name].is_object());
            }
        }
        for content in operation["responses"].as_object().unwrap().values() {
            validator(&document, &content["content"]["application/json"]["schema"]);
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(
            !name.ends_with(|last: char| last.is_ascii_digit()),
            "{name}: two types of one name"
        );
    }
    let references = document.to_string().matches("\"$ref\":\"").count();
    let inside = document.to_string().matches("\"$ref\":\"#/components/schemas/").count();
    assert_eq!(references, inside, "nothing refers elsewhere");
    for rust in ["None`", "crate::"] {
        assert!(!document.to_string().contains(rust), "a description is about Rust: {rust}");
    }
}

/// Every route of the two tables of the specification that this server has.
#[tokio::test]
async fn the_document_has_every_route() {
    let document = document(&MockServer::start().await).await;
    let routes: HashSet<_> =
        operations(&document).map(|(method, path, _)| format!("{method} {path}")).collect();
    for route in [
        "POST /api/v1/devices/register",
        "POST /api/v1/devices/validate",
        "GET /api/v1/devices/list",
        "POST /api/v1/devices/revoke",
        "POST /api/v1/devices/unrevoke",
        "POST /api/v1/devices/revoke_batch",
        "POST /api/v1/devices/unrevoke_batch",
        "POST /api/v1/devices/remove",
        "POST /api/v1/org/create",
        "GET /api/v1/usage",
        "POST /api/v1/billing/checkout",
        "POST /api/v1/agents/onboard",
        "POST /api/v1/claim/{token}",
        "GET /api/v1/marketplace",
        "GET /api/v1/marketplace/{id}",
        "POST /api/v1/listings",
        "GET /api/v1/listings",
        "GET /api/v1/listings/{id}",
        "PUT /api/v1/listings/{id}",
        "DELETE /api/v1/listings/{id}",
        "POST /api/v1/trades",
        "GET /api/v1/trades",
        "GET /api/v1/trades/{id}",
        "POST /api/v1/trades/{id}/accept",
        "POST /api/v1/trades/{id}/reject",
        "POST /api/v1/trades/{id}/cancel",
        "POST /api/v1/trades/{id}/deliver",
        "POST /api/v1/trades/{id}/confirm",
        "POST /api/v1/trades/{id}/dispute",
        "POST /api/v1/trades/{id}/review",
        "GET /api/v1/wallets/me",
        "GET /api/v1/wallets/transactions",
        "GET /api/v1/inbox",
        "POST /api/v1/inbox/ack",
        "POST /api/v1/inbox/ack-all",
        "POST /api/v1/subscriptions",
        "GET /api/v1/subscriptions",
        "DELETE /api/v1/subscriptions/{id}",
        "GET /api/v1/platform/info",
        "POST /api/v1/owners/login",
        "GET /api/v1/owners/me",
        "GET /api/v1/public/stats",
        "GET /api/v1/public/leaderboard",
        "GET /api/v1/public/agent/{slug}",
        "GET /api/v1/public/recent-trades",
        "GET /_mock/health",
        "POST /_mock/machins/agents",
        "POST /_mock/machins/trades/{id}/resolve",
        "GET /_mock/machins/ledger",
        "GET /_mock/webhooks",
        "POST /_mock/reset",
        "GET /_mock/clock",
        "POST /_mock/clock/advance",
        "POST /_mock/machineid/orgs",
        "PATCH /_mock/machineid/orgs/{org_key}",
        "GET /_mock/requests",
        "DELETE /_mock/requests",
        "POST /_mock/faults",
        "GET /_mock/faults",
        "DELETE /_mock/faults",
        "GET /_mock/state",
        "PUT /_mock/state",
    ] {
        assert!(routes.contains(route), "{route}");
    }
    let open = [
        "/_mock/",
        "/api/v1/org/create",
        "/api/v1/agents/onboard",
        "/api/v1/claim/",
        "/api/v1/marketplace",
        "/api/v1/platform/",
        "/api/v1/owners/login",
        "/api/v1/public/",
    ];
    let bodiless = ["/_mock/reset", "/accept", "/confirm", "/ack-all", "/resend"];
    for (method, path, operation) in operations(&document) {
        let security = operation["security"].as_array().is_some();
        let keyed = !open.iter().any(|prefix| path.starts_with(prefix));
        assert_eq!(security, keyed, "{method} {path}");
        let posted = method == "POST" && !bodiless.iter().any(|suffix| path.ends_with(suffix));
        let body = operation["requestBody"].is_object();
        assert_eq!(body, posted || matches!(&*method, "PATCH" | "PUT"), "{method} {path}");
    }
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["machins"]["name"], "X-API-Key");
    assert_eq!(schemes["machins_owner"]["scheme"], "bearer");
    let scheme = &document["components"]["securitySchemes"]["machineid"];
    assert_eq!((&scheme["type"], &scheme["name"]), (&json!("apiKey"), &json!("x-org-key")));
}

#[tokio::test]
async fn every_example_is_as_its_schema_says() {
    let document = document(&MockServer::start().await).await;
    let mut wrong = Vec::new();
    for (method, path, operation) in operations(&document) {
        let replies = operation["responses"].as_object().unwrap().iter();
        let replies = replies.map(|(status, reply)| (status.as_str(), reply));
        let body = operation.get("requestBody").map(|body| ("body", body));
        for (name, one) in replies.chain(body) {
            let content = &one["content"]["application/json"];
            let example = &content["example"];
            let validator = validator(&document, &content["schema"]);
            let errors = validator.iter_errors(example);
            wrong.extend(
                errors.map(|error| {
                    format!("{method} {path} {name}: {} {error}", error.instance_path())
                }),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A body that the document shows is one that the server takes.
#[tokio::test]
async fn every_example_of_a_control_body_is_taken() {
    let server = MockServer::start().await;
    let document = document(&server).await;
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody").filter(|_| path.starts_with("/_mock/"))
        else {
            continue;
        };
        if path == "/_mock/state" {
            continue;
        }
        let example = body["content"]["application/json"]["example"].clone();
        let reply = send(&server, method.parse().unwrap(), path, "", example.clone()).await;
        assert_ne!(reply.status, 400, "{method} {path} {example}: {}", reply.text);
    }
}
