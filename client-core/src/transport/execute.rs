//! Executing a call: sending it and, if its outcome is unknown, asking the server about it.

use std::time::Instant;

use tracing::Instrument;

use super::attempts::{Attempts, SendError, proves_no_effect};
use super::engine::Engine;
use crate::call::{Call, Probe, ProbeResult};
use crate::error::Error;
use crate::observer::CallOutcome;
use crate::request::Request;

/// How many calls one probe may make before the outcome counts as unknown.
const MAX_PROBE_CALLS: u32 = 50;

pub(super) async fn execute<R>(engine: &Engine, call: &Call<R>) -> Result<R, Error> {
    let start = engine.clock().now();
    let Call { request, decode, recovery } = call;
    let request = request.as_ref().map_err(Error::clone)?.complete()?;
    let mut observed = Observed::new(Attempts::new(engine, request, recovery.is_some(), start));
    let attempts = &mut observed.attempts;
    let span = attempts.span.clone();
    let result = async {
        let mut was_in_doubt = false;
        loop {
            let (error, in_doubt) = match attempts.send_and_decode(decode).await {
                Ok(value) => return Ok(value),
                Err(SendError::InDoubt(error)) => (error, true),
                // After an attempt in doubt, a refusal may be caused by that attempt arriving late.
                Err(SendError::Failed(error)) => (error, false),
            };
            let recovery = recovery.as_ref().filter(|_| in_doubt || was_in_doubt);
            let Some(recovery) = recovery else { return Err(error) };
            was_in_doubt = true;
            let probed = probe(engine, start, recovery(&error), request);
            // Boxed, because most calls need no probe, and each future would hold space for it.
            match Box::pin(probed).await {
                Ok(ProbeResult::Done(value)) => return Ok(value),
                Ok(ProbeResult::Failed(reason)) if in_doubt => return Err(reason),
                Ok(ProbeResult::Absent) if in_doubt && attempts.may_resend() => {}
                Ok(ProbeResult::Absent | ProbeResult::Failed(_))
                    if !in_doubt && is_refusal(&error) =>
                {
                    return Err(error);
                }
                // Absent now does not mean absent for ever: the last attempt may still arrive.
                _ => return Err(error.into_outcome_unknown(request.unknown_hint)),
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

/// Asks the server about a request until a probe has a result other than the next probe.
async fn probe<R>(
    engine: &Engine,
    start: Instant,
    mut probe: Probe<R>,
    about: &Request,
) -> Result<ProbeResult<R>, Error> {
    for _ in 0..MAX_PROBE_CALLS {
        let Probe { request, decode } = probe;
        let mut request = (*request)?;
        request.complete()?;
        request.secrets.extend_from_slice(&about.secrets);
        request.time_limit = about.time_limit;
        request.options.clone_from(&about.options);
        let mut attempts = Attempts::new(engine, &request, false, start);
        let span = attempts.span.clone();
        let result = attempts.send_and_decode(&decode).instrument(span).await;
        let result = result.map_err(|(SendError::Failed(error) | SendError::InDoubt(error))| error);
        attempts.record_outcome(CallOutcome::from_result(&result));
        match name_call(&request, result)? {
            ProbeResult::Next(next) => probe = next,
            result => return Ok(result),
        }
    }
    Ok(ProbeResult::Unknown)
}

/// Whether the server has examined the call and refused it, so that it would also refuse an earlier
/// attempt that is still on its way.
fn is_refusal(error: &Error) -> bool {
    !proves_no_effect(error) && matches!(error.status(), Some(300..=499))
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
