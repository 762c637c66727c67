//! The gate, which runs work only with a fresh permit.

mod check;
mod coalescer;
mod denied;
#[cfg(feature = "tower")]
mod layer;
mod permit;
mod question;
#[cfg(feature = "axum")]
mod response;
mod supervise;

pub use check::Gate;
pub use denied::{Denied, Reason};
#[cfg(feature = "tower")]
pub use layer::{ByDevice, GateLayer, GateService, SelectGate};
pub use permit::{Permit, PermitFacts};
#[cfg(feature = "blocking")]
pub(crate) use supervise::Supervision;
