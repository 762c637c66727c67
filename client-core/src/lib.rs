//! One call in, one typed reply out.
//!
//! This crate is the engine under `machineid-client` and `machins-client`. It knows no
//! endpoint. An endpoint is written once, as a [`Call`]: a value that says what to send, what
//! the reply means and whether it may be sent twice. A [`Transport`] carries the call out:
//! [`Async`] answers with a future, [`Blocking`] (feature `blocking`) with the result.
//!
//! What every call gets:
//!
//! - **Retries from knowledge, not hope.** See [`retry`] for the rules.
//! - **Limits.** Connecting, each attempt, all attempts together and the reply's size are
//!   bounded; see [`ClientOptions`] for the defaults.
//! - **Credentials that stay home.** Redirects are never followed, plain `http` is refused for
//!   any host but this machine, and no key appears in `Debug`, logs, spans or errors.
//! - **One error type**, [`Error`], whose [`kind`](Error::kind) is made to be matched.
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

#![cfg_attr(docsrs, feature(doc_cfg))]

mod base_url;
mod call;
mod clock;
mod connection;
mod credential;
mod error;
mod extra;
mod lock;
mod open_enum;
mod options;
mod reply;
pub mod retry;
mod secret_key;
mod text;
mod timestamp;
mod transport;

pub use base_url::BaseUrl;
pub use call::{Call, Probe, ProbeResult};
pub use clock::{Clock, MockClock, SystemClock};
pub use connection::Connection;
pub use credential::{Credential, Scheme, Secret};
pub use error::{Error, ErrorKind};
pub use extra::{Document, Extra};
#[doc(hidden)]
pub use lock::lock;
pub use options::ClientOptions;
pub use reply::Reply;
pub use reqwest::Method;
pub use text::{is_printable, printable};
pub use timestamp::Timestamp;
#[cfg(feature = "blocking")]
pub use transport::Blocking;
pub use transport::{Async, Pending, Transport};

/// For the [`open_enum!`] macro.
#[doc(hidden)]
pub use serde as __serde;
