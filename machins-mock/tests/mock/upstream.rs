//! A server that answers with the replies of another one, and says where they differ.

use std::sync::{Arc, Mutex};

use machins_mock::{DifferenceKind, Fault, Method, MockServer, Plan, RequestRecord};
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::http::{control, device, get, post, register, send};
use crate::support::raw::{exchange, request};

/// A server in front of another one, whose replies `alter` changes.
fn in_front_of(
    other: &MockServer,
    alter: impl Fn(http::Response<Vec<u8>>) -> http::Response<Vec<u8>> + Send + Sync + 'static,
) -> (MockServer, Arc<Mutex<Vec<RequestRecord>>>) {
    let (url, client, alter) = (other.url(), Client::new(), Arc::new(alter));
    let records = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&records);
    let server = MockServer::builder()
        .upstream(move |request| {
            let (url, client, alter) = (url.clone(), client.clone(), Arc::clone(&alter));
            async move {
                let (parts, body) = request.into_parts();
                let url = format!("{url}{}", parts.uri.path_and_query().unwrap());
                let request = client.request(parts.method, url).headers(parts.headers).body(body);
                let reply = request.send().await?;
                let (status, headers) = (reply.status(), reply.headers().clone());
                let mut response = http::Response::new(reply.bytes().await?.to_vec());
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                Ok::<_, reqwest::Error>(alter(response))
            }
        })
        .on_record(move |record| recorded.lock().unwrap().push(record.clone()))
        .start()
        .unwrap();
    (server, records)
}

#[tokio::test]
async fn replies_come_from_the_other_server() {
    let other = MockServer::start().await;
    let org = other.create_org(Plan::Free);
    let (server, records) = in_front_of(&other, |reply| reply);
    register(&server, &org, &["a"]).await;
    let (_, decision) = post(&server, &org, "devices/validate", device("a")).await;
    assert_eq!(decision["code"], "ALLOW");
    assert_eq!(other.requests().len(), 2);
    let journal = server.requests();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[1].headers["x-org-key"], "org_…");
    assert_eq!(journal[1].reply.as_ref().unwrap().parse::<Value>().unwrap(), decision);
    assert!(journal.iter().all(|record| record.differences.is_empty()));
    let records = records.lock().unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn what_differs_is_in_the_journal() {
    let other = MockServer::start().await;
    let org = other.create_org(Plan::Free);
    let (server, _) = in_front_of(&other, |mut reply| {
        let text = String::from_utf8(std::mem::take(reply.body_mut())).unwrap();
        *reply.body_mut() = text.replace("\"limit\":3", "\"limit\":\"3\"").into_bytes();
        reply
    });
    get(&server, &org, "usage").await;
    let [difference] = &server.requests()[0].differences[..] else { panic!() };
    assert_eq!((&*difference.route, &*difference.field), ("GET /api/v1/usage", "limit"));
    assert_eq!(difference.kind, DifferenceKind::Type);
    let expected = "limit: expected a whole number of at least 0, found the text \"3\"";
    assert_eq!(difference.to_string(), expected);
    let (_, journal) = control(&server, Method::GET, "requests", Value::Null).await;
    assert_eq!(journal["requests"][0]["differences"][0]["field"], "limit");
}

#[tokio::test]
async fn the_controls_are_those_of_the_server_in_front() {
    let other = MockServer::start().await;
    let org = other.create_org(Plan::Free);
    let (server, _) = in_front_of(&other, |reply| reply);
    server.add_fault(Fault::status(503).times(1)).unwrap();
    assert_eq!(get(&server, &org, "usage").await.0, 503);
    assert!(other.requests().is_empty());
    assert_eq!(get(&server, &org, "usage").await.0, 200);
    control(&server, Method::DELETE, "requests", Value::Null).await;
    assert!(server.requests().is_empty());
    assert_eq!(other.requests().len(), 1);
}

#[tokio::test]
async fn keys_in_paths_and_fields_are_masked() {
    let other = MockServer::start().await;
    let (server, _) = in_front_of(&other, |mut reply| {
        *reply.status_mut() = http::StatusCode::OK;
        *reply.body_mut() = br#"{"org_hunter2":1,"a":{"at_hunter2":{}}}"#.to_vec();
        reply
    });
    let long = "x".repeat(2000);
    let unknown = format!("/api/v1/no-such/org_hunter2/claim/hunter2/{long}");
    for path in [&*unknown, "/api/v1/public/stats"] {
        send(&server, Method::GET, path, "", Value::Null).await;
    }
    let (_, journal) = control(&server, Method::GET, "requests", Value::Null).await;
    assert!(!journal.to_string().contains("hunter2"), "{journal}");
    let requests = server.requests();
    let route = &requests[0].differences[0].route;
    assert!(route.starts_with("GET /api/v1/no-such/org_…/claim/…/xxx"), "{route}");
    assert!(route.len() < 600, "{route}");
    let fields: Vec<_> = requests[1].differences.iter().map(|one| &*one.field).collect();
    assert!(fields.contains(&"org_…"), "{fields:?}");
}

#[tokio::test]
async fn secrets_that_are_of_another_type_are_not_shown() {
    let other = MockServer::start().await;
    let (server, _) = in_front_of(&other, |mut reply| {
        *reply.status_mut() = http::StatusCode::OK;
        *reply.body_mut() =
            br#"{"password":"hunter2","claim_token":1234567,"credentials":{"user":"hunter2"}}"#
                .to_vec();
        reply
    });
    send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
    let differences = server.requests()[0].differences.clone();
    let found = |field: &str| {
        let difference = differences.iter().find(|one| one.field == field).unwrap();
        difference.found.clone()
    };
    assert_eq!(found("password"), "a text that is not shown");
    assert_eq!(found("claim_token"), "a number that is not shown");
    assert_eq!(found("credentials"), "an object");
}

#[tokio::test]
async fn what_is_not_a_path_is_not_sent_on() {
    let other = MockServer::start().await;
    let (server, _) = in_front_of(&other, |_| panic!("nothing is sent on"));
    let reply = exchange(server.addr(), &request("OPTIONS", b"*", b"", b"")).unwrap();
    assert!(reply.status < 500, "{}", reply.status);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_502() {
    let other = MockServer::start().await;
    let (server, records) = in_front_of(&other, |reply| reply);
    other.shutdown().await;
    let reply = send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["code"]),
        (502, &json!("UPSTREAM_UNREACHABLE"))
    );
    assert_eq!(records.lock().unwrap()[0].differences, []);
}
