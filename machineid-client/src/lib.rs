//! A client for [MachineID](https://machineid.io), which decides whether a device may run.
//!
//! Start with [`Gate`], which asks before work starts and **fails closed**: no answer, a wrong
//! answer and an unreadable answer all deny. [`Client`] has every endpoint of the API, to register
//! and manage devices; the service's own documentation is at <https://machineid.io/docs>.
//!
//! # Run work only while it is allowed
//!
//! [`Gate::check`] returns a [`Permit`], which can be obtained in no other way, or [`Denied`],
//! which says why. [`Gate::supervise`] keeps checking while the work runs.
//!
//! ```
//! use std::time::Duration;
//! use machineid_client::{DeviceId, Gate};
//!
//! # test_support::machineid(async |client| {
//! // `client` is from `Client::from_env()`, which reads the key from `MACHINEID_ORG_KEY`.
//! let gate = Gate::new(&client, DeviceId::new("agent-01")?).register_on_start();
//!
//! // Once, before a piece of work:
//! let permit = gate.check().await?;
//! println!("allowed, request {:?}", permit.request_id());
//!
//! // During the work: checks now and every 30 seconds, and drops it on the first denial.
//! gate.supervise(Duration::from_secs(30), async { /* … */ }).await?;
//! # Ok(()) });
//! ```
//!
//! # Manage devices
//!
//! | for | methods |
//! |---|---|
//! | one device | [`register`](Api::register), [`validate`](Api::validate), [`revoke`](Api::revoke), [`unrevoke`](Api::unrevoke), [`remove`](Api::remove) |
//! | many devices | [`list_devices`](Api::list_devices), [`revoke_batch`](Api::revoke_batch), [`revoke_all_active`](Api::revoke_all_active), [`unrevoke_batch`](Api::unrevoke_batch), [`unrevoke_all_revoked`](Api::unrevoke_all_revoked) |
//! | the org | [`usage`](Api::usage), [`checkout`](Api::checkout), [`create_org`](Api::create_org) |
//! | anything else | [`send`](Api::send) |
//!
//! The module [`cookbook`] has recipes: retries, proxies, tenants, testing, shutting down,
//! observability. What the client is built of is in [`engine`].
//!
//! [`Client`] is asynchronous. `blocking::Client` (feature `blocking`) has the same methods for
//! programs without an async runtime. Both are an [`Api`], each over its own transport.
//!
//! # Errors
//!
//! A call that fails returns an [`Error`]; match on its [`kind`](Error::kind). A call is sent again
//! only if it cannot take effect twice ([`retry`] has the rules), and within the limits of
//! [`ClientOptions`].
//!
//! # Features
//!
//! - `rustls` (default): TLS by rustls, with the root certificates of the operating system.
//! - `native-tls`: TLS by the library of the operating system. Without this feature and `rustls`, only
//!   plain `http` works.
//! - `blocking`: the client and the gate for programs without an async runtime.
//! - `otel`: the trace of the current span is sent along (`traceparent`).
//! - `test-util`: for unit tests without a server: `Script` answers calls, and every reply and error
//!   can be created.
//! - `tower`: `GateLayer`, which checks before each request of a tower service.
//! - `axum`: `Denied` as a response.
//! - `decision-log`: `decision_log::DecisionLog`, a file to which a gate writes its decisions.
//!
//! # Platforms
//!
//! `wasm32` is not supported: in a browser, a client can neither refuse redirects nor limit the size
//! of a reply, does not know whether a request was sent, and its futures are not `Send`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod allow;
mod auth;
mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod decision;
mod decision_code;
#[cfg(feature = "decision-log")]
pub mod decision_log;
mod device;
mod device_id;
mod fields;
mod gate;
mod org;
mod plan;
mod refusal;
mod registration;

/// What the client is built of, for code that adds endpoints or serves both kinds of clients.
///
/// An endpoint is a [`Call`], which a [`Transport`] sends;
/// [`Api::send`] sends one that this crate does not know.
pub mod engine {
    pub use agent_client_core::{
        AndThen, Async, Call, Credential, Operation, Pending, Probe, ProbeResult, Scheme,
        Transport, operation,
    };
}

/// The HTTP method of a call, re-exported from `http`.
///
pub use agent_client_core::Method;
/// The types of [`engine`], so that programs can also name them without the module.
#[doc(hidden)]
pub use agent_client_core::{
    AndThen, Async, Call, Credential, Operation, Pending, Probe, ProbeResult, Scheme, Transport,
    operation,
};
pub use agent_client_core::{
    BaseUrl, CallOptions, CallOutcome, CallSummary, ClientOptions, Clock, Document, Error,
    ErrorKind, Extra, HttpPool, MockClock, Reply, Secret, SystemClock, Timestamp, reqwest, retry,
};
#[cfg(feature = "test-util")]
pub use agent_client_core::{Rule, Script, ScriptedRequest};
pub use allow::InvalidAllow;
pub use auth::OrgKey;
pub use batch::{BatchItem, BatchStatus, RevokeBatch, UnrevokeBatch, UnrevokeReason};
pub use client::{Api, Client, ClientBuilder, DEFAULT_BASE_URL};
pub use decision::Decision;
pub use decision_code::DecisionCode;
pub use device::{Device, DeviceChange, DeviceList, DeviceStatus};
pub use device_id::DeviceId;
#[cfg(feature = "tower")]
pub use gate::{ByDevice, GateLayer, GateService, SelectGate};
pub use gate::{Denied, Gate, Permit, PermitFacts, Reason};
pub use org::{Checkout, NewOrg};
pub use plan::{PlanFigures, PlanTier, Usage};
pub use registration::{Registration, RegistrationReply};
/// A token that tells work to stop, re-exported from `tokio-util`.
///
pub use tokio_util::sync::CancellationToken;

/// Recipes, each with an example that runs.
#[cfg(any(doc, doctest))]
pub mod cookbook {
    #[doc = include_str!("cookbook/retries.md")]
    pub mod retries {}
    #[doc = include_str!("cookbook/proxies.md")]
    pub mod proxies {}
    #[doc = include_str!("cookbook/tenants.md")]
    pub mod tenants {}
    #[cfg_attr(feature = "test-util", doc = include_str!("cookbook/testing.md"))]
    #[cfg_attr(
        not(feature = "test-util"),
        doc = "Testing a program: see the documentation with the feature `test-util`."
    )]
    pub mod testing {}
    #[doc = include_str!("cookbook/shutdown.md")]
    pub mod shutdown {}
    #[doc = include_str!("cookbook/observability.md")]
    pub mod observability {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
