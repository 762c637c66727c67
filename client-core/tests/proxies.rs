//! Proxies that the environment names.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::process::Command;

use agent_client_core::{Async, BaseUrl, Call, ClientOptions, Transport};
use rstest::rstest;
use serde_json::Value;
use support::closed_url;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const VARIABLES: [&str; 6] =
    ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// Not a test by itself: the tests below run it in a process whose environment they set, because a
/// process cannot safely change its own.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var("TEST_URL") else { return };
    let options = ClientOptions::new().max_attempts(1);
    let call = Call::get("/thing").json::<Value>();
    match Async::new(BaseUrl::parse_insecure(&url).unwrap(), Vec::new(), options) {
        Ok(client) => match client.send(call).await {
            Ok(value) => println!("value {value}"),
            Err(error) => println!("call: {error:#}"),
        },
        Err(error) => println!("build: {error}"),
    }
}

fn run(url: &str, name: &str, value: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for variable in VARIABLES.iter().chain(&["no_proxy", "NO_PROXY"]) {
        command.env_remove(variable);
    }
    let output = command
        .args(["child", "--exact", "--nocapture"])
        .env("TEST_URL", url)
        .env(name, value)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[rstest]
#[case::unknown_scheme("ftp://hush@proxy.example")]
#[case::no_host("http://")]
#[case::space("http://hush proxy:80")]
#[case::port("proxy.example:99999")]
fn a_malformed_variable_is_an_error(#[case] value: &str) {
    for name in VARIABLES {
        let out = run("http://service.example", name, value);
        let expected = format!("build: the environment variable {name} is not the address");
        assert!(out.contains(&expected), "{name}: {out}");
        assert!(!out.contains("hush"), "{out}");
    }
}

#[test]
fn this_machine_needs_no_proxy() {
    let out = run(&closed_url(), "http_proxy", "ftp://wrong");
    assert!(out.contains("call: ") && !out.contains("proxy"), "{out}");
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_without_its_password() {
    let proxy = closed_url();
    let with_password = proxy.replace("http://", "http://user:hush@");
    let out = run("http://service.example", "HTTP_PROXY", &with_password);
    let expected = format!("cannot connect to http://service.example through the proxy {proxy}:");
    assert!(out.contains(&expected), "{out}");
    assert!(!out.contains("hush"), "{out}");
}

/// Serves one connection by SOCKS 5 (RFC 1928) and connects it to `target`, whatever was asked for.
async fn socks(listener: TcpListener, target: String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await.unwrap();
    stream.read_exact(&mut vec![0; greeting[1].into()]).await.unwrap();
    stream.write_all(&[5, 0]).await.unwrap();
    let mut request = [0; 5];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request[3], 3, "the name is resolved by the proxy");
    stream.read_exact(&mut vec![0; usize::from(request[4]) + 2]).await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let mut server = TcpStream::connect(target).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socks_proxy_works() {
    let (url, _) = support::scripted(vec![support::Act::reply(200, "true")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    tokio::spawn(socks(listener, url.trim_start_matches("http://").to_owned()));
    let out =
        tokio::task::spawn_blocking(move || run("http://service.example", "ALL_PROXY", &proxy));
    let out = out.await.unwrap();
    assert!(out.contains("value true"), "{out}");
}
