//! The stream of events that says what has changed.

use std::time::Duration;

use machins_mock::{MockServer, Plan};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::http::{client, post, send, server_with_org};

/// Longer than any event takes.
const SOON: Duration = Duration::from_secs(10);

async fn stream(server: &MockServer) -> Response {
    let response = client().get(format!("{}/_mock/events", server.url())).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response
}

/// The data of the next event.
async fn next(stream: &mut Response) -> Value {
    let chunk = tokio::time::timeout(SOON, stream.chunk()).await.unwrap().unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str(data).unwrap()
}

#[tokio::test]
async fn what_happens_is_told_to_every_reader() {
    let (server, org) = server_with_org(Plan::Free).await;
    let mut streams = [stream(&server).await, stream(&server).await];
    for stream in &mut streams {
        assert_eq!(next(stream).await, json!({"changed": [], "requests": 0, "webhooks": 0}));
    }
    post(&server, &org, "devices/register", json!({"deviceId": "a"})).await;
    for stream in &mut streams {
        let event = next(stream).await;
        assert_eq!(event["requests"], 1);
        assert_eq!(event["changed"][0], "requests");
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up() {
    let server = MockServer::start().await;
    let mut slow = stream(&server).await;
    next(&mut slow).await;
    for _ in 0..500 {
        send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
    }
    let mut last = json!(null);
    while last["requests"] != 500 {
        last = next(&mut slow).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_world() {
    let server = MockServer::start().await;
    let world = server.create_world("worker").unwrap();
    let mut of_world = stream(&world).await;
    next(&mut of_world).await;
    drop(world);
    let rest = tokio::time::timeout(SOON, of_world.chunk()).await.unwrap();
    assert!(rest.is_ok_and(|chunk| chunk.is_none()));
    let mut of_server = stream(&server).await;
    next(&mut of_server).await;
    server.shutdown_gracefully(SOON).await;
    assert!(of_server.chunk().await.is_ok_and(|chunk| chunk.is_none()));
}
