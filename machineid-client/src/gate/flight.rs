//! Concurrent checks share a request, in the one way that is safe.
//!
//! On each runtime one request is under way at a time. Whoever asks meanwhile boards the next
//! flight, which departs when the present one has landed. So a decision is never older than the
//! asking, and the wait is two requests at most. Runtimes do not share: one that is not being run
//! would keep the callers on the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use agent_client_core::{Error, ErrorKind, lock};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;
use tracing::Instrument;

use super::denied::{Denied, Reason};
use crate::decision::Decision;

/// What a flight brings back to everyone on board.
pub(super) type Landing = Result<Arc<Decision>, Denied>;

/// A runtime stands here while a pilot is at work on it, with the next flight if somebody has
/// boarded. The flight departs by being taken: nobody boards after that.
type Airfields = HashMap<Id, Option<watch::Sender<Option<Landing>>>>;

#[derive(Default)]
pub(super) struct Flights(Arc<Mutex<Airfields>>);

impl Flights {
    /// Boards the next flight and waits for its landing. `ask` makes the request. It is called
    /// by a task of its own, so that a caller who gives up takes nobody along.
    pub(super) async fn board<F>(&self, ask: impl Fn() -> F + Send + 'static) -> Landing
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            return Err(lost("a gate must be asked inside a tokio runtime"));
        };
        let (mut seat, pilot) = self.take_seat(runtime.id());
        if let Some(pilot) = pilot {
            runtime.spawn(pilot.fly(ask).in_current_span());
        }
        match seat.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landing)) => landing.clone(),
            _ => Err(lost("the request's task ended without an answer")),
        }
    }

    /// A seat on the runtime's next flight, and a pilot if there is none at work.
    fn take_seat(&self, runtime: Id) -> (watch::Receiver<Option<Landing>>, Option<Pilot>) {
        let mut airfields = lock(&self.0);
        if let Some(Some(flight)) = airfields.get(&runtime) {
            return (flight.subscribe(), None);
        }
        let (flight, seat) = watch::channel(None);
        let had_pilot = airfields.insert(runtime, Some(flight)).is_some();
        let pilot =
            (!had_pilot).then(|| Pilot { airfields: Arc::clone(&self.0), runtime, on_duty: true });
        (seat, pilot)
    }
}

/// Flies until nobody is waiting.
struct Pilot {
    airfields: Arc<Mutex<Airfields>>,
    runtime: Id,
    on_duty: bool,
}

impl Pilot {
    async fn fly<F: Future<Output = Landing>>(mut self, ask: impl Fn() -> F) {
        loop {
            // Those who are ready to ask, the last landing's passengers among them, still board.
            tokio::task::yield_now().await;
            let Some(flight) = self.depart() else { return };
            // Nobody is left to hear it when all callers have given up.
            flight.send_replace(Some(ask().await));
        }
    }

    /// Takes the next flight, or goes off duty, in one step: a caller either is on that flight or
    /// finds that a new pilot is needed.
    fn depart(&mut self) -> Option<watch::Sender<Option<Landing>>> {
        let mut airfields = lock(&self.airfields);
        let flight = airfields.get_mut(&self.runtime).and_then(Option::take);
        if flight.is_none() {
            airfields.remove(&self.runtime);
            self.on_duty = false;
        }
        flight
    }
}

impl Drop for Pilot {
    /// A pilot that ends on duty (a panic, a runtime shut down) leaves the field clear for the
    /// next, and those on board learn that there is no landing.
    fn drop(&mut self) {
        if self.on_duty {
            lock(&self.airfields).remove(&self.runtime);
        }
    }
}

fn lost(why: &str) -> Denied {
    Denied::new(Reason::NoDecision(Error::new(ErrorKind::NotSent, why)))
}
