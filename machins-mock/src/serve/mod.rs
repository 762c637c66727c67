//! Serving connections: accepting them, answering their requests, and applying faults.

mod accept;
mod answer;
mod body;
mod effect;

pub(crate) use self::accept::{listen, spawn};
