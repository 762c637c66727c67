//! Making calls fail.

use std::time::Duration;

use machins_mock::{Fault, MockServer};

use crate::proxy::Proxy;

/// The share of requests that get a fault.
const SHARE: f64 = 0.2;

/// The cause of failures in a round.
pub(crate) enum Failures {
    /// Every kind of fault that the mock server knows, a fifth of all requests together.
    Faults,
    /// A proxy that cuts connections.
    Proxy { seed: u64 },
}

/// The address that the agents use, and the proxy behind it.
pub(crate) struct Endpoint {
    pub(crate) base_url: String,
    proxy: Option<Proxy>,
}

impl Failures {
    pub(crate) async fn begin(&self, server: &MockServer) -> Endpoint {
        match self {
            Self::Faults => {
                add_faults(server);
                Endpoint { base_url: server.machins_base_url(), proxy: None }
            }
            Self::Proxy { seed } => {
                let proxy = Proxy::start(server.addr(), *seed).await;
                Endpoint { base_url: format!("http://{}/api/v1", proxy.addr()), proxy: Some(proxy) }
            }
        }
    }
}

impl Endpoint {
    /// Returns how often each kind of failure happened.
    pub(crate) fn end(self, server: &MockServer) -> Vec<(String, u64)> {
        if let Some(proxy) = self.proxy {
            return proxy.end();
        }
        let faults = server.faults().into_iter();
        faults.map(|active| (active.fault.kind().to_owned(), active.hits)).collect()
    }
}

fn add_faults(server: &MockServer) {
    let statuses = [408, 429, 500, 501, 502, 503, 504].map(Fault::status);
    // A refusal of what may simply be repeated is believed, whatever came of it before.
    let refusals = [409, 422].map(|status| Fault::status(status).method("POST"));
    let blink = Duration::from_millis(2);
    let kinds = [
        [&statuses[..], &refusals].concat(),
        // One in four takes longer than the time limit.
        vec![
            Fault::delay(Duration::from_mins(10)),
            Fault::delay(blink),
            Fault::delay(blink),
            Fault::delay(blink),
        ],
        vec![Fault::drop_before()],
        vec![Fault::drop_after()],
        vec![Fault::truncate()],
        vec![Fault::garbage()],
        vec![Fault::slow_body(blink)],
    ];
    let count = f64::from(u8::try_from(kinds.len()).unwrap());
    // A fault is considered only if no fault before it applied.
    let mut left = 1.0;
    for kind in kinds {
        let share = SHARE / count / f64::from(u8::try_from(kind.len()).unwrap());
        for fault in kind {
            server.add_fault(fault.path("/api/v1/**").probability(share / left)).unwrap();
            left -= share;
        }
    }
}
