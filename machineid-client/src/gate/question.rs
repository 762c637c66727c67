//! One question to the service, and how it is repeated during an outage.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::retry::{Idempotency, Outcome, Policy, RetryState, Step};
use agent_client_core::{Clock, Error, ErrorKind, lock};
use tokio::runtime::Handle;

use super::denied::{Denied, Reason};
use crate::decision::Decision;
use crate::device_id::DeviceId;

/// The longest wait between two questions during an outage, unless the service asks for a longer
/// one.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The result of a question, shared by all checks that have asked it.
pub(super) type CheckResult = Result<Arc<Decision>, Denied>;

/// The answer to a question.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) result: CheckResult,
    /// How long to wait before the question is repeated, if the result is an outage.
    pub(super) wait: Duration,
}

/// Asks the service whether a device may run.
pub(super) trait Question: Send + Sync {
    /// Asks once. The last question of a check waits for no pause that the service has asked for.
    fn ask(&self, is_last: bool) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
    /// Returns the device that is asked about.
    fn device(&self) -> &DeviceId;
    /// Waits.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The waits between questions, which grow during an outage. Checks that share a question also
/// share the wait after it, so that they share the next question too.
pub(super) struct Backoff(Mutex<RetryState>);

impl Backoff {
    /// Returns the answer with this result, and with the wait after it.
    pub(super) fn answer(&self, result: CheckResult, clock: &dyn Clock) -> Answer {
        let state = &mut *lock(&self.0);
        let wait = match &result {
            Err(denied) if denied.is_outage() => {
                let outage = Outcome::Transient(denied.retry_after());
                match state.next_step(outage, Duration::ZERO, clock.random(), || true) {
                    Step::Send(wait) => wait,
                    _ => LONGEST_DELAY,
                }
            }
            _ => {
                *state = new_state();
                Duration::ZERO
            }
        };
        Answer { result, wait }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(Mutex::new(new_state()))
    }
}

/// The grace of each check alone limits how often it asks.
fn new_state() -> RetryState {
    let policy = Policy {
        max_attempts: u32::MAX,
        longest_delay: LONGEST_DELAY,
        timeout: Duration::MAX,
        ..Policy::default()
    };
    RetryState::new(policy, Idempotency::Idempotent)
}

/// Asks until there is a decision, or the grace has passed since the first question. When it has, a
/// question that is not answered yet is given up, and a last one is asked. `outage_begins` is called at
/// the first sign of an outage, before the question is repeated.
pub(super) async fn outlast<F: Future<Output = Answer>>(
    device: &DeviceId,
    grace: Duration,
    clock: &dyn Clock,
    outage_begins: impl Fn(&Denied),
    ask: impl Fn(bool) -> F,
) -> CheckResult {
    // Timers need a runtime.
    if grace.is_zero() || Handle::try_current().is_err() {
        return ask(false).await.result;
    }
    let start = clock.now();
    let remaining = || grace.saturating_sub(clock.now().saturating_duration_since(start));
    let mut outage: Option<Denied> = None;
    loop {
        let (denied, wait) = match tokio::time::timeout(remaining(), ask(false)).await {
            Ok(Answer { result: Err(denied), wait }) if denied.is_outage() => {
                tracing::debug!(
                    ?wait,
                    denied = format!("{denied:#}"),
                    "asking again during an outage"
                );
                (denied, wait)
            }
            Ok(Answer { result, .. }) => return result,
            Err(_) => (not_answered(device), Duration::MAX),
        };
        if outage.is_none() {
            outage_begins(&denied);
        }
        outage = Some(denied.unless_not_sent(outage));
        let remaining = remaining();
        clock.sleep(wait.min(remaining)).await;
        if wait >= remaining {
            break;
        }
    }
    let result = ask(true).await.result;
    result
        .map_err(|denied| if denied.is_outage() { denied.unless_not_sent(outage) } else { denied })
}

fn not_answered(device: &DeviceId) -> Denied {
    let message = "the service did not answer within the outage grace";
    Denied::new(device, Reason::NoDecision(Error::new(ErrorKind::TimedOut, message)))
}
