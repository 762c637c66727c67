//! The style sheet, the script and the icon, compressed in the binary.

use std::sync::LazyLock;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use sha2::{Digest, Sha256};

const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/console.css.gz"));
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/console.js.gz"));
const ICON: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/icon.svg.gz"));

/// The beginning of the files' addresses.
const FOLDER: &str = "/console/assets";

/// Identifies the files of this build, so that a browser never uses those of another.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = [STYLE, SCRIPT, ICON].into_iter().fold(Sha256::new(), Sha256::chain_update);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.finalize()[..8]);
    format!("{:016x}", u64::from_be_bytes(bytes))
});

/// Adds the files.
pub(super) fn add(router: Router<Router>) -> Router<Router> {
    let path = |name| format!("{FOLDER}/{name}");
    router
        .route(&path("console.css"), get(async || file("text/css; charset=utf-8", STYLE)))
        .route(&path("console.js"), get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route(&path("icon.svg"), get(async || file("image/svg+xml", ICON)))
}

/// Returns the address of a file.
pub(super) fn address(name: &str) -> String {
    format!("{FOLDER}/{name}?{}", *VERSION)
}

/// Sends a file compressed, as it is stored: every browser accepts gzip.
fn file(content_type: &'static str, gzip: &'static [u8]) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_ENCODING, "gzip"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, gzip)
}
