//! Credentials that a NATS server asks for.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use machins_client::Secret;
use machins_relay::{NatsConnection, Notice, RelayError};
use nkeys::KeyPair;
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Replica, World, stream};
use tempfile::TempDir;
use test_support::NatsServer;

/// A server with this configuration.
fn server(configuration: &str) -> Option<(NatsServer, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nats.conf");
    fs::write(&file, configuration).unwrap();
    Some((NatsServer::start(&["-c", file.to_str().unwrap()])?, folder))
}

async fn is_accepted(nats: &NatsServer, with: impl Fn(NatsConnection) -> NatsConnection) {
    let world = World::start().await;
    let connection = with(NatsConnection::new(&nats.url()).unwrap());
    let mut replica = Replica::start(world.relay(), connection, &stream());
    replica.wait_for(|notice| matches!(notice, Notice::Active(_))).await;
    replica.stop().await;
}

async fn is_refused(nats: &NatsServer, with: impl Fn(NatsConnection) -> NatsConnection) {
    let world = World::start().await;
    let connection = with(NatsConnection::new(&nats.url()).unwrap());
    let replica = Replica::start(world.relay(), connection, &stream());
    let error = replica.ended().await.unwrap_err();
    assert!(matches!(error, RelayError::Nats(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_token_is_shown() {
    let Some(nats) = NatsServer::start(&["--auth", "hushhush"]) else { return };
    is_accepted(&nats, |connection| connection.token(&Secret::new("hushhush"))).await;
    is_refused(&nats, |connection| connection.token(&Secret::new("hush-wrong"))).await;
    let in_address = format!("nats://hushhush@{}", nats.address());
    is_accepted(&nats, |_| NatsConnection::new(&in_address).unwrap()).await;
}

#[tokio::test]
async fn an_nkey_answers_the_challenge() {
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let configuration = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public_key());
    let Some((nats, _folder)) = server(&configuration) else { return };
    let seed = |key: &KeyPair| Secret::new(key.seed().unwrap());
    is_accepted(&nats, |connection| connection.nkey(&seed(&user))).await;
    is_refused(&nats, |connection| connection.nkey(&seed(&stranger))).await;
}

/// A JWT as NATS has them, signed by one key about another.
fn jwt(signer: &KeyPair, subject: &KeyPair, name: &str, about: &Value) -> String {
    let mut claims = json!({
        "iat": 1_700_000_000, "iss": signer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": about, "jti": "",
    });
    claims["jti"] = BASE32_NOPAD.encode(&Sha256::digest(claims.to_string())).into();
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let content = format!("{}.{}", part(&header), part(&claims));
    let signature = BASE64URL_NOPAD.encode(&signer.sign(content.as_bytes()).unwrap());
    format!("{content}.{signature}")
}

#[tokio::test]
async fn a_credentials_file_is_used() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let system = KeyPair::new_account();
    let unlimited = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let of_account = json!({"type": "account", "version": 2, "limits": unlimited});
    let no_storage = json!({"type": "account", "version": 2, "limits": {
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    }});
    let of_operator = json!({"type": "operator", "version": 2});
    let configuration = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\n\
         resolver_preload: {{ {}: {}, {}: {} }}\n",
        jwt(&operator, &operator, "operator", &of_operator),
        system.public_key(),
        account.public_key(),
        jwt(&operator, &account, "account", &of_account),
        system.public_key(),
        jwt(&operator, &system, "system", &no_storage),
    );
    let Some((nats, _folder)) = server(&configuration) else { return };
    let credentials = |signer: &KeyPair| {
        let user = KeyPair::new_user();
        let of_user = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
        Secret::new(format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt(signer, &user, "relay", &of_user),
            user.seed().unwrap(),
        ))
    };
    let (own, strange) = (credentials(&account), credentials(&KeyPair::new_account()));
    is_accepted(&nats, |connection| connection.credentials(&own).unwrap()).await;
    is_refused(&nats, |connection| connection.credentials(&strange).unwrap()).await;
}

#[rstest]
#[case::empty("")]
#[case::something_else("SUAPASSWORD hushhush")]
fn what_is_no_credentials_file_is_an_error(#[case] content: &str) {
    let connection = NatsConnection::new("nats://127.0.0.1:4222").unwrap();
    let error = connection.credentials(&Secret::new(content)).unwrap_err();
    assert!(matches!(error, RelayError::Nats(_)) && !error.to_string().contains("hush"), "{error}");
}

#[test]
fn nothing_secret_is_shown() {
    let connection = NatsConnection::new("nats://ada:hushhush@nats.example:4222").unwrap();
    let connection = connection.token(&Secret::new("hushhush"));
    let shown = format!("{connection:?}");
    assert!(shown.contains("nats.example") && !shown.contains("hush"), "{shown}");
}
