//! The attempts to send one request, until there is a reply or no further attempt is allowed.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use tracing::{Span, debug, warn};

use super::engine::{Engine, RemainingPause, Withdrawal};
use super::redact::{REDACTED, redact_body, redact_text};
use crate::credential::{Credential, Secret};
use crate::error::{Error, ErrorKind};
use crate::observer::{CallOutcome, CallSummary, Observer};
use crate::reply::Reply;
use crate::request::Request;
use crate::retry::{Idempotency, Outcome, Policy, RetryState, Step, classify, spread};
use crate::wire_message::WireMessage;

/// Why no more attempts are made.
pub(super) enum SendError {
    /// The call ends with this error.
    Failed(Error),
    /// The call may have taken effect, and a probe can find out.
    InDoubt(Error),
}

/// All attempts to send one request.
pub(super) struct Attempts<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a Request,
    state: RetryState,
    /// The retry that the next attempt takes from the budget.
    withdrawal: Option<Withdrawal<'a>>,
    /// The key of the last attempt, if a function gave it.
    key: Option<Secret>,
    pub(super) start: Instant,
    pub(super) span: Span,
    /// The wait that the server named in its latest reply.
    named_wait: Option<Duration>,
    /// The error of an earlier attempt that may have taken effect.
    doubt: Option<Error>,
    /// The status of the last reply.
    status: Option<u16>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        request: &'a Request,
        recoverable: bool,
        start: Instant,
    ) -> Self {
        let idempotency = match (request.idempotent, recoverable) {
            (true, _) => Idempotency::Idempotent,
            (false, true) => Idempotency::Recoverable,
            (false, false) => Idempotency::NonIdempotent,
        };
        let mut policy: Policy = engine.options.retry.clone();
        if let Some(options) = &request.options {
            policy.timeout = options.timeout.unwrap_or(policy.timeout);
            policy.max_attempts = options.max_attempts.unwrap_or(policy.max_attempts);
        }
        if let Some(total) = &engine.options.total_timeout {
            policy.timeout = policy.timeout.min(total.remaining(start));
        }
        if request.single_attempt {
            policy.max_attempts = 1;
        }
        if let Some(limit) = request.time_limit {
            policy.timeout = policy.timeout.min(limit);
        }
        let span = request.operation.span();
        if !span.is_disabled() {
            let (address, port) = engine.wire.base_url().server();
            span.record("http.request.method", request.method.as_str());
            span.record("url.template", &*request.template);
            span.record("server.address", address);
            span.record("server.port", port);
        }
        let state = RetryState::new(policy, idempotency);
        Self {
            engine,
            request,
            state,
            withdrawal: None,
            key: None,
            named_wait: None,
            start,
            span,
            doubt: None,
            status: None,
        }
    }

    /// Sends the request until a reply is final and can be decoded.
    pub(super) async fn send_and_decode<R>(
        &mut self,
        mut decode: impl FnMut(&Reply) -> Result<R, Error>,
    ) -> Result<R, SendError> {
        loop {
            let error = {
                // Not kept while the call waits: its future would hold space for it.
                let reply = self.send().await?;
                let error = match self.check_age(&reply).and_then(|()| decode(&reply)) {
                    Ok(value) => return Ok(value),
                    Err(error) => error.map_texts(|text| self.redact(text)),
                };
                if !reply.is_success() || error.kind() != ErrorKind::UnreadableReply {
                    return Err(self.final_error(error));
                }
                error
            };
            let step = self.next_step(Outcome::Inconclusive);
            self.carry_out(step, error).await?;
        }
    }

    /// Returns an error if a cache had stored the reply and it may not be used.
    fn check_age(&self, reply: &Reply) -> Result<(), Error> {
        let must_be_fresh = self.request.must_be_fresh && self.request.scheme.is_some();
        if must_be_fresh && reply.is_success() && reply.is_from_cache() {
            return Err(reply.unreadable("a cache has answered with a reply that it had stored"));
        }
        Ok(())
    }

    /// Sends the request until a reply is final.
    async fn send(&mut self) -> Result<Reply, SendError> {
        let credential = self.engine.credential(self.request).map_err(SendError::Failed)?;
        loop {
            let time_limit = match self.begin_attempt().await {
                Ok(limit) => limit,
                Err(error) => return Err(SendError::Failed(self.doubt.take().unwrap_or(error))),
            };
            self.check_condition()?;
            if let Some(withdrawal) = self.withdrawal.take() {
                withdrawal.spend();
            }
            let attempts = self.state.attempts();
            self.span.record("attempt", attempts);
            if attempts > 1 {
                self.span.record("http.request.resend_count", attempts - 1);
            }
            let key = credential.map(|credential| self.key(credential)).transpose();
            let key = key.map_err(|error| self.final_error(error))?;
            let show = |outgoing: &reqwest::Request| self.show_request(outgoing);
            let exchange = self.engine.wire.exchange(self.request, key, time_limit, show);
            // Boxed, because malloc takes several times as long for the future of a call if it has
            // more than 1,032 bytes (glibc keeps smaller blocks in a cache of the thread).
            let (step, error) = match Box::pin(exchange).await {
                Ok(reply) => {
                    let reply = self.take_in(reply);
                    match self.next_step(classify(reply.status, reply.labels.retry_after)) {
                        Step::Finish => return Ok(reply),
                        step => (step, reply.error().map_texts(|text| self.redact(text))),
                    }
                }
                Err(error) => {
                    if error.kind() == ErrorKind::NotSent {
                        self.check_condition()?;
                    }
                    (self.next_step(outcome(&error)), error)
                }
            };
            self.carry_out(step, error).await?;
        }
    }

    /// Ends the call if its condition does not hold: with the error of an earlier attempt that may have
    /// taken effect, or else with that of the condition.
    fn check_condition(&mut self) -> Result<(), SendError> {
        let Some(condition) = &self.request.condition else { return Ok(()) };
        condition().map_err(|error| SendError::Failed(self.doubt.take().unwrap_or(error)))
    }

    /// Returns the header with the key for the next attempt.
    fn key(&mut self, credential: &Credential) -> Result<(&'static str, HeaderValue), Error> {
        let key = credential.key()?;
        let header = (credential.scheme.header, key.header.clone());
        self.key = match key {
            Cow::Owned(key) => Some(key.secret),
            Cow::Borrowed(_) => None,
        };
        Ok(header)
    }

    /// Waits until the request's rate limit has passed, then begins an attempt and returns its time
    /// limit.
    async fn begin_attempt(&mut self) -> Result<Duration, Error> {
        if let Some(longest) = self.request.pause.longest {
            self.wait_out_pauses(longest).await?;
        }
        self.state.begin_attempt(self.elapsed()).ok_or_else(|| {
            Error::new(ErrorKind::TimedOut, "the call's time limit passed before it was sent")
        })
    }

    /// Waits until there is no pause left, for `longest` in total. A pause may be prolonged while
    /// this call waits for it.
    async fn wait_out_pauses(&self, mut longest: Duration) -> Result<(), Error> {
        while let Some(RemainingPause { remaining: pause, length }) =
            self.engine.remaining_pause(self.request)
        {
            // What is left when the pause ends: some of the call's time, or it could not be sent.
            let left = self.state.remaining(self.elapsed()).unwrap_or_default();
            let left = left.checked_sub(pause).filter(|left| !left.is_zero());
            let (Some(left), Some(room)) = (left, longest.checked_sub(pause)) else {
                let message = format!(
                    "the server has asked to wait {} s more, which is longer than this call may wait",
                    pause.as_secs_f32().ceil()
                );
                return Err(
                    Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(pause))
                );
            };
            let waited = self.wait_as_asked(pause, length, room.min(left)).await;
            longest = longest.saturating_sub(waited);
        }
        Ok(())
    }

    /// Waits as the server asked in a pause of this length. If other calls wait too, it waits longer
    /// by a random part of `room`, so that they do not all leave at once. Returns the whole wait.
    async fn wait_as_asked(&self, wait: Duration, length: Duration, room: Duration) -> Duration {
        let clock = self.engine.clock();
        let waiting = self.engine.begin_wait(self.request);
        let wait =
            if waiting.has_company { wait + spread(length, room, clock.random()) } else { wait };
        clock.sleep(wait).await;
        wait
    }

    /// Redacts a reply and records it in the span and the retry budget.
    fn take_in(&mut self, mut reply: Reply) -> Reply {
        reply.repeated = self.state.may_have_taken_effect();
        // A success may contain a text that happens to equal a password, but never a key.
        let sent = if reply.is_success() { &[] } else { self.request.secrets.as_slice() };
        reply.body = redact_body(reply.body, self.engine.keys().chain(&self.key).chain(sent));
        if let Some(on_reply) = self.request.options.as_ref().and_then(|own| own.on_reply.as_ref())
        {
            on_reply(&reply);
        }
        self.show_reply(&reply);
        reply.labels.request_id = reply.labels.request_id.map(|id| self.redact(&id));
        self.status = Some(reply.status);
        self.span.record("http.response.status_code", reply.status);
        if !self.span.is_disabled() {
            if let Some(request_id) = reply.request_id() {
                self.span.record("request_id", self.redact(&request_id));
            }
        }
        if reply.is_success() {
            self.engine.deposit_success();
        }
        reply
    }

    fn show_request(&self, outgoing: &reqwest::Request) {
        let Some(on_message) = &self.engine.options.on_message else { return };
        let mut url = outgoing.url().clone();
        if !self.request.secrets.is_empty() {
            // A part of the path may be one of them, and be escaped.
            url = self.engine.wire.base_url().join(&self.request.template, &self.request.query);
        }
        let body = self.request.body.as_deref().unwrap_or_default();
        on_message(&self.message(
            false,
            &format!("{} {url}", outgoing.method()),
            outgoing.headers(),
            body,
        ));
    }

    fn show_reply(&self, reply: &Reply) {
        let Some(on_message) = &self.engine.options.on_message else { return };
        let status = StatusCode::from_u16(reply.status).map(|status| status.to_string());
        let status = status.unwrap_or_else(|_| reply.status.to_string());
        on_message(&self.message(true, &status, &reply.headers, &reply.body));
    }

    fn message(
        &self,
        is_reply: bool,
        start: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> WireMessage {
        let shown = |value: &HeaderValue| {
            if value.is_sensitive() {
                REDACTED.to_owned()
            } else {
                self.redact(&String::from_utf8_lossy(value.as_bytes()))
            }
        };
        WireMessage {
            is_reply,
            start: self.redact(start),
            headers: headers.iter().map(|(name, value)| (name.to_string(), shown(value))).collect(),
            body: self.redact(&String::from_utf8_lossy(body)),
        }
    }

    /// Removes the client's keys and the call's own secrets, which a server may repeat.
    fn redact(&self, text: &str) -> String {
        redact_text(text, self.engine.keys().chain(&self.key).chain(&self.request.secrets))
    }

    fn next_step(&mut self, outcome: Outcome) -> Step {
        self.named_wait = None;
        match outcome {
            // Nothing to decide: no need to read the clock or draw a random number.
            Outcome::Answered => return Step::Finish,
            Outcome::RateLimited(retry_after) => {
                self.engine.pause(self.request, retry_after);
                self.named_wait = retry_after;
            }
            Outcome::Transient(retry_after) => self.named_wait = retry_after,
            Outcome::NotSent | Outcome::Inconclusive => {}
        }
        let random = self.engine.clock().random();
        let elapsed = self.elapsed();
        let (engine, withdrawal) = (self.engine, &mut self.withdrawal);
        self.state.next_step(outcome, elapsed, random, || {
            *withdrawal = engine.withdraw_retry();
            withdrawal.is_some()
        })
    }

    /// Waits as `step` says. Returns `Ok` if the request is to be sent again.
    async fn carry_out(&mut self, step: Step, error: Error) -> Result<(), SendError> {
        match step {
            Step::Send(wait) => {
                warn!(
                    operation = self.request.operation.name(),
                    attempt = self.state.attempts(),
                    ?wait,
                    error = format!("{error:#}"),
                    "sending again"
                );
                if !proves_no_effect(&error) {
                    self.doubt = Some(error);
                }
                // Boxed, as other waits, because most calls do not wait.
                Box::pin(self.wait_before_next(wait)).await;
                Ok(())
            }
            Step::Probe(wait) => {
                debug!(
                    ?wait,
                    error = format!("{error:#}"),
                    "checking whether the call took effect"
                );
                Box::pin(self.wait_before_next(wait)).await;
                Err(SendError::InDoubt(error))
            }
            Step::Finish => Err(self.final_error(error)),
            Step::OutcomeUnknown => {
                Err(SendError::Failed(error.into_outcome_unknown(self.request.unknown_hint)))
            }
        }
    }

    /// Waits before the next attempt or probe.
    async fn wait_before_next(&self, wait: Duration) {
        let Some(named) = self.named_wait.filter(|named| !named.is_zero()) else {
            return self.engine.clock().sleep(wait).await;
        };
        let left = self.state.remaining(self.elapsed()).unwrap_or_default();
        self.wait_as_asked(wait, named, left.saturating_sub(wait)).await;
    }

    /// The error to end with: the one of an earlier attempt that may have taken effect, if this
    /// one certainly did not.
    fn final_error(&mut self, error: Error) -> SendError {
        let doubt = if proves_no_effect(&error) { self.doubt.take() } else { None };
        SendError::Failed(doubt.unwrap_or(error))
    }

    /// Whether the request may be sent again after a probe has shown that it did not take effect.
    pub(super) fn may_resend(&mut self) -> bool {
        let elapsed = self.elapsed();
        let (engine, withdrawal) = (self.engine, &mut self.withdrawal);
        self.state.may_resend_after_absence(elapsed, || {
            *withdrawal = engine.withdraw_retry();
            withdrawal.is_some()
        })
    }

    /// Records how the request ended. The kind of an error is the `error.type` of its span.
    pub(super) fn record_outcome(&self, outcome: CallOutcome) {
        if let CallOutcome::Failed(kind) = outcome {
            self.span.record("error.type", kind.as_str());
            self.span.record("otel.status_code", "ERROR");
        }
    }

    pub(super) fn observer(&self) -> Option<&Observer> {
        self.engine.options.observer.as_ref()
    }

    /// Returns what to tell the observer of the client.
    pub(super) fn summary(&self, outcome: CallOutcome) -> CallSummary {
        CallSummary {
            operation: self.request.operation.name(),
            method: self.request.method.clone(),
            template: self.request.template.clone().into_owned(),
            outcome,
            status: self.status,
            attempts: self.state.attempts(),
            duration: self.elapsed(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.engine.clock().now().saturating_duration_since(self.start)
    }
}

/// Whether the error proves that this attempt, though perhaps not an earlier one, had no effect.
pub(super) fn proves_no_effect(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotSent | ErrorKind::UntrustedCertificate | ErrorKind::RateLimited
    )
}

fn outcome(error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::NotSent => Outcome::NotSent,
        // Nothing was sent, and the next attempt would meet the same certificate, or script.
        ErrorKind::UntrustedCertificate | ErrorKind::InvalidInput => Outcome::Answered,
        ErrorKind::TimedOut | ErrorKind::Interrupted => Outcome::Transient(None),
        _ => Outcome::Inconclusive,
    }
}
