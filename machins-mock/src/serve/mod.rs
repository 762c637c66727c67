//! Serving connections: accepting them, answering their requests, and applying faults.

mod accept;
mod answer;
mod body;
mod date;
mod effect;
mod exchange;
mod reply_body;
mod upstream;

pub(crate) use self::accept::{listen, spawn};
