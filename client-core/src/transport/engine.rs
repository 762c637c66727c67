//! Runs the retry machine around the wire.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::runtime::Handle;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, debug_span};

use super::wire::Wire;
use crate::base_url::BaseUrl;
use crate::call::{Call, Decode, Probe, ProbeResult, Request};
use crate::clock::Clock;
use crate::credential::{Credential, Secret};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::options::ClientOptions;
use crate::reply::Reply;
use crate::retry::{
    Budget, Idempotency, Outcome, Policy, RetryState, Step, classify, shared_pause,
};

const REDACTED: &str = "[REDACTED]";
/// How many calls a recovery may make before the fate counts as unknown.
const MOST_LOOKS: u32 = 50;

/// What all clones of a client share.
pub(super) struct Engine {
    wire: Wire,
    credentials: Vec<Credential>,
    options: ClientOptions,
    budget: Mutex<Budget>,
    paused_until: Mutex<Option<Instant>>,
}

/// Why the sending of a request ended without a reply to hand on.
enum SendError {
    Failed(Error),
    /// It may have taken effect, and the call knows how to find out.
    InDoubt(Error),
}

impl Engine {
    pub(super) fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self {
            wire: Wire::new(base_url, &options)?,
            credentials,
            options,
            budget: Mutex::default(),
            paused_until: Mutex::default(),
        })
    }

    pub(super) fn base_url(&self) -> &BaseUrl {
        self.wire.base_url()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    /// Makes the call: sends, waits, looks and sends again as the retry machine says.
    pub(super) async fn run<R>(self: Arc<Self>, call: Call<R>) -> Result<R, Error> {
        // Without this, the HTTP library would panic.
        if Handle::try_current().is_err() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "an asynchronous call must be awaited inside a tokio runtime",
            ));
        }
        let start = self.clock().now();
        let Call { request, decode, recovery } = call;
        let request = request?.complete()?;
        let mut trip = Attempts::new(&self, &request, recovery.is_some(), start);
        let span = trip.span.clone();
        let run = async {
            let mut doubted = false;
            loop {
                let (error, is_doubt) = match trip.resolve(&decode).await {
                    Ok(reply) => return Ok(reply),
                    Err(SendError::InDoubt(error)) => (error, true),
                    // A refusal after a doubt may be about an attempt that arrived late.
                    Err(SendError::Failed(error)) => (error, false),
                };
                let recovery = recovery.as_ref().filter(|_| is_doubt || doubted);
                let Some(recovery) = recovery else { return Err(error) };
                doubted = true;
                let look = self.look(start, recovery(&error), &request.secrets);
                // Boxed, because most calls need none, and each would carry the room for it.
                match Box::pin(look).await {
                    Ok(ProbeResult::Done(reply)) => return Ok(reply),
                    Ok(ProbeResult::Failed(reason)) if is_doubt => return Err(reason),
                    Ok(ProbeResult::Absent) if is_doubt && trip.may_send_again() => {}
                    Ok(ProbeResult::Absent | ProbeResult::Failed(_))
                        if !is_doubt && is_refusal(&error) =>
                    {
                        return Err(error);
                    }
                    // Not there yet is not never: the last attempt may still be on its way.
                    _ => return Err(error.into_outcome_unknown(request.unknown_hint)),
                }
            }
        };
        named(&request, run.instrument(span).await)
    }

    /// Follows a recovery's looks to a verdict. `secrets` are those of the call that is looked for.
    async fn look<R>(
        &self,
        start: Instant,
        mut look: Probe<R>,
        secrets: &[Secret],
    ) -> Result<ProbeResult<R>, Error> {
        for _ in 0..MOST_LOOKS {
            let Probe { request, judge } = look;
            let mut request = request?.complete()?;
            request.secrets.extend_from_slice(secrets);
            let mut trip = Attempts::new(self, &request, false, start);
            let span = trip.span.clone();
            let found = trip.resolve(&judge).instrument(span).await;
            let found =
                found.map_err(|(SendError::Failed(error) | SendError::InDoubt(error))| error);
            match named(&request, found)? {
                ProbeResult::Next(next) => look = next,
                verdict => return Ok(verdict),
            }
        }
        Ok(ProbeResult::Unknown)
    }

    fn credential(&self, request: &Request) -> Result<Option<&Credential>, Error> {
        let Some(scheme) = request.scheme else {
            return Ok(None);
        };
        let found =
            self.credentials.iter().find(|credential| std::ptr::eq(credential.scheme, scheme));
        match found {
            Some(credential) => Ok(Some(credential)),
            None => Err(Error::new(
                ErrorKind::MissingCredential,
                format!("this call needs the {}; {}", scheme.name, scheme.missing),
            )),
        }
    }

    /// The client's own keys.
    fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.credentials.iter().map(|credential| &credential.secret)
    }

    fn pause_left(&self) -> Duration {
        let end = *lock(&self.paused_until);
        end.map_or(Duration::ZERO, |end| end.saturating_duration_since(self.clock().now()))
    }

    fn pause_all(&self, retry_after: Option<Duration>) {
        let end = self.clock().now() + shared_pause(retry_after);
        let mut paused_until = lock(&self.paused_until);
        *paused_until = Some(paused_until.map_or(end, |earlier| earlier.max(end)));
    }
}

