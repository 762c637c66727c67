//! `/openapi.json`: a valid document, and every real reply as it says.

use std::collections::HashSet;

use jsonschema::Validator;
use machins_mock::{Fault, MockServer, Org, OrgUpdate, Plan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{device, register, send, server_with_org};

async fn document(server: &MockServer) -> Value {
    send(server, Method::GET, "/openapi.json", "", Value::Null).await.json()
}

/// Every operation of a document: method, path, operation.
fn operations(document: &Value) -> impl Iterator<Item = (String, &String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    })
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
                "required": ["operationId", "summary", "tags", "responses"],
                "additionalProperties": false,
                "properties": {
                    "operationId": {"type": "string", "minLength": 1},
                    "summary": {"type": "string", "minLength": 1},
                    "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
                    "security": {"type": "array", "items": {"type": "object"}},
                    "parameters": {
                        "type": "array",
                        "items": {
                            "type": "object", "required": ["name", "in", "schema"], "additionalProperties": false,
                            "properties": {
                                "name": {"type": "string"}, "in": {"enum": ["path", "query", "header"]},
                                "required": {"type": "boolean"}, "description": {"type": "string"}, "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
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
                    "type": "object", "required": ["schema"], "additionalProperties": false,
                    "properties": {"schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}},
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
    let errors: Vec<_> =
        rules.iter_errors(&document).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let mut ids = HashSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(ids.insert(&operation["operationId"]), "{method} {path}: its id is another's too");
        let in_path = path.matches('{').count();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.filter(|it| it["in"] == "path").count();
        assert_eq!(parameters, in_path, "{method} {path}: every path parameter is documented");
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
        assert!(!name.ends_with(|it: char| it.is_ascii_digit()), "{name}: two types of one name");
    }
    let references = document.to_string().matches("\"$ref\":\"").count();
    let inside = document.to_string().matches("\"$ref\":\"#/components/schemas/").count();
    assert_eq!(references, inside, "nothing refers elsewhere");
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
    let bodiless = ["/_mock/reset", "/accept", "/confirm", "/ack-all"];
    for (method, path, operation) in operations(&document) {
        let security = operation["security"].as_array().is_some();
        let keyed = !open.iter().any(|it| path.starts_with(it));
        assert_eq!(security, keyed, "{method} {path}");
        let posted = method == "POST" && !bodiless.iter().any(|it| path.ends_with(it));
        let body = operation["requestBody"].is_object();
        assert_eq!(body, posted || matches!(&*method, "PATCH" | "PUT"), "{method} {path}");
    }
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["machins"]["name"], "X-API-Key");
    assert_eq!(schemes["machins_owner"]["scheme"], "bearer");
    let scheme = &document["components"]["securitySchemes"]["machineid"];
    assert_eq!((&scheme["type"], &scheme["name"]), (&json!("apiKey"), &json!("x-org-key")));
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

/// Every MachineID call in every documented state of an organisation.
async fn exercise(inspector: &mut Inspector, org: &Org) {
    let calls = [
        ("devices/register", device("a")),
        ("devices/register", device("a")),
        ("devices/register", device("b")),
        ("devices/register", device("c")),
        ("devices/register", device("d")),
        ("devices/register", device("?")),
        ("devices/validate", device("a")),
        ("devices/validate", device("nobody")),
        ("devices/validate", device("?")),
        ("devices/validate", json!([])),
        ("devices/list", Value::Null),
        ("devices/revoke", device("a")),
        ("devices/revoke", device("nobody")),
        ("devices/validate", device("a")),
        ("devices/register", device("a")),
        ("devices/list", Value::Null),
        ("devices/register", device("e")),
        ("devices/unrevoke", device("a")),
        ("devices/unrevoke", device("nobody")),
        ("devices/unrevoke", json!({})),
        ("devices/revoke_batch", json!({"deviceIds": ["a", "b", "?", "nobody"]})),
        ("devices/unrevoke_batch", json!({"deviceIds": ["a", "b", "?", "nobody"]})),
        ("devices/unrevoke", device("b")),
        ("devices/revoke_batch", json!({"scope": "all_active"})),
        ("devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("devices/revoke_batch", json!({})),
        (
            "devices/unrevoke_batch",
            json!({"deviceIds": (0..501).map(|n| n.to_string()).collect::<Vec<_>>()}),
        ),
        ("devices/remove", device("a")),
        ("devices/remove", device("a")),
        ("usage", Value::Null),
        ("billing/checkout", json!({"plan": "max"})),
        ("billing/checkout", json!({"plan": "gold"})),
        ("billing/checkout", json!({})),
        ("org/create", json!({})),
        ("org/create", json!([])),
        ("devices/revoke", device("?")),
        ("devices/remove", device("?")),
    ];
    for (call, body) in calls {
        inspector.machineid(org.key(), call, body).await;
    }
}

#[tokio::test]
async fn every_reply_is_as_documented() {
    let (server, org) = server_with_org(Plan::Free).await;
    let mut inspector = Inspector::new(server).await;
    exercise(&mut inspector, &org).await;
    for update in [
        OrgUpdate::new().available(false),
        OrgUpdate::new().available(true).execution_enabled(false),
        OrgUpdate::new().execution_enabled(true).frozen(true),
        OrgUpdate::new().frozen(false).entitlement_active(false),
    ] {
        org.update(update).unwrap();
        exercise(&mut inspector, &org).await;
    }
    org.update(OrgUpdate::new().entitlement_active(true)).unwrap();
    let posts: Vec<_> = operations(&inspector.document)
        .filter(|(method, _, operation)| {
            let tag = operation["tags"][0].as_str().unwrap();
            method == "POST" && tag.starts_with("MachineID")
        })
        .filter_map(|(_, path, _)| path.strip_prefix("/api/v1/").map(ToOwned::to_owned))
        .collect();
    let huge = device(&"x".repeat(2 * 1024 * 1024));
    for call in posts {
        inspector.machineid(org.key(), &call, huge.clone()).await;
        for key in ["", "org_nobody"] {
            inspector.machineid(key, &call, device("a")).await;
        }
    }
    for key in ["", "org_nobody"] {
        inspector.machineid(key, "devices/list", Value::Null).await;
        inspector.machineid(key, "usage", Value::Null).await;
    }
    assert_eq!(inspector.unseen("MachineID"), Vec::<String>::new(), "documented, but never sent");
}

#[tokio::test]
async fn every_reply_of_the_control_api_is_as_documented() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    server.add_fault(Fault::status(500).body("x").retry_after("1").times(1)).unwrap();
    send(&server, Method::GET, "/api/v1/usage", "", Value::Null).await;
    let state = serde_json::to_value(server.snapshot()).unwrap();
    let mut inspector = Inspector::new(server).await;
    let org_path = format!("/_mock/machineid/orgs/{}", org.key());
    let template = "/_mock/machineid/orgs/{org_key}";
    for (method, path, body) in [
        (Method::GET, "/_mock/health", Value::Null),
        (Method::GET, "/_mock/clock", Value::Null),
        (Method::POST, "/_mock/clock/advance", json!({"seconds": 1.5})),
        (Method::POST, "/_mock/clock/advance", json!({"seconds": -1})),
        (Method::POST, "/_mock/machineid/orgs", json!({"plan": "max"})),
        (Method::POST, "/_mock/machineid/orgs", json!({"plan": "gold"})),
        (Method::GET, "/_mock/requests", Value::Null),
        (Method::POST, "/_mock/faults", json!({"kind": "delay", "millis": 1})),
        (
            Method::POST,
            "/_mock/faults",
            json!({"kind": "slow_body", "times": 3, "match": {"path": "/**"}}),
        ),
        (Method::POST, "/_mock/faults", json!({"kind": "delay"})),
        (Method::GET, "/_mock/faults", Value::Null),
        (Method::GET, "/_mock/state", Value::Null),
        (Method::PUT, "/_mock/state", state),
        (Method::PUT, "/_mock/state", json!({})),
        (Method::DELETE, "/_mock/faults", Value::Null),
        (Method::DELETE, "/_mock/requests", Value::Null),
    ] {
        inspector.send(method, path, path, "", body).await;
    }
    for body in [json!({}), json!({"plan": "pro", "frozen": true}), json!({"frozen": 1})] {
        inspector.send(Method::PATCH, &org_path, template, "", body).await;
    }
    inspector.send(Method::PATCH, "/_mock/machineid/orgs/x", template, "", json!({})).await;
    inspector.send(Method::POST, "/_mock/reset", "/_mock/reset", "", Value::Null).await;
}
