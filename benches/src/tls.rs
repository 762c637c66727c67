//! A service behind TLS, whose certificate is trusted beside the roots of the system.

use std::fs;
use std::process::Command;

use reqwest::Certificate;

use crate::bench::Result;
use crate::programs::{Talker, folder, succeed};

/// Where Linux distributions keep the roots of the system.
pub(crate) const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A MachineID that allows every device.
pub(crate) struct TlsService {
    pub(crate) url: String,
    pub(crate) trusted: Certificate,
    /// A file with its certificate and the roots of the system.
    pub(crate) roots: String,
    _process: Talker,
}

impl TlsService {
    pub(crate) fn start() -> Result<Self> {
        let folder = folder("tls")?;
        let path = |name: &str| folder.join(name).display().to_string();
        let (certificate, key, roots) = (path("certificate"), path("key"), path("with-roots"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "30", "-subj", "/CN=localhost", "-out", &certificate]);
        openssl.args(["-keyout", &key, "-addext", "subjectAltName=IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        succeed(&mut openssl)?;
        let pem = fs::read(&certificate)?;
        fs::write(&roots, [fs::read(ROOTS)?, pem.clone()].concat())?;
        let mut process = Talker::start(Command::new("python3").args([
            concat!(env!("CARGO_MANIFEST_DIR"), "/python/tls_service.py"),
            &certificate,
            &key,
        ]))?;
        let url = format!("https://127.0.0.1:{}", process.line()?.trim());
        Ok(Self { url, trusted: Certificate::from_pem(&pem)?, roots, _process: process })
    }
}
