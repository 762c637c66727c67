//! Webhooks as a source of events.

use std::net::SocketAddr;
use std::time::Duration;

use agent_client_core::variable;
use clap::{Args, ValueEnum};
use machins_client::Secret;
use machins_relay::{Relay, Webhooks};
use tokio::net::TcpListener;

use crate::cmd::webhook::VARIABLE;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// The waits between two looks at the inbox if webhooks say when to look: the longest one is for those
/// that got lost.
const RARE_LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceKind {
    /// Look at the inbox from time to time
    Inbox,
    /// Receive webhooks, and look at the inbox when one comes, or after five minutes
    Webhook,
}

// The sources of a relay.
#[derive(Debug, Args)]
pub(super) struct SourceFlags {
    /// Where the events come from; both can be given [default: inbox, with --listen both]
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    from: Vec<SourceKind>,
    /// Address and port at which webhooks are received, for example 127.0.0.1:8092
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Read the secret that signs the webhooks from stdin, or ask for it at a terminal [default:
    /// MACHINS_WEBHOOK_SECRET]
    #[arg(long, requires = "listen")]
    secret_stdin: bool,
    /// Time between two looks at an empty inbox [default: 1, growing to 30 while nothing arrives, or
    /// to 300 if it comes from webhooks alone]
    #[arg(long, value_name = "SECONDS", value_parser = crate::flags::positive_seconds)]
    interval: Option<Duration>,
}

impl SourceFlags {
    /// Checks that the flags fit together, and returns the secret of the webhooks if there are any.
    pub(super) fn secret(&self) -> Result<Option<Secret>, Failure> {
        let receives = self.from.contains(&SourceKind::Webhook);
        match self.listen {
            None if receives => Err(Failure::usage("webhooks need an address to arrive at")
                .hint("for example --listen 127.0.0.1:8092")),
            Some(_) if !receives && !self.from.is_empty() => {
                Err(Failure::usage("--listen is for webhooks").hint("add --from webhook"))
            }
            None => Ok(None),
            Some(_) if self.secret_stdin => input::secret("webhook secret").map(Some),
            Some(_) => {
                let secret = variable(VARIABLE);
                let secret = secret.map_err(|error| Failure::usage(error.message().to_owned()))?;
                let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(|| {
                    let what = "webhooks are received only with the secret of their subscription";
                    Failure::usage(what).hint(format!("set {VARIABLE}, or give --secret-stdin"))
                })?;
                Ok(Some(Secret::new(secret)))
            }
        }
    }

    /// Has a relay read these sources.
    pub(super) async fn add_to(
        &self,
        relay: Relay,
        secret: Option<&Secret>,
        out: Output,
    ) -> Result<Relay, Failure> {
        let relay = match self.interval {
            Some(interval) => relay.every(interval, interval),
            None if self.from == [SourceKind::Webhook] => relay.every(RARE_LOOKS.0, RARE_LOOKS.1),
            None => relay,
        };
        let (Some(address), Some(secret)) = (self.listen, secret) else { return Ok(relay) };
        let could_not = |error| Failure::local(format!("could not listen at {address}"), error);
        let listener = TcpListener::bind(address).await.map_err(could_not)?;
        let bound = listener.local_addr().map_err(could_not)?;
        let webhooks = Webhooks::new(listener, secret)?;
        out.note(&format!("Receiving webhooks at http://{bound}/"));
        Ok(relay.webhooks(webhooks))
    }
}
