//! The minimal server over TLS, with HTTP/1.1 or HTTP/2 as its clients choose.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Response;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::bench::{Error, Result};
use crate::programs::folder;
use crate::server::{decision, serve};

/// A MachineID that allows every device, on a thread of its own, until the process ends.
pub(crate) struct TlsServer {
    address: SocketAddr,
    pub(crate) certificate: Certificate,
    /// The same certificate, in a file.
    pub(crate) pem: PathBuf,
}

impl TlsServer {
    pub(crate) fn start() -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).to_vec();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        thread::spawn(move || runtime.block_on(accept(listener, acceptor)));
        let pem = folder("tls")?.join("tls-server.pem");
        fs::write(&pem, cert.pem())?;
        Ok(Self { address, certificate: Certificate::from_pem(cert.pem().as_bytes())?, pem })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await?;
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                return serve_http2(stream).await;
            }
            Ok(serve(stream, Duration::ZERO, Arc::new(|_: &[u8]| decision())).await?)
        });
    }
}

async fn serve_http2(stream: TlsStream<TcpStream>) -> Result<()> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(received) = connection.accept().await {
        let (request, mut respond) = received?;
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(part) = body.data().await {
                body.flow_control().release_capacity(part?.len())?;
            }
            let response = Response::builder().header("content-type", "application/json");
            let mut reply = respond.send_response(response.body(())?, false)?;
            reply.send_data(Bytes::from(decision()), true)?;
            Ok::<_, Error>(())
        });
    }
    Ok(())
}
