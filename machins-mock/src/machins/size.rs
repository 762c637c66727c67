//! How much there is on the platform.

use std::io::{self, Write};

use serde::Serialize;

use super::Machins;
use crate::state::THING;

/// How much JSON a thing is, in bytes.
fn json_size(thing: &impl Serialize) -> usize {
    let mut count = Count(0);
    // What is stored becomes JSON, and counting does not fail.
    let _ = serde_json::to_writer(&mut count, thing);
    count.0
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How much was entered that callers can make large, in bytes of JSON; no part of the world. What
/// is replaced later stays counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written(usize);

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Written {
    pub(super) fn add(&mut self, thing: &impl Serialize) {
        self.0 += json_size(thing);
    }
}

impl Machins {
    /// How much the platform holds, in bytes: near enough to bound it. What callers can make
    /// large is measured, of the rest each thing counts the same.
    pub(crate) fn size(&self) -> usize {
        let notifications: usize = self.agents.values().map(|agent| agent.inbox.len()).sum();
        let things = self.agents.len()
            + self.listings.len()
            + self.trades.len()
            + self.reviews.len()
            + self.subscriptions.len()
            + self.ledger.len()
            + notifications;
        self.written.0 + things * THING
    }
}
