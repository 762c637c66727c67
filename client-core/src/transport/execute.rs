//! Executing a call: sending it and, if its outcome is unknown, asking the server about it.

use tracing::Instrument;

use super::attempts::{Attempts, SendError};
use super::engine::Engine;
use crate::call::{Call, Decode, Probe, ProbeResult};
use crate::error::{Error, ErrorKind};
use crate::observer::CallOutcome;
use crate::reply::Reply;
use crate::request::Request;

/// How many calls one probe may make before the outcome counts as unknown.
const MAX_PROBE_CALLS: u32 = 50;

/// Sends a call and returns what its reply is decoded as.
pub(super) async fn execute<R: Send>(engine: &Engine, call: &Call<R>) -> Result<R, Error> {
    let mut answer = Answer { call, decode_probe: None, value: None };
    let request = call.request.as_ref().map_err(Error::clone)?;
    exchange(engine, request, &mut answer).await?;
    answer.value.map(|value| *value).ok_or_else(lost_result)
}

/// The error of a call that is complete and has no result, which would be a bug of this crate.
pub(super) fn lost_result() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "the client has lost the result of a call")
}

/// Decodes the replies to a call and its probes. What sends them does not know the type of the result, so
/// that it is compiled once instead of for each type.
trait Decoder: Send {
    /// Whether the server can be asked if the call took effect.
    fn can_probe(&self) -> bool;

    /// Decodes a reply to the call and keeps the result.
    fn decode(&mut self, reply: &Reply) -> Result<(), Error>;

    /// Returns the request of the first probe after this error, or `None` if there is no probe.
    fn probe(&mut self, error: &Error) -> Option<Box<Result<Request, Error>>>;

    /// Decodes a reply to the last probe, and keeps the result of the call if it contains it.
    fn decode_probe(&mut self, reply: &Reply) -> Result<Conclusion, Error>;
}

/// A [`ProbeResult`] without its value.
enum Conclusion {
    Done,
    Absent,
    Unknown,
    Failed(Error),
    Next(Box<Result<Request, Error>>),
}

/// The result of a call, and how it is decoded.
struct Answer<'a, R> {
    call: &'a Call<R>,
    decode_probe: Option<Decode<ProbeResult<R>>>,
    /// Boxed, because the future of the call would hold space for it all the time.
    value: Option<Box<R>>,
}

impl<R> Answer<'_, R> {
    fn keep(&mut self, value: R) {
        self.value = Some(Box::new(value));
    }

    fn begin(&mut self, probe: Probe<R>) -> Box<Result<Request, Error>> {
        self.decode_probe = Some(probe.decode);
        probe.request
    }
}

impl<R: Send> Decoder for Answer<'_, R> {
    fn can_probe(&self) -> bool {
        self.call.recovery.is_some()
    }

    fn decode(&mut self, reply: &Reply) -> Result<(), Error> {
        (self.call.decode)(reply).map(|value| self.keep(value))
    }

    fn probe(&mut self, error: &Error) -> Option<Box<Result<Request, Error>>> {
        let probe = self.call.recovery.as_ref()?(error);
        Some(self.begin(probe))
    }

    fn decode_probe(&mut self, reply: &Reply) -> Result<Conclusion, Error> {
        let Some(decode) = &self.decode_probe else { return Ok(Conclusion::Unknown) };
        Ok(match decode(reply)? {
            ProbeResult::Done(value) => {
                self.keep(value);
                Conclusion::Done
            }
            ProbeResult::Absent => Conclusion::Absent,
            ProbeResult::Unknown => Conclusion::Unknown,
            ProbeResult::Failed(reason) => Conclusion::Failed(reason),
            ProbeResult::Next(next) => Conclusion::Next(self.begin(next)),
        })
    }
}

