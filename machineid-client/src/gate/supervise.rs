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
        let supervision = Supervision::begin(self, interval).await?;
        let stop = CancellationToken::new();
        let _cancelled_on_return = stop.clone().drop_guard();
        let mut work = pin!(work(stop.clone()));
        // `unconstrained`: work that is always ready uses up the cooperative budget of its task.
        // Timers and checks in the same task would then never be ready.
        let denied = tokio::select! {
            biased;
            output = &mut work => return supervision.end().await.map(|()| output),
            denied = unconstrained(supervision.denial()) => denied,
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
}

/// The checks of work that runs.
pub(crate) struct Supervision<'a> {
    gate: &'a Gate,
    interval: Duration,
    /// When the last permit was given.
    permitted_at: Mutex<Instant>,
}

impl<'a> Supervision<'a> {
    /// Checks before the work starts.
    pub(crate) async fn begin(gate: &'a Gate, interval: Duration) -> Result<Self, Denied> {
        let _permit = gate.check_before(START).await?;
        let permitted_at = Mutex::new(gate.clock().now());
        Ok(Self { gate, interval: interval.max(SHORTEST_INTERVAL), permitted_at })
    }

    /// Checks at every interval, first after one, until a check denies. The checks share no requests with
    /// others, because a shared check may take two requests.
    pub(crate) async fn denial(&self) -> Denied {
        let clock = self.gate.clock();
        let backoff = Backoff::default();
        let mut last = clock.now();
        loop {
            let since = clock.now().saturating_duration_since(last);
            clock.sleep(self.interval.saturating_sub(since)).await;
            last = clock.now();
            match self.gate.check_alone(RUNNING, &backoff, self.interval).await {
                Ok(_permit) => *lock(&self.permitted_at) = clock.now(),
                Err(denied) => return denied,
            }
        }
    }

    /// Checks once more after the work has ended if the last permit is older than the interval: the service
    /// may not have answered since, or the work has blocked its thread and so held up the checks.
    pub(crate) async fn end(self) -> Result<(), Denied> {
        let permitted_at = *lock(&self.permitted_at);
        if self.gate.clock().now().saturating_duration_since(permitted_at) > self.interval {
            let _permit =
                self.gate.check_alone(FINISHED, &Backoff::default(), self.interval).await?;
        }
        Ok(())
    }
}
