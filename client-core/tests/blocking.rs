//! The blocking transport: the same rules, on any thread.
#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::thread;

use agent_client_core::{
    BaseUrl, Blocking, ClientOptions, Credential, ErrorKind, Secret, Transport,
};
use serde_json::json;
use support::{Act, KEY, SCHEME, get, post, scripted};
use tokio::runtime::Runtime;

fn blocking(url: &str) -> Blocking {
    let credential = Credential::new(&SCHEME, Secret::new(KEY)).unwrap();
    Blocking::new(BaseUrl::parse(url).unwrap(), vec![credential], ClientOptions::new()).unwrap()
}

#[test]
fn blocking_calls_follow_the_same_rules() {
    let servers = Runtime::new().unwrap();
    let (url, received) =
        servers.block_on(scripted(vec![Act::Drop, Act::reply(200, "{}"), Act::Drop]));
    let client = blocking(&url);
    assert_eq!(client.send(get()).unwrap(), json!({}));
    assert_eq!(received.lock().unwrap().len(), 2);
    assert_eq!(client.send(post()).unwrap_err().kind(), ErrorKind::OutcomeUnknown);
}

#[test]
fn clones_serve_many_threads_at_once() {
    let servers = Runtime::new().unwrap();
    let (url, _) = servers.block_on(scripted(vec![Act::reply(200, "{}"); 16]));
    let client = blocking(&url);
    thread::scope(|scope| {
        for _ in 0..16 {
            let client = client.clone();
            scope.spawn(move || client.send(get()).unwrap());
        }
    });
}

#[tokio::test]
async fn inside_a_runtime_it_works_and_drops_without_a_panic() {
    let servers = thread::spawn(|| {
        let runtime = Runtime::new().unwrap();
        let url = runtime.block_on(scripted(vec![Act::reply(200, "{}")])).0;
        (runtime, url)
    });
    let (runtime, url) = servers.join().unwrap();
    let client = blocking(&url);
    assert_eq!(client.send(get()).unwrap(), json!({}));
    drop(client);
    runtime.shutdown_background();
}