/// Sends a call and its probes until its result is known.
async fn exchange(
    engine: &Engine,
    request: &Request,
    decoder: &mut dyn Decoder,
) -> Result<(), Error> {
    let start = engine.clock().now();
    let attempts = Attempts::new(engine, request.complete()?, decoder.can_probe(), start);
    let mut observed = Observed::new(attempts);
    let attempts = &mut observed.attempts;
    let span = attempts.span.clone();
    let result = async {
        let mut was_in_doubt = false;
        loop {
            let (error, in_doubt) =
                match attempts.send_and_decode(|reply| decoder.decode(reply)).await {
                    Ok(()) => return Ok(()),
                    Err(SendError::InDoubt(error)) => (error, true),
                    // After an attempt in doubt, a refusal may be caused by that attempt arriving late.
                    Err(SendError::Failed(error)) => (error, false),
                };
            let probe = if in_doubt || was_in_doubt { decoder.probe(&error) } else { None };
            let Some(probe) = probe else { return Err(error) };
            was_in_doubt = true;
            // Boxed, because most calls need no probe, and each future would hold space for it.
            match Box::pin(conclude(attempts, decoder, probe)).await {
                Ok(Conclusion::Done) => return Ok(()),
                Ok(Conclusion::Failed(reason)) if in_doubt => return Err(reason),
                Ok(Conclusion::Absent) if in_doubt && attempts.may_resend() => {}
                // It cannot take effect any more, and the server has said so first.
                Ok(Conclusion::Failed(_)) if error.status().is_some() => return Err(error),
                Ok(Conclusion::Absent) if !in_doubt && is_refusal(&error) => return Err(error),
                // Absent now does not mean absent for ever: the last attempt may still arrive.
                _ => return Err(error.into_outcome_unknown(attempts.request.unknown_hint)),
            }
        }
    }
    .instrument(span)
    .await;
    observed.end(CallOutcome::from_result(&result));
    name_call(request, result)
}

/// A call of which the client's observer is told when it ends, or is dropped before.
struct Observed<'a> {
    attempts: Attempts<'a>,
    has_ended: bool,
}

impl<'a> Observed<'a> {
    fn new(attempts: Attempts<'a>) -> Self {
        Self { attempts, has_ended: false }
    }

    fn end(&mut self, outcome: CallOutcome) {
        self.has_ended = true;
        self.attempts.record_outcome(outcome);
        if let Some(observer) = self.attempts.observer() {
            observer(&self.attempts.summary(outcome));
        }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(CallOutcome::Cancelled);
        }
    }
}

/// Asks the server whether a call took effect, until a probe has a result other than the next probe.
async fn conclude(
    doubtful: &Attempts<'_>,
    decoder: &mut dyn Decoder,
    mut probe: Box<Result<Request, Error>>,
) -> Result<Conclusion, Error> {
    for _ in 0..MAX_PROBE_CALLS {
        let mut request = (*probe)?;
        request.complete()?;
        request.secrets.extend_from_slice(&doubtful.request.secrets);
        request.time_limit = doubtful.request.time_limit;
        request.options.clone_from(&doubtful.request.options);
        let mut attempts = Attempts::new(doubtful.engine, &request, false, doubtful.start);
        let span = attempts.span.clone();
        let sent = attempts.send_and_decode(|reply| decoder.decode_probe(reply));
        let result = sent.instrument(span).await;
        let result = result.map_err(|(SendError::Failed(error) | SendError::InDoubt(error))| error);
        attempts.record_outcome(CallOutcome::from_result(&result));
        match name_call(&request, result)? {
            Conclusion::Next(next) => probe = next,
            conclusion => return Ok(conclusion),
        }
    }
    Ok(Conclusion::Unknown)
}

/// Whether the server has found the call itself wrong, so that it would also refuse an earlier attempt that
/// is still on its way. A conflict, for example, may be with that attempt.
fn is_refusal(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 404 | 405 | 410 | 413 | 414 | 415 | 431))
}

fn name_call<R>(request: &Request, result: Result<R, Error>) -> Result<R, Error> {
    result.map_err(|error| error.with_call(|| format!("{} {}", request.method, request.template)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base_url::BaseUrl;
    use crate::options::ClientOptions;

    /// What glibc keeps for the next `malloc` of a thread.
    const KEPT_BLOCK: usize = 1_032;

    #[test]
    fn the_future_of_a_call_fits_into_a_block_that_malloc_keeps() {
        let base_url = BaseUrl::parse("http://127.0.0.1:9").unwrap();
        let engine = Engine::new(base_url, Vec::new(), ClientOptions::new()).unwrap();
        let (engine, call) = (Arc::new(engine), Call::get("/").json::<String>());
        let size = size_of_val(&async move { execute(&engine, &call).await });
        assert!(size <= KEPT_BLOCK, "{size} bytes");
    }
}
