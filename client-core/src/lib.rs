//! The HTTP core of `machineid-client` and `machins-client`: retries, limits, credentials, errors.
//!
//! To talk to one of the two services, use its client. This crate knows no endpoint; it is for
//! crates that define endpoints.
//!
//! An endpoint is written once, as a [`Call`]: a value that says what to send, how to read the
//! reply, and whether it may be sent twice. A [`Transport`] sends the call: [`Async`] returns a
//! future, `Blocking` (feature `blocking`) the result itself.
//!
//! ```
//! use agent_client_core::{Async, BaseUrl, Call, ClientOptions, Transport};
//!
//! # async fn example() -> Result<(), agent_client_core::Error> {
//! let base_url = BaseUrl::parse("https://api.example.com/v1")?;
//! let transport = Async::new(base_url, Vec::new(), ClientOptions::new())?;
//! let call = Call::get("/things/{id}").segment("id", "42").json::<serde_json::Value>();
//! let thing = transport.send(call).await?;
//! # Ok(()) }
//! ```
//!
//! # What every call gets
//!
//! - **Safe retries.** A call is sent again only if it cannot take effect twice; [`retry`] has the
//!   rules.
//! - **Limits.** The time of connecting, of each attempt and of the whole call, and the size of the
//!   reply are bounded; [`ClientOptions`] has the defaults.
//! - **Protected credentials.** Redirects are never followed, plain `http` is refused for any host
//!   but this machine, and no key appears in `Debug`, logs, spans or errors.
//! - **One error type**, [`Error`], with a [`kind`](Error::kind) to match on.
//!
//! # Features
//!
//! - `rustls` (default): TLS by rustls, with the root certificates of the operating system.
//! - `native-tls`: TLS by the library of the operating system. Without this feature and `rustls`, only
//!   plain `http` works.
//! - `blocking`: `Blocking`, the transport for programs without an async runtime.
//! - `otel`: the trace of the current span is sent along (`traceparent`).
//! - `test-util`: `Script`, which answers calls without a socket, and `Reply::new`.
//!
//! # Platforms
//!
//! `wasm32` is not supported: in a browser, a client can neither refuse redirects nor limit the size
//! of a reply, does not know whether a request was sent, and its futures are not `Send`.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(target_family = "wasm")]
compile_error!("WebAssembly is not supported: see `Platforms` in the documentation of this crate");

mod base_url;
mod call;
mod call_options;
mod certificate;
mod clock;
mod config_file;
mod connection;
mod credential;
mod document;
mod environment;
mod error;
mod extra;
mod files;
mod labels;
mod lock;
mod null_as_default;
mod observer;
mod open_enum;
mod operation;
mod options;
mod paused_time;
mod plain_value;
mod pool;
mod process;
mod proxy;
mod reply;
mod request;
mod request_ids;
pub mod retry;
#[cfg(feature = "test-util")]
mod script;
mod secret_key;
mod text;
mod timestamp;
mod total_timeout;
mod transport;
mod wire_message;

pub use base_url::BaseUrl;
pub use call::{Call, Probe, ProbeResult};
pub use call_options::CallOptions;
pub use clock::{Clock, MockClock, SystemClock};
#[doc(hidden)]
pub use config_file::ConfigFile;
pub use connection::Connection;
pub use credential::{Credential, Scheme, Secret};
pub use document::Document;
#[doc(hidden)]
pub use environment::{variable, variable_is_true};
pub use error::{Error, ErrorKind};
pub use extra::{Extra, WithExtra};
#[doc(hidden)]
pub use files::{
    create_private_folder, folder_of, home_folder, open_without_waiting, private, read_to_limit,
    sync_folder, wait_while_in_use,
};
#[doc(hidden)]
pub use lock::lock;
pub use null_as_default::null_as_default;
pub use observer::{CallOutcome, CallSummary};
pub use operation::Operation;
pub use options::ClientOptions;
#[doc(hidden)]
pub use paused_time::hold_paused_time;
pub use pool::HttpPool;
pub use reply::Reply;
/// The HTTP library, to configure it with [`ClientOptions::http`].
pub use reqwest;
/// The HTTP method of a [`Call`], re-exported from `http`.
///
pub use reqwest::Method;
#[cfg(feature = "test-util")]
pub use script::{Rule, Script, ScriptedRequest};
pub use text::{is_printable, printable};
pub use timestamp::Timestamp;
#[doc(hidden)]
pub use total_timeout::TotalTimeout;
#[cfg(feature = "blocking")]
pub use transport::Blocking;
pub use transport::{AndThen, Async, Pending, Transport};
#[doc(hidden)]
pub use wire_message::WireMessage;

/// Used by the macro [`open_enum!`].
#[doc(hidden)]
pub use serde as __serde;
/// Used by the macro [`operation!`].
#[doc(hidden)]
pub use tracing as __tracing;
