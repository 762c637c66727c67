//! Supervising work, which runs only as long as its device is allowed to.

use std::pin::pin;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;

use super::check::Gate;
use super::denied::Denied;

impl Gate {
    /// Checks first, then runs `work` and checks again at every `interval`. On the first denial it
    /// drops `work`, which ends it at its current await point.
    ///
    /// Checks run concurrently with `work`, and `interval` is the time from the start of one check
    /// to the start of the next. After a revocation, `work` is dropped within `interval` plus the
    /// time of one answer; in an outage, within `interval` plus the client's time limit and the
    /// gate's outage grace. `work` must not block its thread: it can only be dropped where it
    /// awaits.
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
    /// Returns [`Denied`] if a check denies; `work` has not started or was dropped.
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
        let _permit = self.check().await?;
        let stop = CancellationToken::new();
        let _cancelled_on_return = stop.clone().drop_guard();
        let mut work = pin!(work(stop.clone()));
        // `unconstrained`: work that is always ready uses up the cooperative budget of its task.
        // Timers and checks in the same task would then never be ready.
        let denied = tokio::select! {
            biased;
            output = &mut work => return Ok(output),
            denied = unconstrained(self.wait_for_denial(interval)) => denied,
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

    /// Checks at every `interval`, first after one interval, until a check denies. It does not
    /// share requests with other checks, because a shared check may take two requests.
    pub(crate) async fn wait_for_denial(&self, interval: Duration) -> Denied {
        let clock = self.clock();
        let mut last = clock.now();
        loop {
            let since = clock.now().saturating_duration_since(last);
            clock.sleep(interval.saturating_sub(since)).await;
            last = clock.now();
            if let Err(denied) = self.decide().await {
                return denied;
            }
        }
    }
}
