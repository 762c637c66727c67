//! What was proposed under which key, and where that is recorded. It knows no client.

pub(crate) mod file;
pub(crate) mod memory;
pub(crate) mod record;
pub(crate) mod store;
