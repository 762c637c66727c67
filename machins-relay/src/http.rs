//! Posting events to a receiver.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use machins_client::webhook::{SIGNATURE_HEADER, Signer};
use machins_client::{AgentId, CancellationToken, Secret};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::Semaphore;

use crate::cloud_event::CloudEvent;
use crate::error::{RelayError, chain};
use crate::notice::{Interruption, Notice, OnNotice};
use crate::sink::{CONCURRENCY, NotStored, Sink, to_json};
use crate::subject::message_id;
use crate::waits::Waits;

/// The media type of an event with its attributes: the structured mode of CloudEvents over HTTP.
const CLOUD_EVENT: &str = "application/cloudevents+json";
/// What the binary mode writes as `%` and two digits, besides all that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
/// How long connecting to the receiver may take, and one post with its reply.
const CONNECT_TIME: Duration = Duration::from_secs(5);
const POST_TIME: Duration = Duration::from_secs(30);
/// The first and the longest wait before an event that was refused is posted again.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// The number of refused events, at most, that give their places to others. The inbox holds them.
const MOST_REFUSED: usize = 1_000;
/// How long one of them counts after its last answer. One that is still in the inbox is posted again before;
/// another may have been acknowledged by somebody else.
const COUNTS_FOR: Duration = Duration::from_mins(5);
/// How much of a reply is read, so that its connection can be used again.
const MAX_REPLY: usize = 64 * 1024;

/// A receiver of events over HTTP, and the secret that signs them.
///
/// Each event is posted as [CloudEvents](https://cloudevents.io) 1.0: in the structured mode, with the
/// media type `application/cloudevents+json`, or in the [`binary`](Self::binary) one. If there is a
/// secret, the header `X-Machins-Signature` has the HMAC-SHA256 of the body, as webhooks of the service
/// have it.
///
/// ```
/// use machins_client::Secret;
/// use machins_relay::HttpReceiver;
///
/// let receiver = HttpReceiver::new("https://hooks.example/events")?
///     .secret(&Secret::new("whsec-0123456789"))?;
/// # Ok::<(), machins_relay::RelayError>(())
/// ```
#[derive(Clone)]
pub struct HttpReceiver {
    url: Url,
    client: Client,
    signer: Option<Signer>,
    is_binary: bool,
}

impl HttpReceiver {
    /// Describes the receiver at this address. Redirects are not followed.
    ///
    /// # Errors
    /// Returns [`RelayError::Receiver`] if that is not an `https` URL, or an `http` one of this machine,
    /// or if it contains a user or password.
    pub fn new(url: &str) -> Result<Self, RelayError> {
        let receiver = Self::insecure(url)?;
        if receiver.url.scheme() == "https" || is_loopback(&receiver.url) {
            return Ok(receiver);
        }
        let reason = "plain http to another machine would expose the events".to_owned();
        Err(RelayError::Receiver(reason))
    }

    /// Describes the receiver at this address like [`new`](Self::new), but allows plain `http` to any
    /// host.
    ///
    /// # Errors
    /// Returns [`RelayError::Receiver`] if that is not an `http` or `https` URL, or if it contains a
    /// user or password.
    pub fn insecure(url: &str) -> Result<Self, RelayError> {
        let invalid = |reason: &dyn fmt::Display| RelayError::Receiver(reason.to_string());
        let url = Url::parse(url).map_err(|error| invalid(&error))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid(&"it must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(&"it must not contain a user name or password"));
        }
        let client = Client::builder()
            .user_agent(concat!("machins-relay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .timeout(POST_TIME)
            .redirect(Policy::none())
            .referer(false);
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| invalid(&chain(&error)))?;
        Ok(Self { url, client, signer: None, is_binary: false })
    }

    /// Sets the secret that signs each post.
    ///
    /// # Errors
    /// Returns [`RelayError::Receiver`] if the secret is empty.
    pub fn secret(mut self, secret: &Secret) -> Result<Self, RelayError> {
        let signer = Signer::new(secret);
        self.signer = Some(signer.map_err(|error| RelayError::Receiver(error.to_string()))?);
        Ok(self)
    }

    /// Posts each event in the binary mode of CloudEvents: the body is the payload as the service sent
    /// it, and the attributes are headers, from `ce-id` to `ce-type`. A signature covers the body alone.
    #[must_use]
    pub fn binary(mut self) -> Self {
        self.is_binary = true;
        self
    }

    /// Returns the headers and the body of an event.
    fn message(&self, event: &CloudEvent) -> Result<(HeaderMap, String), NotStored> {
        let mut headers = HeaderMap::new();
        let body = if self.is_binary {
            headers.insert(CONTENT_TYPE, value(&event.datacontenttype)?);
            for (name, text) in event.attributes() {
                let name = HeaderName::from_bytes(format!("ce-{name}").as_bytes());
                let name = name.map_err(|error| NotStored::Kept(error.to_string()))?;
                headers.insert(name, value(text)?);
            }
            event.data.as_json().to_owned()
        } else {
            headers.insert(CONTENT_TYPE, value(CLOUD_EVENT)?);
            to_json(event)?
        };
        if let Some(signer) = &self.signer {
            headers.insert(SIGNATURE_HEADER, value(&signer.sign(body.as_bytes()))?);
        }
        Ok((headers, body))
    }

    /// Posts an event once. Returns the status, or why there was no reply.
    async fn post(&self, headers: HeaderMap, body: String) -> Result<StatusCode, String> {
        let sent = self.client.post(self.url.clone()).headers(headers).body(body).send().await;
        // The query may hold a token.
        let mut reply = sent.map_err(|error| chain(&error.without_url()))?;
        let (status, mut read) = (reply.status(), 0);
        while let Ok(Some(part)) = reply.chunk().await {
            read += part.len();
            if read > MAX_REPLY {
                break;
            }
        }
        Ok(status)
    }
}

/// Returns text as a header has it.
fn value(text: &str) -> Result<HeaderValue, NotStored> {
    HeaderValue::try_from(utf8_percent_encode(text, ENCODED).to_string())
        .map_err(|error| NotStored::Kept(error.to_string()))
}

/// Whether an address is on this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_name = host == "localhost" || host.ends_with(".localhost");
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    is_name || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The address without its query, which may contain a token.
impl fmt::Display for HttpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }
}

