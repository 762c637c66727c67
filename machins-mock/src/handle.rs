//! Handles that a test holds on parts of its server.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::{ClockOutOfRange, Time};
use crate::machineid::{OrgKey, OrgKeyError, OrgState, OrgUpdate, Plan, UnknownOrg};
use crate::state::App;

/// A handle to an org of a [`MockServer`](crate::MockServer), to read and change its
/// settings.
///
/// ```
/// use machins_mock::{OrgUpdate, Plan, blocking::MockServer};
///
/// let server = MockServer::start();
/// let org = server.create_org(Plan::Free);
/// let state = org.update(OrgUpdate::new().plan(Plan::Pro).execution_enabled(false))?;
/// assert_eq!(state.limit, 25);
/// # Ok::<_, machins_mock::UnknownOrg>(())
/// ```
#[derive(Clone)]
pub struct Org {
    app: App,
    key: OrgKey,
}

impl Org {
    pub(crate) fn create(app: &App, plan: Plan) -> Self {
        let key = {
            let world = &mut *app.world();
            world.machineid.create_org(plan, &mut world.random)
        };
        app.touch();
        Self { app: Arc::clone(app), key }
    }

    pub(crate) fn create_with_key(app: &App, plan: Plan, key: String) -> Result<Self, OrgKeyError> {
        let key = app.world().machineid.create_org_with_key(plan, key)?;
        app.touch();
        Ok(Self { app: Arc::clone(app), key })
    }

    pub(crate) fn find(app: &App, key: &str) -> Option<Self> {
        app.world().machineid.org(key)?;
        let key = OrgKey::try_from(key.to_owned()).ok()?;
        Some(Self { app: Arc::clone(app), key })
    }

    /// Returns the org's key, for the `x-org-key` header.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Returns the org's settings and its number of active devices.
    ///
    /// # Errors
    /// Returns [`UnknownOrg`] if the org no longer exists.
    pub fn state(&self) -> Result<OrgState, UnknownOrg> {
        self.app.world().machineid.org_state(self.key.as_str())
    }

    /// Changes the org's settings and returns its new state.
    ///
    /// # Errors
    /// Returns [`UnknownOrg`] if the org no longer exists.
    pub fn update(&self, update: OrgUpdate) -> Result<OrgState, UnknownOrg> {
        let state = self.app.world().machineid.update_org(self.key.as_str(), update);
        self.app.touch();
        state
    }
}

impl fmt::Debug for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Org").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A server's virtual time: the real time plus an offset, or a time that stands still.
#[derive(Debug)]
pub struct ClockHandle<'a> {
    pub(crate) app: &'a App,
}

impl ClockHandle<'_> {
    /// Returns the server's current time, to the millisecond.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.app.world().clock.now().into()
    }

    /// Sets the time, forward or back. Everything that falls due in between happens, in order, before
    /// this returns; nothing is undone.
    ///
    /// # Errors
    /// Returns [`ClockOutOfRange`] if the time is more than [`MAX_ADVANCE`](crate::MAX_ADVANCE) from
    /// the real time.
    pub fn set(&self, now: SystemTime) -> Result<(), ClockOutOfRange> {
        let now = Time::try_from(now).map_err(|_| ClockOutOfRange)?;
        self.app.set_clock(Some(now), None)
    }

    /// Stops the time: it moves only when it is [set](Self::set) or [advanced](Self::advance).
    pub fn freeze(&self) {
        self.app.world().clock.set_frozen(true);
        self.app.touch();
    }

    /// Lets the time go on from where it stands.
    pub fn unfreeze(&self) {
        self.app.world().clock.set_frozen(false);
        self.app.touch();
    }

    /// Returns whether the time stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.app.world().clock.is_frozen()
    }

    /// Moves the time forward. Everything that falls due in between happens, in order, before this
    /// returns.
    ///
    /// # Errors
    /// Returns [`ClockOutOfRange`] if the time would be more than
    /// [`MAX_ADVANCE`](crate::MAX_ADVANCE) from the real time.
    pub fn advance(&self, by: Duration) -> Result<(), ClockOutOfRange> {
        self.app.advance(by)
    }
}

/// A guard that removes its fault when it is dropped, created by
/// [`MockServer::fault_scoped`](crate::MockServer::fault_scoped).
#[derive(Debug)]
#[must_use = "the fault is removed when the guard is dropped"]
pub struct FaultGuard {
    pub(crate) app: App,
    pub(crate) id: u64,
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        self.app.remove_fault(self.id);
    }
}
