//! The processes of a job, in the way of the operating system.

#[cfg(not(target_os = "linux"))]
pub(super) use super::group::Members;
#[cfg(target_os = "linux")]
pub(super) use super::linux::Members;
