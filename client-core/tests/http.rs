//! How the HTTP client can be configured, and which rules no configuration undoes.
#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{
    Async, BaseUrl, CallOptions, ClientOptions, Credential, Error, ErrorKind, HttpPool, Secret,
    Transport, reqwest, retry,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Act, KEY, SCHEME, closed_url, get, post, scripted, send, transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\ntrue";

async fn answering(reply: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!(true))
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Starts a TLS server for `localhost`. Returns its port, its certificate in PEM, and the number of
/// handshakes that were begun.
async fn tls_server() -> (u16, String, Arc<Mutex<u32>>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let handshakes = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&handshakes);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            *counter.lock().unwrap() += 1;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(REPLY).await;
            });
        }
    });
    (port, cert.pem(), handshakes)
}

#[tokio::test]
async fn an_unknown_authority_is_its_own_error_and_not_retried() {
    let (port, pem, handshakes) = tls_server().await;
    let url = format!("https://localhost:{port}");
    let (client, _) = transport(&url, ClientOptions::new());
    let error = send(&client, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UntrustedCertificate);
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("it is signed by an unknown authority"), "{text}");
    assert!(text.contains("SSL_CERT_FILE"), "{text}");
    assert_eq!(*handshakes.lock().unwrap(), 1);

    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let options = ClientOptions::new().http(move |http| http.tls_certs_merge([authority.clone()]));
    let (client, _) = transport(&url, options);
    assert_eq!(send(&client, get()).await.unwrap(), true);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_named() {
    let (port, pem, _) = tls_server().await;
    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let options = ClientOptions::new().http(move |http| http.tls_certs_merge([authority.clone()]));
    let (client, _) = transport(&format!("https://other.localhost:{port}"), options);
    let error = send(&client, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UntrustedCertificate, "{error}");
    assert!(error.message().ends_with("it is for another name"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_can_be_used() {
    let folder = std::env::temp_dir().join(format!("client-core-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(REPLY).await;
        std::future::pending::<()>().await;
    });
    let socket = path.clone();
    let options = ClientOptions::new().http(move |http| http.unix_socket(socket.clone()));
    let (client, _) = transport("http://localhost", options);
    assert_eq!(send(&client, get()).await.unwrap(), true);
    std::fs::remove_dir_all(folder).unwrap();
}

/// What a configuration tries to undo.
fn permissive(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    let headers = [("accept", "text/html"), ("cache-control", "max-stale"), ("x-org-key", "other")];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    http.redirect(reqwest::redirect::Policy::limited(10))
        .retry(reqwest::retry::for_host("127.0.0.1").classify_fn(|attempt| {
            if attempt.status().is_none() { attempt.retryable() } else { attempt.success() }
        }))
        .default_headers(headers.into_iter().collect())
        .user_agent("other")
        .proxy(reqwest::Proxy::all(closed_url()).unwrap())
}

#[tokio::test]
async fn the_rules_of_the_client_cannot_be_undone() {
    let target = answering(ok()).await;
    let redirect = ResponseTemplate::new(307).insert_header("location", &*target.uri());
    let server = answering(redirect).await;
    let (client, _) = transport(&server.uri(), ClientOptions::new().http(permissive));
    let error = send(&client, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error}");
    assert_eq!((count(&target).await, count(&server).await), (0, 1));
    let request = &server.received_requests().await.unwrap()[0];
    let header = |name: &str| request.headers[name].to_str().unwrap();
    assert_eq!(header("accept"), "application/json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-org-key"), KEY);
    assert!(header("user-agent").starts_with("agent-client-core/"));
    assert!(!request.headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn nothing_is_repeated_unseen_whatever_the_configuration() {
    let (url, received) = scripted(vec![Act::Drop, Act::reply(200, "true")]).await;
    let (client, _) = transport(&url, ClientOptions::new().http(permissive));
    let error = send(&client, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn call_options_hold_for_the_calls_of_their_view_alone() {
    let server = answering(ResponseTemplate::new(503)).await;
    let (client, _) = transport(&server.uri(), ClientOptions::new());
    let once = client.with(CallOptions::new().max_attempts(1).header("x-job", "17"));
    send(&once, get()).await.unwrap_err();
    assert_eq!(count(&server).await, 1);
    assert_eq!(server.received_requests().await.unwrap()[0].headers["x-job"], "17");
    send(&client, get()).await.unwrap_err();
    assert_eq!(count(&server).await, 4);
    assert!(!server.received_requests().await.unwrap()[3].headers.contains_key("x-job"));
}

#[tokio::test]
async fn the_time_limit_of_a_call_can_be_shorter_or_longer() {
    let server = answering(ResponseTemplate::new(503).insert_header("retry-after", "50")).await;
    for (own, of_the_call, attempts) in [(60, 10, 1), (10, 120, 3)] {
        server.reset().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(503).insert_header("retry-after", "50"))
            .mount(&server)
            .await;
        let options = ClientOptions::new().timeout(Duration::from_secs(own));
        let (client, _) = transport(&server.uri(), options);
        let view = client.with(CallOptions::new().timeout(Duration::from_secs(of_the_call)));
        send(&view, get()).await.unwrap_err();
        assert_eq!(count(&server).await, attempts, "{of_the_call} s");
        assert_eq!(view.timeout(), Duration::from_secs(of_the_call));
    }
}

#[rstest]
#[case::key("x-org-key", "other")]
#[case::host("Host", "evil.example")]
#[case::authorization("authorization", "Bearer t")]
#[case::length("content-length", "0")]
#[case::encoding("Accept-Encoding", "gzip")]
#[case::malformed_name("x job", "17")]
#[case::malformed_value("x-job", "1\r\nx-org-key: other")]
#[tokio::test]
async fn a_header_that_the_client_sets_is_refused(#[case] name: &str, #[case] value: &str) {
    let server = answering(ok()).await;
    let (client, _) = transport(&server.uri(), ClientOptions::new());
    let error =
        send(&client.with(CallOptions::new().header(name, value)), get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn the_headers_of_a_reply_can_be_read() {
    let server = answering(ok().insert_header("x-ratelimit-remaining", "7")).await;
    let (client, _) = transport(&server.uri(), ClientOptions::new());
    let seen = Arc::new(Mutex::new(None));
    let left = Arc::clone(&seen);
    let view = client.with(CallOptions::new().on_reply(move |reply| {
        let header = reply.headers().get("x-ratelimit-remaining");
        *left.lock().unwrap() = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    }));
    send(&view, get()).await.unwrap();
    assert_eq!(seen.lock().unwrap().as_deref(), Some("7"));
}

#[tokio::test]
async fn a_key_from_a_function_is_asked_for_before_each_attempt() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).set_body_json(json!({"error": "org_key_1 is busy"}));
    Mock::given(any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(ok()).mount(&server).await;
    let calls = Mutex::new(0);
    let credential = Credential::from_function(&SCHEME, move || {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        Ok(Secret::new(format!("org_key_{calls}")))
    });
    let url = BaseUrl::parse(&server.uri()).unwrap();
    let options = ClientOptions::new().clock(agent_client_core::MockClock::new(0.0));
    let client = Async::new(url, vec![credential], options).unwrap();
    send(&client, get()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let keys: Vec<_> = requests.iter().map(|request| &request.headers["x-org-key"]).collect();
    assert_eq!(keys, ["org_key_1", "org_key_2"]);
}

#[tokio::test]
async fn a_key_from_a_function_is_redacted_like_any_other() {
    let server =
        answering(ResponseTemplate::new(400).set_body_json(json!({"detail": "no org_hush1"})))
            .await;
    let credential = Credential::from_function(&SCHEME, || Ok(Secret::new("org_hush1")));
    let url = BaseUrl::parse(&server.uri()).unwrap();
    let client = Async::new(url, vec![credential], ClientOptions::new()).unwrap();
    let error = send(&client, get()).await.unwrap_err();
    assert!(error.to_string().contains("no [REDACTED]"), "{error}");
}

#[tokio::test]
async fn a_function_without_a_key_ends_the_call_before_it_is_sent() {
    let server = answering(ok()).await;
    let missing = Error::new(ErrorKind::MissingCredential, "the vault is sealed");
    let credential = Credential::from_function(&SCHEME, move || Err(missing.clone()));
    let url = BaseUrl::parse(&server.uri()).unwrap();
    let client = Async::new(url, vec![credential], ClientOptions::new()).unwrap();
    let error = send(&client, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    assert_eq!(count(&server).await, 0);
}

/// Starts a server that answers every request with the number of the connection that it came on.
async fn numbering() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 1_u32.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
                    let reply = format!("{head}\r\ncontent-length: 1\r\n\r\n{number}");
                    stream.write_all(reply.as_bytes()).await.unwrap();
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn clients_of_many_keys_share_connections() {
    let url = numbering().await;
    let (client, _) = transport(&url, ClientOptions::new());
    for number in 0..100 {
        let secret = Secret::new(format!("org_{number}"));
        let other = client.with_credential(Credential::new(&SCHEME, secret).unwrap());
        assert_eq!(send(&other, get()).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_pool_serves_clients_of_several_services() {
    let url = numbering().await;
    let pool = HttpPool::new(&ClientOptions::new());
    for expected in [1, 1] {
        let (client, _) = transport(&url, ClientOptions::new().pool(pool.clone()));
        assert_eq!(send(&client, get()).await.unwrap(), expected);
    }
    let (client, _) = transport(&url, ClientOptions::new());
    assert_eq!(send(&client, get()).await.unwrap(), 2);
}

#[cfg(feature = "blocking")]
#[test]
fn blocking_clients_share_a_pool_across_threads() {
    use agent_client_core::Blocking;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(numbering());
    let pool = HttpPool::new(&ClientOptions::new());
    let client = || {
        let credential = Credential::new(&SCHEME, Secret::new(KEY)).unwrap();
        let options = ClientOptions::new().pool(pool.clone());
        Blocking::new(BaseUrl::parse(&url).unwrap(), vec![credential], options).unwrap()
    };
    let (first, second) = (client(), client());
    assert_eq!(first.send(get()).unwrap(), 1);
    let number = std::thread::spawn(move || second.send(get()).unwrap()).join().unwrap();
    assert_eq!(number, 1);
    drop(first);
    assert_eq!(client().send(get()).unwrap(), 1);
}

#[tokio::test]
async fn a_retry_policy_can_be_given() {
    let server = answering(ResponseTemplate::new(503)).await;
    let policy = retry::Policy { max_attempts: 5, ..retry::Policy::default() };
    let (client, _) = transport(&server.uri(), ClientOptions::new().retry(policy));
    let result: Result<Value, Error> = send(&client, get()).await;
    result.unwrap_err();
    assert_eq!(count(&server).await, 5);
}
