//! Secrets, and a server that puts them wherever a reply may hold them.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use machineid_client::OrgKey;
use machins_client::{ApiKey, Secret};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub const ORG_KEY: &str = "org_5d41402abc4b2a76b9719d911017c592";
pub const API_KEY: &str = "at_7d793037a0760186574b0282f2f435e7";
pub const OWNER_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJvd25lciJ9.b3duZXItdG9rZW4";
pub const PASSWORD: &str = "correct-horse-battery";
pub const WEBHOOK_SECRET: &str = "whsec-9b74c9897bac770f";
pub const CLAIM_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJjbGFpbSJ9.Y2xhaW0tdG9rZW4";
/// What a server gives out new, and the client has not been told.
pub const NEW_ORG_KEY: &str = "org_098f6bcd4621d373cade4e832627b4f6";
pub const NEW_API_KEY: &str = "at_ad0234829205b9033196ba818f7a872b";
pub const NEW_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJuZXciOjF9.bmV3LXRva2Vu";

pub const SECRETS: [&str; 9] = [
    ORG_KEY,
    API_KEY,
    OWNER_TOKEN,
    PASSWORD,
    WEBHOOK_SECRET,
    CLAIM_TOKEN,
    NEW_ORG_KEY,
    NEW_API_KEY,
    NEW_TOKEN,
];

/// Fails when a secret stands in the text, plainly or by any eight characters from its inside.
#[track_caller]
pub fn assert_hidden(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        let inside = &secret[secret.len() - 8..];
        assert!(!text.contains(inside), "{what} shows {secret}:\n{text}");
    }
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text)
}

pub fn machineid(url: &str) -> machineid_client::ClientBuilder {
    machineid_client::Client::builder().org_key(OrgKey::new(ORG_KEY).unwrap()).base_url(url)
}

pub fn machins(url: &str) -> machins_client::ClientBuilder {
    machins_client::Client::builder()
        .api_key(ApiKey::new(API_KEY).unwrap())
        .owner_token(secret(OWNER_TOKEN))
        .base_url(url)
}

/// These fields, and every secret in fields that no type knows.
pub fn planted(mut fields: Value) -> Value {
    let more = fields.as_object_mut().unwrap();
    more.insert("planted".into(), json!({"deep": SECRETS}));
    more.insert("secret".into(), json!(WEBHOOK_SECRET));
    more.insert("token".into(), json!(NEW_TOKEN));
    more.insert("password_hash".into(), json!(PASSWORD));
    fields
}

/// A value read from these fields and the planted ones.
pub fn read<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(planted(fields)).unwrap()
}

/// Stands in a body for a request id that was not given before.
pub const NEW_ID: &str = "NEW-ID";

/// A server that answers everything with this. Gives its URL.
pub async fn answering(status: u16, body: String) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let answer = move || {
        let id = format!("request-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let body = body.replace(NEW_ID, &id);
        let status = StatusCode::from_u16(status).unwrap();
        let reply = (status, [("content-type", "application/json")], body);
        async move { reply }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(answer)).await.unwrap();
    });
    url
}