/// One request's way to its reply.
struct Attempts<'a> {
    engine: &'a Engine,
    request: &'a Request,
    course: RetryState,
    start: Instant,
    span: Span,
    /// What broke an earlier attempt that may have taken effect.
    doubt: Option<Error>,
}

impl<'a> Attempts<'a> {
    fn new(engine: &'a Engine, request: &'a Request, recoverable: bool, start: Instant) -> Self {
        let safety = match (request.idempotent, recoverable) {
            (true, _) => Idempotency::Idempotent,
            (false, true) => Idempotency::Recoverable,
            (false, false) => Idempotency::NonIdempotent,
        };
        let mut policy: Policy = engine.options.retry.clone();
        if request.single_attempt {
            policy.max_attempts = 1;
        }
        let span = debug_span!(
            "call",
            method = %request.method,
            path = %request.template,
            status = Empty,
            attempt = Empty,
            request_id = Empty,
        );
        Self { engine, request, course: RetryState::new(policy, safety), start, span, doubt: None }
    }

    /// Sends until there is a reply that stands and can be read.
    async fn resolve<R>(&mut self, decode: &Decode<R>) -> Result<R, SendError> {
        loop {
            let reply = self.deliver().await?;
            let error = match decode(&reply) {
                Ok(value) => return Ok(value),
                Err(error) => error.map_texts(|text| self.redact(text)),
            };
            if !reply.is_success() || error.kind() != ErrorKind::UnreadableReply {
                return Err(self.failed(error));
            }
            if let Some(ending) = self.follow(Outcome::Unclear, error).await {
                return Err(ending);
            }
        }
    }

    /// Sends until there is a reply that stands.
    async fn deliver(&mut self) -> Result<Reply, SendError> {
        let credential = self.engine.credential(self.request).map_err(SendError::Failed)?;
        loop {
            let limit = match self.begin().await {
                Ok(limit) => limit,
                Err(error) => return Err(SendError::Failed(self.doubt.take().unwrap_or(error))),
            };
            self.span.record("attempt", self.course.attempts());
            let exchanged = self.engine.wire.exchange(self.request, credential, limit).await;
            let (step, error) = match exchanged {
                Ok(reply) => {
                    let reply = self.received(reply);
                    match self.step(classify(reply.status, reply.retry_after)) {
                        Step::Finish => return Ok(reply),
                        step => (step, reply.error().map_texts(|text| self.redact(text))),
                    }
                }
                Err(error) => (self.step(outcome_of(&error)), error),
            };
            if let Some(ending) = self.take(step, error).await {
                return Err(ending);
            }
        }
    }

    /// Takes the keys out of a reply, and notes what it says of the exchange.
    fn received(&self, mut reply: Reply) -> Reply {
        reply.repeated = self.course.is_doubtful();
        // A success may well hold a text that happens to be a password; never one's own key.
        let sent = if reply.is_success() { &[] } else { self.request.secrets.as_slice() };
        reply.body = self.engine.keys().chain(sent).fold(reply.body, without);
        reply.header_request_id = reply.header_request_id.map(|id| self.redact(&id));
        self.span.record("status", reply.status);
        if !self.span.is_disabled()
            && let Some(request_id) = reply.request_id()
        {
            self.span.record("request_id", self.redact(&request_id));
        }
        if reply.is_success() {
            lock(&self.engine.budget).deposit();
        }
        reply
    }

