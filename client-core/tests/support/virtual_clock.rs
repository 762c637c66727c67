//! A clock on which many calls wait at once without taking real time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use agent_client_core::Clock;

/// A clock whose time advances to the end of the shortest sleep as soon as all running calls sleep.
#[derive(Clone)]
pub struct VirtualClock {
    start: Instant,
    state: Arc<Mutex<State>>,
}

struct State {
    now: Duration,
    /// The number of calls that have not ended.
    running: usize,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next_sleeper: u64,
    random: fastrand::Rng,
}

impl State {
    fn advance_if_all_sleep(&mut self) {
        if self.sleepers.len() >= self.running
            && let Some(((end, _), waker)) = self.sleepers.pop_first()
        {
            self.now = self.now.max(end);
            waker.wake();
        }
    }
}

impl VirtualClock {
    /// Creates a clock for this many calls.
    pub fn new(running: usize) -> Self {
        let random = fastrand::Rng::with_seed(7);
        let (now, sleepers, next_sleeper) = (Duration::ZERO, BTreeMap::new(), 0);
        let state = State { now, running, sleepers, next_sleeper, random };
        Self { start: Instant::now(), state: Arc::new(Mutex::new(state)) }
    }

    /// The time since the clock was created.
    pub fn elapsed(&self) -> Duration {
        self.state.lock().unwrap().now
    }

    /// The number of calls that sleep.
    pub fn sleeping(&self) -> usize {
        self.state.lock().unwrap().sleepers.len()
    }

    /// Sets the number of calls that have not ended.
    pub fn set_running(&self, running: usize) {
        let mut state = self.state.lock().unwrap();
        state.running = running;
        state.advance_if_all_sleep();
    }

    /// Runs one of the calls and returns its output and its duration.
    pub async fn call<R>(&self, call: impl Future<Output = R>) -> (R, Duration) {
        let start = self.elapsed();
        let output = call.await;
        let mut state = self.state.lock().unwrap();
        let duration = state.now.saturating_sub(start);
        state.running -= 1;
        state.advance_if_all_sleep();
        (output, duration)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut state = self.state.lock().unwrap();
        state.next_sleeper += 1;
        let place = (state.now + duration, state.next_sleeper);
        Box::pin(Sleep { place, state: Arc::clone(&self.state) })
    }

    fn random(&self) -> f64 {
        self.state.lock().unwrap().random.f64()
    }
}

struct Sleep {
    place: (Duration, u64),
    state: Arc<Mutex<State>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap();
        if state.now >= self.place.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.place, context.waker().clone());
        state.advance_if_all_sleep();
        if state.now >= self.place.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.state.lock().unwrap().sleepers.remove(&self.place);
    }
}
