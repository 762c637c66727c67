//! MachineID answers one question before work starts: may this device run?
//!
//! This crate asks it, and **fails closed**: no answer, a wrong answer and an unreadable answer
//! all deny.
//!
//! # Gate work on a device
//!
//! [`Gate`] is what most programs need. [`Gate::check`] gives a [`Permit`], which cannot be had
//! any other way, or [`Denied`], which says why.
//!
//! ```
//! use machineid_client::{Client, DeviceId, Gate};
//! use std::time::Duration;
//!
//! /// With a client from `Client::from_env()`, which takes the key from `MACHINEID_ORG_KEY`.
//! async fn work(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
//!     let gate = Gate::new(client, DeviceId::new("agent-01")?).register_on_start();
//!
//!     // Once, before a piece of work:
//!     let permit = gate.check().await?;
//!     println!("allowed, request {:?}", permit.request_id());
//!
//!     // All along: checked first and every 30 seconds, dropped on the first denial.
//!     gate.supervise(Duration::from_secs(30), async { /* … */ }).await?;
//!     Ok(())
//! }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = machins_mock::MockServer::start().await;
//! # let org = server.create_org(machins_mock::Plan::Free);
//! # let client = Client::builder()
//! #     .org_key(machineid_client::OrgKey::new(org.key())?)
//! #     .base_url(server.machineid_base_url())
//! #     .build()?;
//! # work(&client).await }
//! ```
//!
//! # Manage a fleet
//!
//! [`Client`] has every endpoint of the API: [`register`](Api::register),
//! [`validate`](Api::validate), [`list_devices`](Api::list_devices), [`revoke`](Api::revoke),
//! [`unrevoke`](Api::unrevoke), the batches, [`remove`](Api::remove), [`usage`](Api::usage),
//! [`checkout`](Api::checkout) and [`create_org`](Api::create_org). `blocking::Client` has the
//! same methods for programs without a runtime; both are [`Api`], written once.
//!
//! # Errors
//!
//! Every call returns [`Error`], whose [`kind`](Error::kind) is made to be matched. Calls are
//! retried by rules that are described in [`retry`], within the limits of [`ClientOptions`].
//!
//! # Features
//!
//! `rustls` (default): TLS with the roots of the operating system; without it only plain `http`
//! to this machine works. `blocking`: clients and gates without a runtime. `tower`: a layer that
//! checks before each request.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod decision;
mod device;
mod device_id;
mod fields;
mod gate;
mod org;
mod plan;
mod registration;

pub use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Clock, Credential, Error, ErrorKind, Extra, Method,
    MockClock, Pending, Probe, ProbeResult, Reply, Scheme, Secret, SystemClock, Timestamp,
    Transport, retry,
};
pub use auth::OrgKey;
pub use batch::{BatchItem, BatchStatus, RevokeBatch, UnrevokeBatch, UnrevokeReason};
pub use client::{Api, Client, ClientBuilder, DEFAULT_BASE_URL};
pub use decision::{Decision, DecisionCode};
pub use device::{Device, DeviceChange, DeviceList, DeviceStatus};
pub use device_id::DeviceId;
pub use gate::{Denied, Gate, Permit, Reason};
#[cfg(feature = "tower")]
pub use gate::{GateLayer, GateService};
pub use org::{Checkout, NewOrg};
pub use plan::{PlanFigures, PlanTier, Usage};
pub use registration::{Registration, RegistrationReply};
pub use tokio_util::sync::CancellationToken;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
