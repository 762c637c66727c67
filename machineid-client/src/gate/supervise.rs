//! Supervising work, which runs only as long as its device is allowed to.

use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use agent_client_core::lock;

use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;

use super::check::{Consequences, Gate, START};
use super::denied::Denied;
use super::question::Backoff;

/// The shortest time between two checks of supervised work.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// What follows from a check while work runs.
const RUNNING: Consequences = Consequences { if_allowed: "continued", if_denied: "ended" };
/// What follows from a check after work has ended.
const FINISHED: Consequences = Consequences { if_allowed: "finished", if_denied: "discarded" };

/// When the last permit was given.
struct LastPermit(Mutex<Instant>);

impl Gate {
    /// Checks first, then runs `work` and checks again at every `interval`. On the first denial it
    /// drops `work`, which ends it at its current await point.
    ///
    /// Checks run concurrently with `work`, and `interval` is the time from the start of one check
    /// to the start of the next, but at least 100 ms. After a revocation, `work` is dropped within
    /// `interval` plus the time of one answer; in an outage, within `interval` plus the client's
    /// time limit and the gate's outage grace. If the service limits the rate of checks for longer
    /// than `interval`, that counts as no decision.
    ///
    /// `work` must not block its thread: it can only be dropped where it awaits. If its last permit
    /// is older than `interval` when it ends, one more check decides whether its result counts.
    ///
    /// ```
    /// # async fn serve() {}
    /// use std::time::Duration;
    ///
    /// # test_support::gate(async |gate| {
    /// gate.supervise(Duration::from_secs(30), serve()).await?;
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`Denied`] if a check denies; `work` has not started, was dropped, or has ended and
    /// its result is discarded.
    pub async fn supervise<F: Future>(
        &self,
        interval: Duration,
        work: F,
    ) -> Result<F::Output, Denied> {
        self.supervise_gracefully(interval, Duration::ZERO, |_| work).await
    }

    /// Supervises `work` like [`supervise`](Self::supervise), but gives it time to stop by itself:
    /// on the first denial its token is cancelled, and it is dropped only after `grace`.
    ///
    /// The token is also cancelled when this method returns for another reason, so tasks that
    /// `work` has spawned can wait for it too.
    ///
    /// ```
    /// # async fn take_job() -> Option<()> { None }
    /// use std::time::Duration;
    ///
    /// # test_support::gate(async |gate| {
    /// gate.supervise_gracefully(Duration::from_secs(30), Duration::from_secs(5), |stop| async move {
    ///     while !stop.is_cancelled() {
    ///         let Some(job) = take_job().await else { break };
    ///     }
    /// })
    /// .await?;
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`Denied`] if a check denies; `work` has not started, has stopped or was dropped.
    pub async fn supervise_gracefully<F: Future>(
        &self,
        interval: Duration,
        grace: Duration,
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Result<F::Output, Denied> {
        let _permit = self.check_before(START).await?;
        let interval = interval.max(SHORTEST_INTERVAL);
        let last_permit = LastPermit(Mutex::new(self.clock().now()));
        let stop = CancellationToken::new();
        let _cancelled_on_return = stop.clone().drop_guard();
        let mut work = pin!(work(stop.clone()));
        // `unconstrained`: work that is always ready uses up the cooperative budget of its task.
        // Timers and checks in the same task would then never be ready.
        let denied = tokio::select! {
            biased;
            output = &mut work => {
                let permitted_at = *lock(&last_permit.0);
                // Work that blocks its thread also holds up the checks.
                if self.clock().now().saturating_duration_since(permitted_at) > interval {
                    let _permit = self.check_alone(FINISHED, &Backoff::default(), interval).await?;
                }
                return Ok(output);
            }
            denied = unconstrained(self.check_every(interval, &last_permit)) => denied,
        };
        stop.cancel();
        if !grace.is_zero() {
            tokio::select! {
                biased;
                _ = work => {}
                () = unconstrained(self.clock().sleep(grace)) => {}
            }
        }
        Err(denied)
    }

    /// Checks at every `interval`, first after one interval, until a check denies.
    #[cfg(feature = "blocking")]
    pub(crate) async fn wait_for_denial(&self, interval: Duration) -> Denied {
        let last_permit = LastPermit(Mutex::new(self.clock().now()));
        self.check_every(interval.max(SHORTEST_INTERVAL), &last_permit).await
    }

    /// The checks share no requests with others, because a shared check may take two requests.
    async fn check_every(&self, interval: Duration, last_permit: &LastPermit) -> Denied {
        let clock = self.clock();
        let backoff = Backoff::default();
        let mut last = clock.now();
        loop {
            let since = clock.now().saturating_duration_since(last);
            clock.sleep(interval.saturating_sub(since)).await;
            last = clock.now();
            match self.check_alone(RUNNING, &backoff, interval).await {
                Ok(_permit) => *lock(&last_permit.0) = clock.now(),
                Err(denied) => return denied,
            }
        }
    }
}
