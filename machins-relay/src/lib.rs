//! Passes the events of agents' inboxes on: to NATS JetStream, where any number of workers can
//! share them, or to any writer.
//!
//! A [`Relay`] reads the inbox of a machins agent, turns each notification into a [`CloudEvent`], and
//! acknowledges it only after it was stored.
//!
//! - Each event is in the stream once, whatever is killed and however many replicas run: JetStream
//!   recognizes its message id, for 24 hours by default.
//! - Events about the same trade are stored in the order of the inbox, one after the other.
//! - A NATS that is absent, slow or full slows the reading: at most 64 events are being stored, and
//!   at most 1,000 are read ahead.
//!
//! ```
//! use machins_client::CancellationToken;
//! use machins_relay::{EventStream, NatsConnection, Relay};
//!
//! # test_support::machins(async |test_support::Marketplace { seller: client, .. }| {
//! # let Some(server) = test_support::NatsServer::start(&[]) else { return Ok(()) };
//! # let address = server.url(); // nats://127.0.0.1:4222
//! let stop = CancellationToken::new();
//! let agent = client.get_wallet().await?.agent_id.ok_or("the wallet names no agent")?;
//! let relay = Relay::new()
//!     .agent(&client, agent)
//!     .stop(stop.clone())
//!     .on_notice(|notice| eprintln!("{notice}"));
//! # stop.cancel();
//! relay.to_nats(&NatsConnection::new(&address)?, &EventStream::new("EVENTS")?).await?;
//! # Ok(()) });
//! ```
//!
//! A [`Worker`] is on the other side: one of a group that share the events of the stream. [`Effects`]
//! remembers what they have led to. A [`NatsStore`] makes it safe to buy from several machines: one
//! purchase for a key, and one budget.
//!
//! # Subjects
//!
//! An event's subject is `machins.AGENT.EVENT.PARTITION`: the agent's id, the service's type of the
//! event, and a number from 0. In the first two, ASCII letters, digits, `-` and `_` are written as
//! they are, and every other byte as `%` and two hexadecimal digits; a text that would be longer than
//! 128 characters, or empty, as `~` and its SHA-256. The partition is the CRC-32 of the trade's id
//! (that of zlib), modulo the number of partitions. For an event about no trade, the notification's
//! id takes its place. So all events of a trade are in the same partition.
//!
//! The header `Nats-Msg-Id` is `AGENT.NOTIFICATION`, the ids written in the same way.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod cloud_event;
mod connection;
mod dead_letters;
mod error;
mod http;
mod kv;
mod lease;
mod messages;
mod nats;
mod notice;
mod relay;
mod replay;
mod replica;
mod setup;
mod share;
mod sink;
mod source;
mod status;
mod store;
mod stream;
mod stream_admin;
mod subject;
mod waits;
mod webhooks;
mod worker;
mod writer;

pub use apply::Difference;
pub use cloud_event::CloudEvent;
pub use connection::NatsConnection;
pub use dead_letters::DeadLetter;
pub use error::RelayError;
pub use http::HttpReceiver;
pub use notice::Notice;
pub use relay::Relay;
pub use setup::RelaySetup;
pub use status::{ConsumerStatus, LeaseStatus, StreamStatus};
pub use store::NatsStore;
pub use stream::EventStream;
pub use stream_admin::StreamAdmin;
pub use webhooks::Webhooks;
pub use worker::effects::{Effect, Effects};
pub use worker::received::{Handled, ReceivedEvent};
pub use worker::{Worker, WorkerNotice};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
