//! Posting notifications to a receiver as the webhooks that the service would send.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use agent_client_core::reqwest::Url;
use agent_client_core::{Async, BaseUrl, Call, Transport, variable};
use clap::Args;
use machins_client::webhook::{SIGNATURE_HEADER, Signer};
use machins_client::{CallOptions, Document, Error, EventType, Notification, Secret, Timestamp};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::inbox_watch::about;
use super::webhook::VARIABLE;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{Output, to_stderr};
use crate::style::STRONG;
use crate::text::clean;
use crate::{input, json, random};

/// How long the service waits for the reply to a webhook.
const TIME_LIMIT: Duration = Duration::from_secs(10);

// Where some events are posted, and how all are signed. The flag `--forward-to` belongs to each command.
#[derive(Debug, Args)]
pub(super) struct ForwardFlags {
    /// Post events of this type to this URL instead; can be given several times
    #[arg(long = "map", value_name = "EVENT=URL", requires = "forward_to", value_parser = mapping)]
    maps: Vec<(EventType, Target)>,
    /// Read the secret that signs the events from stdin, or ask for it at a terminal [default:
    /// MACHINS_WEBHOOK_SECRET, or a new secret, which is shown on stderr]
    #[arg(long, requires = "forward_to")]
    secret_stdin: bool,
}

/// Parses EVENT=URL.
fn mapping(text: &str) -> Result<(EventType, Target), String> {
    let (event, url) =
        text.split_once('=').ok_or("write it like trade_proposed=http://localhost:3000/trades")?;
    let event = EventType::from(event);
    if matches!(event, EventType::Unknown(_)) {
        return Err(format!("no such event; the events are {}", EventType::WORDS.join(", ")));
    }
    Ok((event, Target::parse(url)?))
}

/// The URL of a receiver.
#[derive(Clone, Debug)]
pub(super) struct Target {
    origin: BaseUrl,
    path: String,
    query: Vec<(String, String)>,
}

impl Target {
    /// Parses a URL; without a scheme it is `http`, and a port alone is one of this machine.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let host = text.split('/').next().unwrap_or_default();
        let url = match () {
            () if text.contains("://") => text.to_owned(),
            () if host.parse::<u16>().is_ok() => format!("http://localhost:{text}"),
            () => format!("http://{text}"),
        };
        let url = Url::parse(&url).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("it must start with http:// or https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must not contain a user name or password".to_owned());
        }
        let origin = BaseUrl::parse_insecure(&url.origin().ascii_serialization());
        Ok(Self {
            origin: origin.map_err(|error| error.to_string())?,
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
        })
    }
}

/// The URL without its query, which may contain a token.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl ForwardFlags {
    /// Prepares posting. If there is no secret, one is made and shown.
    pub(super) fn forwarder(
        self,
        context: &Context,
        forward_to: Target,
    ) -> Result<Forwarder, Failure> {
        let mut maps: Vec<(EventType, Receiver)> = Vec::new();
        for (event, target) in self.maps {
            if maps.iter().any(|(mapped, _)| *mapped == event) {
                return Err(Failure::usage(format!("--map gives two URLs to {event}")));
            }
            maps.push((event, Receiver::new(target, context)?));
        }
        let secret = secret(context.out, self.secret_stdin)?;
        Ok(Forwarder {
            signer: Signer::new(&secret)?,
            subscription_id: random::uuid()?.to_string(),
            default: Receiver::new(forward_to, context)?,
            maps,
        })
    }
}

/// The secret of stdin or the environment, or a new one.
fn secret(out: Output, from_stdin: bool) -> Result<Secret, Failure> {
    if from_stdin {
        return input::secret("webhook secret");
    }
    let given = variable(VARIABLE).map_err(|error| Failure::usage(error.message().to_owned()))?;
    if let Some(secret) = given {
        return Ok(Secret::new(secret));
    }
    let secret = format!("whsec_{}", random::hex()?);
    // With --quiet, too: without it the receiver cannot verify anything.
    if out.is_json() {
        to_stderr(&format!("{}\n", json::line(&json!({"webhook_secret": secret}))?));
    } else {
        to_stderr(&format!(
            "Webhook secret of this run: {STRONG}{secret}{STRONG:#} (yours: --secret-stdin or {VARIABLE})\n"
        ));
    }
    Ok(Secret::new(secret))
}

/// Posts notifications as signed webhooks.
pub(super) struct Forwarder {
    signer: Signer,
    /// Stands in for the id of a subscription, of which there is none.
    subscription_id: String,
    default: Receiver,
    maps: Vec<(EventType, Receiver)>,
}

struct Receiver {
    url: String,
    target: Target,
    transport: Async,
}

impl Receiver {
    fn new(target: Target, context: &Context) -> Result<Self, Failure> {
        let limit = context.timeout().unwrap_or(TIME_LIMIT);
        let options = context.options().timeout(limit).attempt_timeout(limit);
        let transport = Async::new(target.origin.clone(), Vec::new(), options)?;
        Ok(Self { url: target.to_string(), target, transport })
    }
}

/// The body of a webhook.
#[derive(Serialize)]
struct Body<'a> {
    event: &'a EventType,
    subscription_id: &'a str,
    data: &'a Document,
}

