//! What signals have left of a job.

use rustix::process::Pid;

/// What is left of a job after signals were sent to it.
#[derive(Debug, Default)]
pub(super) struct Remaining {
    pub(super) living: Vec<Pid>,
    /// Those of them that the system did not allow to be signalled.
    pub(super) refused: Vec<Pid>,
    /// There may be more: some have ended and have not been cleared away.
    pub(super) others: bool,
}

impl Remaining {
    pub(super) fn is_empty(&self) -> bool {
        self.living.is_empty() && !self.others
    }

    /// Where only these are of interest.
    pub(super) fn refused(refused: Vec<Pid>) -> Self {
        Self { living: refused.clone(), refused, others: false }
    }
}
