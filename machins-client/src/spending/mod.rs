//! What may be spent, what is spent, and where that is recorded. It knows no client.

pub(crate) mod commitment;
pub(crate) mod decision;
pub(crate) mod file;
pub(crate) mod journal;
pub(crate) mod memory;
pub(crate) mod policy;
mod policy_json;
#[cfg(test)]
mod properties;
pub(crate) mod store;