impl fmt::Debug for HttpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReceiver").field("url", &self.to_string()).finish_non_exhaustive()
    }
}

/// Posts to a receiver, of which the first failure is reported, and the first success after it.
pub(crate) struct Posts<'a> {
    receiver: &'a HttpReceiver,
    on_notice: OnNotice,
    interruption: Interruption,
    /// One for each post under way, as [`Nats`](crate::nats::Nats) has them.
    slots: Semaphore,
    refusals: Mutex<Refusals>,
}

impl<'a> Posts<'a> {
    pub(crate) fn new(receiver: &'a HttpReceiver, on_notice: OnNotice) -> Self {
        let interruption = Interruption::new(Arc::clone(&on_notice));
        let (slots, refusals) = (Semaphore::new(CONCURRENCY), Mutex::default());
        Self { receiver, on_notice, interruption, slots, refusals }
    }

    /// Reports an answer that refuses an event, unless the one before was the same. Returns it in words,
    /// and whether the event may give its place to another until it is posted again.
    fn refuse(
        &self,
        agent: &AgentId,
        event: &CloudEvent,
        status: StatusCode,
        before: Option<StatusCode>,
    ) -> (String, bool) {
        let (id, event_type) = (&event.id, event.event_type());
        let reason = format!("{} answered {} to {event_type} {id}", self.receiver, status.as_u16());
        let key = message_id(agent, id);
        let (known, has_room) = self.refusals().add(key, status, Instant::now());
        if known.or(before) != Some(status) {
            (self.on_notice)(&Notice::NotTaken(agent.clone(), reason.clone()));
        }
        (reason, has_room)
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The latest answers to the events that were refused and not taken since, and their times.
#[derive(Default)]
struct Refusals(HashMap<String, (StatusCode, Instant)>);

impl Refusals {
    /// Records an answer. Returns the one before, and whether the event may give its place to another
    /// until it is posted again.
    fn add(&mut self, key: String, status: StatusCode, now: Instant) -> (Option<StatusCode>, bool) {
        if self.0.len() >= MOST_REFUSED {
            self.0.retain(|_, (_, time)| now.duration_since(*time) < COUNTS_FOR);
        }
        let before = self.0.get(&key).map(|(status, _)| *status);
        let has_room = before.is_some() || self.0.len() < MOST_REFUSED;
        if has_room {
            self.0.insert(key, (status, now));
        }
        (before, has_room)
    }
}

impl Sink for Posts<'_> {
    async fn store(
        &self,
        agent: &AgentId,
        event: &CloudEvent,
        stop: &CancellationToken,
    ) -> Result<(), NotStored> {
        let (headers, body) = self.receiver.message(event)?;
        let (mut waits, mut refused) = (Waits::new(), None);
        loop {
            let result = {
                // It is never closed.
                let _slot = self.slots.acquire().await;
                self.receiver.post(headers.clone(), body.clone()).await
            };
            match result {
                Ok(status) if status.is_success() => {
                    self.interruption.end();
                    self.refusals().0.remove(&message_id(agent, &event.id));
                    return Ok(());
                }
                Ok(status)
                    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS =>
                {
                    let receiver = self.receiver;
                    self.interruption.begin(|| format!("{receiver} answered {}", status.as_u16()));
                }
                // It is about this event. Others may be taken.
                Ok(status) => {
                    self.interruption.end();
                    let (reason, may_wait) = self.refuse(agent, event, status, refused);
                    if may_wait {
                        return Err(NotStored::Refused(reason));
                    }
                    refused = Some(status);
                }
                Err(reason) => self.interruption.begin(|| format!("{}: {reason}", self.receiver)),
            }
            if !waits.wait(stop).await {
                return Err(NotStored::Stopped);
            }
        }
    }

    fn retry_waits(&self) -> Option<(Duration, Duration)> {
        Some(RETRY_WAITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_number_of_refused_events_gives_way() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let mut refuse =
            |number: usize, now| refusals.add(number.to_string(), StatusCode::GONE, now);
        assert!((0..MOST_REFUSED).all(|number| refuse(number, start) == (None, true)));
        assert_eq!(refuse(MOST_REFUSED, start), (None, false), "it stays in its place");
        let again = (Some(StatusCode::GONE), true);
        assert_eq!(refuse(0, start), again, "one that has given way may do so again");
        let later = start + COUNTS_FOR;
        assert_eq!(refuse(MOST_REFUSED, later), (None, true), "others have acknowledged the rest");
    }
}
