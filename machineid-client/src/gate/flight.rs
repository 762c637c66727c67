//! Concurrent checks share a request, in the one way that is safe.
//!
//! One request is under way at a time. Whoever asks meanwhile boards the next flight, which
//! departs when the present one has landed. So a decision is never older than the asking, and
//! the wait is two requests at most.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_client_core::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use super::denied::{Denied, Reason};
use crate::decision::Decision;

/// What a flight brings back to everyone on board.
pub(super) type Landing = Result<Arc<Decision>, Denied>;

#[derive(Default)]
pub(super) struct Flights(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whether a pilot is at work, who will take the next flight too.
    has_pilot: bool,
    /// The next flight. It departs by being taken: nobody boards after that.
    boarding: Option<watch::Sender<Option<Landing>>>,
}

impl Flights {
    /// Boards the next flight and waits for its landing. `ask` makes the request. It is called
    /// by a task of its own, so that a caller who gives up takes nobody along.
    pub(super) async fn board<F>(&self, ask: impl Fn() -> F + Send + 'static) -> Landing
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        let (mut seat, pilot) = self.take_seat();
        if let Some(pilot) = pilot {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(pilot.fly(ask).in_current_span())),
                Err(_) => return Err(lost("a gate must be asked inside a tokio runtime")),
            }
        }
        match seat.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landing)) => landing.clone(),
            _ => Err(lost("the request's task ended without an answer")),
        }
    }

    /// A seat on the next flight, and a pilot if there is none at work.
    fn take_seat(&self) -> (watch::Receiver<Option<Landing>>, Option<Pilot>) {
        let mut state = lock(&self.0);
        if let Some(flight) = &state.boarding {
            return (flight.subscribe(), None);
        }
        let (flight, seat) = watch::channel(None);
        state.boarding = Some(flight);
        let pilot = (!state.has_pilot).then(|| Pilot { state: Arc::clone(&self.0), on_duty: true });
        state.has_pilot = true;
        (seat, pilot)
    }
}

/// Flies until nobody is waiting.
struct Pilot {
    state: Arc<Mutex<State>>,
    on_duty: bool,
}

impl Pilot {
    async fn fly<F: Future<Output = Landing>>(mut self, ask: impl Fn() -> F) {
        while let Some(flight) = self.depart() {
            // Nobody is left to hear it when all callers have given up.
            flight.send_replace(Some(ask().await));
        }
    }

    /// Takes the next flight, or goes off duty, in one step: a caller either is on that flight or
    /// finds that a new pilot is needed.
    fn depart(&mut self) -> Option<watch::Sender<Option<Landing>>> {
        let mut state = lock(&self.state);
        let flight = state.boarding.take();
        self.on_duty = flight.is_some();
        state.has_pilot = self.on_duty;
        flight
    }
}

impl Drop for Pilot {
    /// A pilot that ends on duty (a panic, a runtime shut down) leaves the field clear for the
    /// next, and those on board learn that there is no landing.
    fn drop(&mut self) {
        if self.on_duty {
            *lock(&self.state) = State::default();
        }
    }
}

fn lost(why: &str) -> Denied {
    Denied::new(Reason::NoDecision(Error::new(ErrorKind::NotSent, why)))
}

/// No lock is held across anything that could panic halfway.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
