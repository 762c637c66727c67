//! Replies with a key that is shown only once: Ctrl-C must not lose one that is on its way.

use std::pin::pin;

use crate::error::Failure;
use crate::output::Output;
use crate::process::Signals;
use crate::runtime;

/// Waits for the reply to `call` even after a signal to stop; a second signal ends the wait. From
/// then on signals do not end this process, since the reply has yet to be stored.
pub(crate) fn receive<T, E>(
    out: Output,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    runtime::block_on(async {
        let mut signals = Signals::new()?;
        let mut call = pin!(call);
        tokio::select! {
            reply = &mut call => return Ok(reply?),
            _ = signals.asked_to_stop() => {}
        }
        out.note("Waiting for the reply, since its key is shown only once. Interrupt again to stop anyway.");
        tokio::select! {
            biased;
            reply = &mut call => Ok(reply?),
            _ = signals.asked_to_stop() => Err(Failure::interrupted(
                "stopped before the reply arrived: the request may have been carried out, but its key is lost",
            )),
        }
    })?
}