    /// Takes keys and the call's own secrets out of a text: a server may repeat them.
    fn redact(&self, text: &str) -> String {
        self.engine
            .keys()
            .chain(&self.request.secrets)
            .filter(|secret| !secret.expose().is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose(), REDACTED))
    }

    /// Waits out a pause that the server asked of all callers; then begins an attempt and gives
    /// its time limit.
    async fn begin(&mut self) -> Result<Duration, Error> {
        let pause = self.engine.pause_left();
        if !pause.is_zero() {
            if self.course.left(self.elapsed()).is_none_or(|left| left <= pause) {
                let message = format!(
                    "the server has asked to wait {} s more, which is past this call's time limit",
                    pause.as_secs_f32().ceil()
                );
                return Err(
                    Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(pause))
                );
            }
            self.engine.clock().sleep(pause).await;
        }
        self.course.begin(self.elapsed()).ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "the call's time limit has passed before it was sent")
        })
    }

    /// Does what follows from an outcome: `None` is to send again.
    async fn follow(&mut self, outcome: Outcome, error: Error) -> Option<SendError> {
        let step = self.step(outcome);
        self.take(step, error).await
    }

    fn step(&mut self, outcome: Outcome) -> Step {
        match outcome {
            // Nothing to decide: neither the clock nor chance is asked.
            Outcome::Answered => return Step::Finish,
            Outcome::Paused(retry_after) => self.engine.pause_all(retry_after),
            _ => {}
        }
        let random = self.engine.clock().random();
        let budget = &self.engine.budget;
        self.course.after(outcome, self.elapsed(), random, || lock(budget).withdraw())
    }

    async fn take(&mut self, step: Step, error: Error) -> Option<SendError> {
        match step {
            Step::Send(wait) => {
                debug!(?wait, %error, "sending again");
                if !says_no_effect(&error) {
                    self.doubt = Some(error);
                }
                self.engine.clock().sleep(wait).await;
                None
            }
            Step::Probe(wait) => {
                debug!(?wait, %error, "looking whether it took effect");
                self.engine.clock().sleep(wait).await;
                Some(SendError::InDoubt(error))
            }
            Step::Finish => Some(self.failed(error)),
            Step::OutcomeUnknown => {
                Some(SendError::Failed(error.into_outcome_unknown(self.request.unknown_hint)))
            }
        }
    }

    /// The end with this error, unless an earlier attempt may have had the effect that this one
    /// surely did not have.
    fn failed(&mut self, error: Error) -> SendError {
        let doubt = if says_no_effect(&error) { self.doubt.take() } else { None };
        SendError::Failed(doubt.unwrap_or(error))
    }

    fn may_send_again(&mut self) -> bool {
        let budget = &self.engine.budget;
        self.course.after_absence(self.elapsed(), || lock(budget).withdraw())
    }

    fn elapsed(&self) -> Duration {
        self.engine.clock().now().saturating_duration_since(self.start)
    }
}

/// Whether the error says for certain that this attempt, whatever came of others, had no effect.
fn says_no_effect(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotSent | ErrorKind::RateLimited)
}

/// Whether the server has looked at the call and declined it, so that an earlier attempt that is
/// still on its way would fare no better.
fn is_refusal(error: &Error) -> bool {
    !says_no_effect(error) && matches!(error.status(), Some(300..=499))
}

/// Names the call in its error.
fn named<R>(request: &Request, result: Result<R, Error>) -> Result<R, Error> {
    result.map_err(|error| error.with_call(|| format!("{} {}", request.method, request.template)))
}

/// The body as it came, byte for byte, but for the secret: what could not be read before must not
/// be readable afterwards.
fn without(body: Bytes, secret: &Secret) -> Bytes {
    let secret = secret.expose().as_bytes();
    if secret.is_empty() || memmem::find(&body, secret).is_none() {
        return body;
    }
    let mut cleaned = BytesMut::with_capacity(body.len());
    let mut end = 0;
    for start in memmem::find_iter(&body, secret) {
        cleaned.extend_from_slice(&body[end..start]);
        cleaned.extend_from_slice(REDACTED.as_bytes());
        end = start + secret.len();
    }
    cleaned.extend_from_slice(&body[end..]);
    cleaned.freeze()
}

fn outcome_of(error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::NotSent => Outcome::NotSent,
        ErrorKind::TimedOut | ErrorKind::Interrupted => Outcome::Broken(None),
        _ => Outcome::Unclear,
    }
}
