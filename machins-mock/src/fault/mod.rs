//! Faults: failures on demand, and the requests that they hit.

mod active;
mod definition;

pub(crate) use self::active::Faults;
pub use self::active::{ActiveFault, FaultError, MAX_FAULTS};
pub use self::definition::{Fault, MAX_FAULT_DELAY};
pub(crate) use self::definition::{Kind, Target};