/// Why a receiver has not taken an event.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// It answered with this status, which is not below 300.
    Refused(u16),
    /// It did not answer.
    NoAnswer(Error),
}

impl NotTaken {
    /// What happened, without advice.
    pub(super) fn describe(&self, url: &str) -> String {
        match self {
            Self::Refused(status) => format!("{url} answered {status}"),
            Self::NoAnswer(error) => match error.source() {
                Some(source) => format!("{}: {source}", error.message()),
                None => error.message().to_owned(),
            },
        }
    }
}

impl Forwarder {
    fn receiver(&self, event: &EventType) -> &Receiver {
        let mapped = self.maps.iter().find(|(mapped, _)| mapped == event);
        mapped.map_or(&self.default, |(_, receiver)| receiver)
    }

    /// The URL that events are posted to which are not mapped to another.
    pub(super) fn default_url(&self) -> &str {
        &self.default.url
    }

    /// The URL that events of this type are posted to.
    pub(super) fn url(&self, event: &EventType) -> &str {
        &self.receiver(event).url
    }

    /// Posts a notification once, and returns the status if it is below 300.
    pub(super) async fn post(&self, notification: &Notification) -> Result<u16, NotTaken> {
        let Receiver { target, transport, .. } = self.receiver(&notification.event_type);
        let call = self.call(notification, target);
        let (call, signature) = call.map_err(NotTaken::NoAnswer)?;
        let options = CallOptions::new().header(SIGNATURE_HEADER, &signature);
        match transport.with(options).send(call).await {
            Ok(status) if status < 300 => Ok(status),
            Ok(status) => Err(NotTaken::Refused(status)),
            Err(error) => Err(NotTaken::NoAnswer(error)),
        }
    }

    /// The request for a notification, and the signature of its body.
    fn call(
        &self,
        notification: &Notification,
        target: &Target,
    ) -> Result<(Call<u16>, String), Error> {
        let body = Body {
            event: &notification.event_type,
            subscription_id: &self.subscription_id,
            data: &notification.payload,
        };
        // Written once, so that what is signed is what is sent.
        let body = serde_json::to_string(&body).and_then(RawValue::from_string);
        let body = body.map_err(|error| {
            let what = "the event cannot be written as JSON";
            Error::new(machins_client::ErrorKind::InvalidInput, what).with_source(error)
        })?;
        let signature = self.signer.sign(body.get().as_bytes());
        let call = Call::post(target.path.clone())
            .query(&target.query)
            .body(&body)
            .idempotent()
            .single_attempt()
            .ignore_pause()
            .decode(|reply| Ok(reply.status()));
        Ok((call, signature))
    }
}

/// An event that a receiver has taken, in the words of the API.
#[derive(Serialize)]
pub(super) struct ForwardedEvent<'a> {
    id: &'a str,
    event_type: &'a EventType,
    payload: &'a Document,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<&'a Timestamp>,
    url: &'a str,
    status: u16,
    /// The number of posts that it took.
    attempts: u32,
}

impl<'a> ForwardedEvent<'a> {
    pub(super) fn new(
        notification: &'a Notification,
        url: &'a str,
        status: u16,
        attempts: u32,
    ) -> Self {
        Self {
            id: notification.id.as_str(),
            event_type: &notification.event_type,
            payload: &notification.payload,
            created_at: notification.created_at.as_ref(),
            url,
            status,
            attempts,
        }
    }

    /// The line for people.
    pub(super) fn line(&self) -> String {
        let event = clean(self.event_type.as_str());
        let about = about(self.payload);
        let about = if about.is_empty() { about } else { format!("  {}", clean(&about)) };
        format!("{STRONG}{event}{STRONG:#}{about}  → {}  {}", clean(self.url), self.status)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whole("http://127.0.0.1:3000/hook/", "http://127.0.0.1:3000/hook/")]
    #[case::https("https://hooks.example/a%20b", "https://hooks.example/a%20b")]
    #[case::root("http://localhost:3000", "http://localhost:3000/")]
    #[case::host_and_port("localhost:3000/hook", "http://localhost:3000/hook")]
    #[case::port("3000/hook", "http://localhost:3000/hook")]
    #[case::query("http://a.example/hook?token=x", "http://a.example/hook")]
    fn a_url_is_shown_without_its_query(#[case] given: &str, #[case] shown: &str) {
        assert_eq!(Target::parse(given).unwrap().to_string(), shown);
    }

    #[test]
    fn a_line_has_only_printable_text() {
        let harm = "\u{1b}[2J\u{202e}\nforged";
        let notification = json!({"id": harm, "event_type": harm, "payload": {"trade_id": harm}});
        let notification: Notification = serde_json::from_value(notification).unwrap();
        let line = ForwardedEvent::new(&notification, "http://localhost/", 200, 1).line();
        let plain = line.replace(&STRONG.render().to_string(), "");
        let plain = plain.replace(&STRONG.render_reset().to_string(), "");
        assert!(!plain.contains(char::is_control) && !plain.contains('\u{202e}'), "{line:?}");
    }

    #[rstest]
    #[case::another_scheme("ftp://localhost/")]
    #[case::password("http://user:password@localhost/")]
    #[case::no_host("http://")]
    #[case::nothing("")]
    fn other_urls_are_refused(#[case] given: &str) {
        assert!(Target::parse(given).is_err());
    }
}
