//! Calls that are made only while something holds.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use agent_client_core::{Call, ClientOptions, Error, ErrorKind, Transport};
use rstest::rstest;
use serde_json::{Value, json};
use support::transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A call whose condition holds this often.
fn call(times: usize) -> Call<Value> {
    let asked = Arc::new(AtomicUsize::new(0));
    Call::post("/things").body(&json!({"name": "lamp"})).json().only_while(move || {
        if asked.fetch_add(1, Ordering::SeqCst) < times {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Storage, "the lock was lost"))
    })
}

/// Sends the call to a server that answers once, and returns the result and what the server has read
/// from all connections.
async fn send(call: Call<Value>) -> (Result<Value, Error>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut read = String::new();
        // The last connection is the one below, which tells it to end.
        while !read.ends_with("end") {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
                if read.ends_with("end") || read.ends_with('}') {
                    let reply =
                        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ntrue";
                    stream.write_all(reply).await.unwrap();
                    break;
                }
            }
        }
        read
    });
    let (client, _) = transport(&url, ClientOptions::new());
    let sent = client.send(call).await;
    let mut last = tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    last.write_all(b"end").await.unwrap();
    (sent, server.await.unwrap())
}

#[tokio::test]
async fn a_condition_that_holds_changes_nothing() {
    let (sent, read) = send(call(2)).await;
    assert_eq!(sent.unwrap(), true);
    assert!(read.starts_with("POST /things HTTP/1.1\r\n"), "{read}");
    assert!(read.contains("content-length: 15\r\n"), "{read}");
    assert!(read.ends_with(r#"{"name":"lamp"}end"#), "{read}");
}

#[rstest]
#[case::before_connecting(0)]
#[case::while_connecting(1)]
#[tokio::test]
async fn nothing_leaves_once_it_does_not_hold(#[case] times: usize) {
    let (sent, read) = send(call(times)).await;
    let error = sent.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Storage, "the lock was lost"));
    assert_eq!(read, "end");
}

#[tokio::test]
async fn a_reply_is_waited_for_only_while_it_holds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let holds = Arc::new(AtomicBool::new(true));
    let (asked, ends) = (Arc::clone(&holds), holds);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        ends.store(false, Ordering::SeqCst);
        // Until the client closes the connection.
        stream.read(&mut [0; 4096]).await.unwrap()
    });
    let call = Call::post("/things").body(&json!({})).json::<Value>().only_while(move || {
        let lost = || Error::new(ErrorKind::Storage, "the lock was lost");
        asked.load(Ordering::SeqCst).then_some(()).ok_or_else(lost)
    });
    let (client, _) = transport(&url, ClientOptions::new());
    let error = client.send(call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(server.await.unwrap(), 0);
}
