//! Services whose certificate no known authority has signed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::home::Home;
use crate::stub::{self, Reply};

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
    connection: close\r\n\r\n{}";

/// Starts a service over TLS for as long as the tests run. Returns its address and its certificate.
fn serve() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // A caller that does not trust the certificate sends nothing.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(REPLY);
            }
        }
    });
    (url, cert.pem())
}

#[test]
fn an_unknown_certificate_is_named_with_the_cure() {
    let (url, certificate) = serve();
    let home = Home::new();
    let file = home.path().join("certificate.pem");
    std::fs::write(&file, certificate).unwrap();
    let command = ["api", "GET", "/public/stats", "--base-url", &url];
    let ran = home.run(&command).exits(1);
    let stderr = &ran.stderr;
    assert!(stderr.contains(&format!("the certificate of {url}")), "{ran:?}");
    assert!(stderr.contains("SSL_CERT_FILE") && !stderr.contains("check the network"), "{ran:?}");
    let denied = home.with("MACHINEID_ORG_KEY", "org_0123456789abcdef0123456789abcdef");
    denied.run(&["validate", "agent-01", "--machineid-url", &url]).exits(3);
    denied.with("SSL_CERT_FILE", file.to_str().unwrap()).run(&command).exits(0);
}

/// A scratch container, for example.
#[test]
fn plain_http_needs_no_certificates_and_https_says_so() {
    let proxy = stub::serve(|_| Reply::json(200, &serde_json::json!({})));
    let home = Home::new();
    let none = home.path().join("none.pem");
    std::fs::write(&none, "").unwrap();
    let folder = home.path().join("none");
    let home = home
        .with("SSL_CERT_FILE", none.to_str().unwrap())
        .with("SSL_CERT_DIR", folder.to_str().unwrap())
        .with("http_proxy", &proxy)
        .with("MACHINS_ALLOW_INSECURE_HTTP", "1");
    let command = ["api", "GET", "/public/stats", "--base-url"];
    home.run(&[&command[..], &["http://mock.test:8080/api/v1"]].concat()).exits(0);
    let ran = home.run(&[&command[..], &["https://mock.test/api/v1"]].concat()).exits(2);
    assert!(ran.stderr.contains("no certificate of an authority can be loaded; https needs them"));
    assert!(ran.stderr.contains("the file that SSL_CERT_FILE names has none"), "{ran:?}");
}
