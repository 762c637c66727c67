//! Serving connections: accepting them, answering their requests, and what faults do to replies.

mod accept;
mod answer;
mod effect;

pub(crate) use self::accept::{listen, spawn};
