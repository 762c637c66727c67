//! Work that runs only as long as it is allowed to.

use std::pin::pin;
use std::time::Duration;

// Work that never runs dry uses up the budget of its task. Without an exception the timers beside
// it would never be seen to have run out, and no check would ever be made.
use tokio::task::coop::unconstrained;
use tokio_util::sync::CancellationToken;

use super::{Denied, Gate};

impl Gate {
    /// Checks first, then runs `work` and checks again every `every`. On the first denial `work`
    /// is dropped, which ends it where it awaits.
    ///
    /// The time between checks counts from one's beginning to the next's, and checks run while
    /// `work` does. A revoke ends `work` within `every` and the time of one answer; an outage
    /// within `every`, the client's time limit and the gate's grace. `work` must not block its
    /// thread: what never awaits can't be dropped.
    ///
    /// ```
    /// # async fn serve() {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = machineid_client::Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build()?;
    /// # let device = machineid_client::DeviceId::new("agent-01")?;
    /// # let gate = machineid_client::Gate::new(&client, device).register_on_start();
    /// gate.supervise(std::time::Duration::from_secs(30), serve()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Denied`]: `work` has not begun, or was dropped before its end.
    pub async fn supervise<F: Future>(
        &self,
        every: Duration,
        work: F,
    ) -> Result<F::Output, Denied> {
        self.supervise_gracefully(every, Duration::ZERO, |_| work).await
    }

    /// Like [`supervise`](Self::supervise), but tells `work` of the denial by its token and lets
    /// it go on for `grace` to stop by itself, before it is dropped.
    ///
    /// The token is cancelled in every case when this ends, so tasks that `work` has spawned may
    /// listen to it as well.
    ///
    /// ```
    /// # async fn take_job() -> Option<()> { None }
    /// use std::time::Duration;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = machineid_client::Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build()?;
    /// # let device = machineid_client::DeviceId::new("agent-01")?;
    /// # let gate = machineid_client::Gate::new(&client, device).register_on_start();
    /// gate.supervise_gracefully(Duration::from_secs(30), Duration::from_secs(5), |stop| async move {
    ///     while !stop.is_cancelled() {
    ///         let Some(job) = take_job().await else { break };
    ///     }
    /// })
    /// .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Denied`]: `work` has not begun, was told to stop, or was dropped before its end.
    pub async fn supervise_gracefully<F: Future>(
        &self,
        every: Duration,
        grace: Duration,
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Result<F::Output, Denied> {
        let _permit = self.check().await?;
        let stop = CancellationToken::new();
        let _cancelled_in_the_end = stop.clone().drop_guard();
        let mut work = pin!(work(stop.clone()));
        let denied = tokio::select! {
            biased;
            output = &mut work => return Ok(output),
            denied = unconstrained(self.watch(every)) => denied,
        };
        stop.cancel();
        if !grace.is_zero() {
            let clock = self.0.client.transport().clock();
            tokio::select! {
                biased;
                _ = work => {}
                () = unconstrained(clock.sleep(grace)) => {}
            }
        }
        Err(denied)
    }

    /// Checks every `every`, the first time after that long, until a check denies. It asks by
    /// itself: on a shared flight it could wait for two answers.
    pub(crate) async fn watch(&self, every: Duration) -> Denied {
        let clock = self.0.client.transport().clock();
        let mut last = clock.now();
        loop {
            let since = clock.now().saturating_duration_since(last);
            clock.sleep(every.saturating_sub(since)).await;
            last = clock.now();
            if let Err(denied) = self.0.ask().await {
                return denied;
            }
        }
    }
}
